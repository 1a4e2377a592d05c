/** ICMP errors on a wire: ways narrower than the ends know of, before and behind the balancer, in tunnels too. */

import assert from "node:assert/strict";
import { test } from "../support/bpf-tests.ts";
import { RoutedLab, VIPS } from "../support/routed-lab.ts";

/** Counts what comes, says it at the end; sends as much as the first line asks for. */
const server = (address: string, port: number) => `
  require("net").createServer({ allowHalfOpen: true }, (socket) => {
    let bytes = 0;
    socket.on("data", (chunk) => { bytes += chunk.length; }).on("end", () => socket.end(String(bytes)));
  }).listen(${port}, "${address}", () => console.log("listening"));
  require("net").createServer((socket) => socket.end(Buffer.alloc(3 << 20))).listen(${port} + 1, "${address}");`;

const upload = (vip: string, megabytes: number) => `
  const socket = require("net").connect({ port: 7, host: "${vip}", allowHalfOpen: true });
  socket.on("data", (text) => process.stdout.write(text));
  const chunk = Buffer.alloc(1 << 20);
  let left = ${megabytes};
  const more = () => { while (left-- > 0) if (!socket.write(chunk)) return; socket.end(); };
  socket.on("connect", more).on("drain", more);`;

const download = (vip: string) => `
  let bytes = 0;
  require("net").connect(7, "${vip}").on("data", (chunk) => { bytes += chunk.length; }).on("end", () => console.log(bytes));`;

async function sends(lab: RoutedLab, family: 4 | 6, megabytes: number): Promise<void> {
  assert.equal(await lab.client.run(process.execPath, "-e", upload(VIPS[family], megabytes)), String(megabytes << 20));
}

test("100 MB go through a tunnel over a way of 1500 bytes", async () => {
  await using lab = await RoutedLab.start();
  await lab.serve("tcp", 4, "tun");
  await lab.node(server(VIPS[4], 7), lab.real).sees(/listening/);
  await sends(lab, 4, 100);
});

for (const family of [4, 6] as const) {
  test(`IPv${family}: a router behind the balancer that carries less than a tunnel's packets is heard by the client`, async () => {
    await using lab = await RoutedLab.start();
    await lab.far.run("ip", "link", "set", "to-real", "mtu", "1400");
    await lab.serve("tcp", family, "tun");
    await lab.node(server(VIPS[family], 7), lab.real).sees(/listening/);
    await sends(lab, family, 5);
    const route = await lab.client.ipJson(`-${family}`, "route", "get", VIPS[family]);
    assert.equal(route[0].metrics[0].mtu, family === 4 ? 1380 : 1360);
  });

  test(`IPv${family}: a router behind the balancer is heard by the client of NAT`, async () => {
    await using lab = await RoutedLab.start();
    await lab.far.run("ip", "link", "set", "to-real", "mtu", "1400");
    await lab.serve("tcp", family, "nat");
    const { address, port } = lab.serverAt(family, "nat");
    await lab.node(server(address, port), lab.real).sees(/listening/);
    await sends(lab, family, 5);
    const route = await lab.client.ipJson(`-${family}`, "route", "get", VIPS[family]);
    assert.equal(route[0].metrics[0].mtu, 1400);
  });

  test(`IPv${family}: a router before the balancer is heard by the server of NAT`, async () => {
    await using lab = await RoutedLab.start();
    await lab.near.run("ip", "link", "set", "to-client", "mtu", "1300");
    await lab.serve("tcp", family, "nat");
    const { address } = lab.serverAt(family, "nat");
    // What is asked for comes from the port that the service has.
    await lab.node(server(address, 7776), lab.real).sees(/listening/);
    assert.equal(await lab.client.run(process.execPath, "-e", download(VIPS[family])), `${3 << 20}\n`);
    const client = family === 4 ? "10.1.0.1" : "fd01::1";
    const route = await lab.real.ipJson(`-${family}`, "route", "get", client);
    assert.equal(route[0].metrics[0].mtu, 1300);
  });
}
