/**
 * Whether a busy machine is taken for a dead one: a master with adverts every 10 ms whose proxies and layer-4 director are
 * under full load, and a backup that waits for it to be silent for 33 ms.
 *
 *   npm run bench:timeliness -- [SECONDS [REALTIME]]
 *
 * The same with Debian's keepalived as the master beside the same load. A take-over is false: the master never stops. It is
 * the machine's own doing when a program in C that does nothing but wait was woken as late at that moment.
 * REALTIME is the vrrp_rt_priority of all routers, and of that program; 1 without. Prints one table, and how late evenkeel's adverts left. It
 * needs root.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { StatusReport } from "../src/daemon/supervisor/status.ts";
import { inOneLine } from "../src/daemon/vrrp/lateness.ts";
import { TestNetwork, type TestNode } from "../test/support/namespace.ts";
import { peerPath } from "../test/support/peers.ts";
import { until } from "../test/support/until.ts";
import { type Brand, EVENKEEL } from "../test/support/vrrp-pair.ts";
import { MachineStalls } from "./machine-stalls.ts";

const seconds = Number(process.argv[2] ?? 60);
if (!(seconds > 0 && seconds <= 600)) throw new Error("usage: timeliness [SECONDS, at most 600 [REALTIME]]");
/** The same for all: evenkeel's own choice; keepalived has none unless it is told. */
const realtime = process.argv[3] ?? "1";

const VIP = "10.9.0.100";
const folder = mkdtempSync(join(tmpdir(), "timeliness-"));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const vrrp = (priority: number) => `global_defs {
    vrrp_rt_priority ${realtime}
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority ${priority}
    version 3
    advert_int 0.01
    virtual_ipaddress {
        ${VIP}/24
    }
}
`;
const services = `virtual_server ${VIP} 9090 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.8.0.2 80 {
        weight 1
    }
}
`;
const proxy = file(
  "haproxy.cfg",
  `global
    nbthread 2
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend web
    bind *:8080
    default_backend servers
backend servers
    server s 10.8.0.2:80
`,
);
const server = file(
  "server.mjs",
  `import { createServer } from "node:http";
createServer((_, response) => response.end("hello\\n")).listen(80, "10.8.0.2", () => console.log("listening"));
`,
);

/** Two adverts missing, or nearly: whoever was so late at a processor stood still for long enough to be taken for dead. */
const LONG_STALL_MS = 15;
/** Between the stall and the line in the backup's log. */
const NEAR_MS = 150;
const LOOK_EVERY_MS = 20;
const TELL_EVERY_MS = 30_000;

const takeOvers = (output: string) => output.match(/Entering MASTER STATE/g)?.length ?? 0;

/** Requests a second, as wrk says. */
async function load(client: TestNode, port: number): Promise<number> {
  const argv = ["-t1", "-c32", `-d${seconds}s`, `http://${VIP}:${port}/`];
  const program = client.start([peerPath("wrk"), ...argv]);
  await program.exited;
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(program.output)?.[1] ?? Number.NaN);
}

async function measure(brand: Brand) {
  const network = new TestNetwork();
  try {
    const [a, b, client, origin] = [
      await network.node("a"),
      await network.node("b"),
      await network.node("client"),
      await network.node("origin"),
    ];
    await network.segment("lan", [
      { node: a, interface: "eth0", addresses: ["10.9.0.1/24"] },
      { node: b, interface: "eth0", addresses: ["10.9.0.2/24"] },
      { node: client, interface: "eth0", addresses: ["10.9.0.3/24"] },
    ]);
    await network.link(
      { node: a, interface: "eth1", addresses: ["10.8.0.1/24"] },
      { node: origin, interface: "eth0", addresses: ["10.8.0.2/24"] },
    );
    await origin.run("ip", "route", "add", "default", "via", "10.8.0.1");
    await a.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    await origin.start([process.execPath, server]).sees(/listening/);
    const socket = join(folder, `${brand}.sock`);
    const ours = file("a.conf", brand === "evenkeel" ? vrrp(200) + services : services);
    const master = a.start([EVENKEEL, "run", "-f", ours, "-f", proxy, "--socket", socket]);
    if (brand === "keepalived") {
      const pids = ["-p", join(folder, "pid"), "-r", join(folder, "vrrp.pid")];
      a.start([peerPath("keepalived"), "-n", "-l", "-P", "-f", file("k.conf", vrrp(200)), ...pids]);
    }
    await until(`${brand} is master`, async () => (await a.run("ip", "addr", "show", "dev", "eth0")).includes(VIP));
    const backup = b.start([EVENKEEL, "run", "-f", file("b.conf", vrrp(100)), "--socket", join(folder, "b.sock")]);
    await backup.sees(/Startup complete/);
    await sleep(1_000);
    const machine = await MachineStalls.watch(a, folder, realtime);
    let seen = takeOvers(backup.output);
    const falseOnes: number[] = [];
    const began = performance.now();
    let told = 0;
    const look = setInterval(() => {
      const now = takeOvers(backup.output);
      for (; seen < now; seen++) falseOnes.push(Date.now());
      const passed = Math.floor((performance.now() - began) / TELL_EVERY_MS);
      if (passed > told) {
        told = passed;
        const soFar = `${(passed * TELL_EVERY_MS) / 1_000} of ${seconds} s, ${falseOnes.length} false take-overs`;
        process.stderr.write(`${brand}: ${soFar}\n`);
      }
    }, LOOK_EVERY_MS);
    const rates = await Promise.all([load(client, 8080), load(client, 9090)]);
    await sleep(LOOK_EVERY_MS);
    clearInterval(look);
    const stalls = machine.longerThan(LONG_STALL_MS);
    const machines = falseOnes.filter((at) => stalls.some((stall) => Math.abs(stall.at - at) < NEAR_MS));
    const status = await a.run(EVENKEEL, "status", "--json", "--socket", socket);
    const report = JSON.parse(status) as StatusReport;
    if (process.env.BENCH_LOG !== undefined) process.stderr.write(`${master.output}\n${backup.output}\n`);
    const worstMs = Math.max(0, ...machine.longerThan(0).map(({ milliseconds }) => milliseconds));
    return {
      rates,
      falseOnes: falseOnes.length,
      machines: machines.length,
      control: { stalls: stalls.length, worstMs, stolenSeconds: machine.stolenSeconds() },
      timeliness: report.vrrp?.timeliness,
    };
  } finally {
    await network[Symbol.asyncDispose]();
  }
}

try {
  const ours = await measure("evenkeel");
  const theirs = await measure("keepalived");
  console.log(`adverts every 10 ms, ${seconds} s of load on the master's machine`);
  console.log(
    `| master | false take-overs | of them while the machine stood still | stalls of ${LONG_STALL_MS} ms | longest, ms | stolen, s | proxy, requests/s | layer 4, requests/s |`,
  );
  console.log("|---|---|---|---|---|---|---|---|");
  for (const [name, one] of [["evenkeel", ours] as const, ["keepalived", theirs] as const]) {
    const { stalls, worstMs, stolenSeconds } = one.control;
    const machine = [stalls, worstMs.toFixed(1), stolenSeconds.toFixed(1)];
    const cells = [name, one.falseOnes, one.machines, ...machine, ...one.rates.map((rate) => Math.round(rate))];
    console.log(`| ${cells.join(" | ")} |`);
  }
  if (ours.timeliness !== undefined) {
    const { adverts } = ours.timeliness;
    console.log(`\nevenkeel's adverts: ${adverts.count}, ${inOneLine(adverts)}`);
    console.log("| at most ms late | adverts |");
    console.log("|---|---|");
    for (const { atMostMilliseconds, count } of adverts.buckets)
      if (count > 0) console.log(`| ${atMostMilliseconds ?? "more"} | ${count} |`);
  }
  process.exitCode = ours.falseOnes === ours.machines ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
