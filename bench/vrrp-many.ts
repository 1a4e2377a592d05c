/**
 * What 255 virtual routers cost on one machine: evenkeel beside Debian's keepalived, both master of all of them with
 * adverts every second, at the same time on networks of their own.
 *
 *   npm run bench:vrrp-many -- [SECONDS [INSTANCES]]
 *
 * Prints one table: processor seconds a minute, and memory (PSS). It needs root.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TestNetwork } from "../test/support/namespace.ts";
import { peerPath } from "../test/support/peers.ts";
import { until } from "../test/support/until.ts";
import { EVENKEEL } from "../test/support/vrrp-pair.ts";
import { type Cost, costOf } from "./process-cost.ts";

const seconds = Number(process.argv[2] ?? 60);
const instances = Number(process.argv[3] ?? 255);
if (!(seconds > 0 && seconds <= 3600 && instances >= 1 && instances <= 255))
  throw new Error("usage: vrrp-many [SECONDS [INSTANCES, at most 255]]");

const configuration = Array.from({ length: instances }, (_, index) => {
  const vrid = index + 1;
  return `vrrp_instance VI_${vrid} {
    interface eth0
    virtual_router_id ${vrid}
    priority 200
    garp_master_repeat 1
    garp_master_delay 0
    virtual_ipaddress {
        10.9.1.${vrid % 256}/16
    }
}
`;
}).join("");

const folder = mkdtempSync(join(tmpdir(), "vrrp-many-"));
const file = join(folder, "keepalived.conf");
writeFileSync(file, configuration);
const network = new TestNetwork();

async function start(brand: string, argv: readonly string[]) {
  const [node, far] = [await network.node(brand), await network.node(`far-${brand}`)];
  await network.link({ node, interface: "eth0", addresses: ["10.9.0.1/16"] }, { node: far, interface: "eth0" });
  const program = node.start(argv);
  const held = async () => {
    const [link] = await node.ipJson("-4", "addr", "show", "dev", "eth0");
    return (link.addr_info as unknown[]).length - 1;
  };
  await until(`${brand} is master of all`, async () => (await held()) === instances, 60_000);
  return program;
}

try {
  const ours = await start("evenkeel", [EVENKEEL, "run", "-f", file, "--socket", join(folder, "control.sock")]);
  const pids = ["-p", join(folder, "pid"), "-r", join(folder, "vrrp.pid")];
  const theirs = await start("keepalived", [peerPath("keepalived"), "-n", "-l", "-P", "-f", file, ...pids]);
  const isVrrp = (line: string) => line.includes("vrrp/main.ts");
  const measured = [
    { name: "keepalived", cost: () => costOf(theirs.pid) },
    { name: "evenkeel, all processes", cost: () => costOf(ours.pid) },
    { name: "evenkeel, vrrp process", cost: () => costOf(ours.pid, isVrrp) },
  ];
  // What the start itself took is over by then.
  await sleep(5_000);
  const before = measured.map(({ cost }) => cost());
  await sleep(seconds * 1_000);
  const after = measured.map(({ cost }) => cost());
  const perMinute = (index: number) =>
    (((after[index] as Cost).cpuSeconds - (before[index] as Cost).cpuSeconds) * 60) / seconds;
  console.log(`${instances} instances, master, adverts every second, ${seconds} s`);
  console.log("| | CPU seconds a minute | to keepalived | PSS MB |");
  console.log("|---|---|---|---|");
  for (const [index, { name }] of measured.entries()) {
    const ratio = (perMinute(index) / perMinute(0)).toFixed(2);
    console.log(
      `| ${name} | ${perMinute(index).toFixed(2)} | ${ratio} | ${(after[index] as Cost).pssMegabytes.toFixed(1)} |`,
    );
  }
} finally {
  await network[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}
