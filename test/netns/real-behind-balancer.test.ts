/** Real servers that `evenkeel real` has set up, behind our own balancer: whole flows in every mode and mix of families. */

import assert from "node:assert/strict";
import { type IpAddress, isIpv4 } from "../../src/base/ip.ts";
import { test } from "../support/bpf-tests.ts";
import { type Host, lan, REAL, REAL6, VIP, VIP6 } from "../support/real-lan.ts";

const SINK = [
  process.execPath,
  "-e",
  `require("net").createServer({ allowHalfOpen: true }, (socket) => {
     let bytes = 0;
     socket.on("data", (chunk) => { bytes += chunk.length; }).on("end", () => socket.end(String(bytes)));
   }).listen(80, "::", () => console.log("listening"));`,
];
const MEGABYTES = 20;
/** Sends it all, says how much has arrived. */
const upload = (vip: IpAddress) => [
  process.execPath,
  "-e",
  `const socket = require("net").connect({ port: 80, host: "${vip}", allowHalfOpen: true });
   socket.on("data", (text) => process.stdout.write(text));
   const chunk = Buffer.alloc(1 << 20);
   let left = ${MEGABYTES};
   const more = () => { while (left-- > 0) if (!socket.write(chunk)) return; socket.end(); };
   socket.on("connect", more).on("drain", more);`,
];

const must = async (host: Host, ...words: string[]) => {
  const { status, output } = await host.evenkeel(...words);
  assert.equal(status, 0, output);
};
const at = (address: IpAddress) => (isIpv4(address) ? `${address}:80` : `[${address}]:80`);

for (const [mode, vip, server] of [
  ["dr", VIP, REAL],
  ["dr", VIP6, REAL6],
  ["tun", VIP, REAL],
  ["tun", VIP6, REAL6],
  ["tun", VIP, REAL6],
  ["tun", VIP6, REAL],
] as const) {
  for (const mss of ["its own MSS", "the MSS of the service"] as const) {
    if (mode === "dr" && mss === "its own MSS") continue;
    test(`${MEGABYTES} MB flow to ${vip} on ${server} by ${mode} with ${mss}`, async () => {
      await using net = await lan();
      const { client, balancer, real } = net;
      await balancer.node.run("ip", "addr", "add", `${VIP6}/128`, "dev", "eth0", "nodad");
      const settings = mode === "dr" ? [] : mss === "its own MSS" ? ["--mss", "1400"] : ["--no-mss"];
      await must(real, "real", "--vip", vip, "--mode", mode, ...settings);
      await real.node.start(SINK).sees(/listening/);
      await must(balancer, "ipvsadm", "-A", "-t", at(vip), "-s", "rr");
      await must(balancer, "ipvsadm", "-a", "-t", at(vip), "-r", at(server), mode === "dr" ? "-g" : "-i");
      try {
        assert.equal(await client.node.run(...upload(vip)), String(MEGABYTES << 20));
        for (const host of [balancer, real]) {
          const { status, output } = await host.evenkeel("doctor");
          assert.equal(status, 0, output);
        }
        const counters = JSON.parse((await real.evenkeel("real", "--json")).output).counters;
        assert.equal(counters.decapsulated > 0, mode === "tun");
        assert.equal(counters.tunnelBroken, 0);
        assert.equal(counters.mssLowered > 0, mode === "tun" && mss === "its own MSS");
      } finally {
        await balancer.evenkeel("ipvsadm", "-C");
      }
    });
  }
}
