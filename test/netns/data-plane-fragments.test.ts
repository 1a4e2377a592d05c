/** Datagrams larger than any packet, through every mode and back, over ways of 1500 bytes and less. */

import assert from "node:assert/strict";
import { test } from "../support/bpf-tests.ts";
import { type Family, RoutedLab, VIPS } from "../support/routed-lab.ts";

const BYTES = 4096;

/** Sends back what came. */
const echo = (address: string, port: number) => `
  const s = require("dgram").createSocket("udp${address.includes(":") ? 6 : 4}");
  s.on("message", (bytes, { port, address }) => s.send(bytes, port, address));
  s.bind(${port}, "${address}", () => console.log("listening"));`;

/** Prints how many datagrams it took until one came back whole. */
const ask = (vip: string, bytes: number) => `
  const s = require("dgram").createSocket("udp${vip.includes(":") ? 6 : 4}");
  const sent = Buffer.from(Array.from({ length: ${bytes} }, (_, index) => (index * 31) & 255));
  let times = 0;
  const send = () => {
    if (++times > 10) process.exit(1);
    s.send(sent, 7, "${vip}");
  };
  const timer = setInterval(send, 1000);
  s.on("error", () => {});
  s.on("message", (bytes) => { console.log(bytes.equals(sent) ? times : "changed"); clearInterval(timer); s.close(); });
  send();`;

const methods = ["nat", "dr", "tun"] as const;
for (const family of [4, 6] as const satisfies readonly Family[]) {
  for (const method of methods) {
    // Routers do not cut IPv6, so the client has to learn of the tunnel first, as with IPVS.
    const attempts = family === 6 && method === "tun" ? 2 : 1;
    test(`IPv${family}: ${BYTES} bytes of UDP by ${method} arrive whole both ways, at attempt ${attempts}`, async () => {
      await using lab = await RoutedLab.start();
      await lab.serve("udp", family, method);
      const { address, port } = lab.serverAt(family, method);
      await lab.node(echo(address, port), lab.real).sees(/listening/);
      // Neighbours become known.
      await lab.client.run(process.execPath, "-e", ask(VIPS[family], 1));
      await lab.evenkeel(lab.director, "ipvsadm", "-Z");
      assert.equal(await lab.client.run(process.execPath, "-e", ask(VIPS[family], BYTES)), `${attempts}\n`);
      const [line = ""] = (await lab.evenkeel(lab.director, "ipvsadm", "-Ln", "--stats")).split("\n").slice(-2);
      const [connections, packetsIn, packetsOut, bytesIn, bytesOut] = line.trim().split(/\s+/).slice(2).map(Number);
      // As if the datagram were one packet, as which IPVS counts it.
      const whole = 20 + 8 + BYTES;
      if (family === 4) {
        const out = method === "nat" ? [1, whole] : [0, 0];
        assert.deepEqual([connections, packetsIn, bytesIn, packetsOut, bytesOut], [1, 1, whole, ...out]);
      }
    });
  }
}

test("packets without DF are cut where the way to the server is narrow, and the way to the client too", async () => {
  await using lab = await RoutedLab.start();
  await lab.director.run("ip", "route", "change", "10.4.0.0/24", "via", "10.3.0.2", "mtu", "1300");
  await lab.director.run("ip", "route", "change", "10.1.0.0/24", "via", "10.2.0.1", "mtu", "1200");
  await lab.serve("udp", 4, "nat");
  const { address, port } = lab.serverAt(4, "nat");
  await lab.node(echo(address, port), lab.real).sees(/listening/);
  assert.equal(await lab.client.run(process.execPath, "-e", ask(VIPS[4], BYTES)), "1\n");
});

test("of a one-packet service all fragments go to the same server", async () => {
  await using lab = await RoutedLab.start();
  await lab.serve("udp", 4, "tun", "-o");
  // Nobody has this one, to which every other packet goes.
  await lab.evenkeel(lab.director, "ipvsadm", "-a", "-u", `${VIPS[4]}:7`, "-r", "10.3.0.77:7", "-i");
  await lab.node(echo(VIPS[4], 7), lab.real).sees(/listening/);
  assert.match(await lab.client.run(process.execPath, "-e", ask(VIPS[4], BYTES)), /^[12]\n$/);
});
