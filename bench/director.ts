/**
 * What a packet and a new connection cost at layer 4: evenkeel's data plane beside plain kernel forwarding, nft DNAT and
 * HAProxy in tcp mode, in the same run on the same machine.
 *
 *   npm run bench:director -- [ROUNDS] [all|packets|flows|tables|guest]    ONLY=REGEXP: packets of ways with such a name
 *
 * Packets are made inside the kernel (bench/traffic.bpf.c) on the director's client side and dropped by the server's
 * interface; one processor does all of it. A figure is the time that the sending thread used, softirqs included, less what
 * making a packet costs, so it holds everything from the receiving interface to the far end of the cable. Ways take turns; a
 * row is the median of its rounds. HAProxy moves bytes, not packets: it is compared by new connections and by the
 * throughput of one flow (director-flows.ts). Needs root.
 */

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import type { ForwardMethod } from "../src/director/plane.ts";
import { flowThroughput, haproxyConnections } from "./director-flows.ts";
import { BPFFS, DirectorNetwork, type Way } from "./director-network.ts";
import { tableTimes } from "./director-tables.ts";

const [argument = "5", part = "all", inside] = process.argv.slice(2);
const rounds = Number(argument);
if (inside === undefined) process.exit(inOwnWorld());

/** Of one measurement. */
const CONNECTIONS = 16_384;

interface Case {
  readonly name: string;
  /** Addresses that packets go to in turn. */
  readonly servers: number;
  /** Established beside those of the measurement. */
  readonly connections: number;
  readonly prepare: (network: DirectorNetwork) => Way;
  readonly directions: readonly ("request" | "reply")[];
}

const ours = (method: ForwardMethod, servers: number, services = 1, connections = 0): Case => ({
  name: `${method.toUpperCase()}, ${servers} servers${services > 1 ? `, ${services} services` : ""}${connections > 0 ? ", a million connections" : ""}`,
  servers,
  connections,
  prepare: (network) => network.balance(method, { servers, services, connections }),
  // With DR and TUN the servers answer past the director.
  directions: method === "nat" ? ["request", "reply"] : ["request"],
});

const plain = (targets: number) => `plain forwarding to ${targets} address${targets > 1 ? "es" : ""}`;
const BOTH = ["request", "reply"] as const;
const CASES: readonly Case[] = [
  ...[1, 2, 64, 1_000].map((targets) => ({
    name: plain(targets),
    servers: targets,
    connections: 0,
    prepare: (network: DirectorNetwork) => network.forward(targets),
    directions: BOTH,
  })),
  { name: "nft DNAT", servers: 1, connections: 0, prepare: (network) => network.dnat(), directions: BOTH },
  ...(["dr", "nat", "tun"] as const).flatMap((method) => [
    ours(method, 2),
    ours(method, 64),
    ours(method, 1_000),
    ours(method, 2, 1_000),
    ours(method, 2, 1, 1_000_000),
  ]),
];

/** In a guest whose kernel has IPVS: bench/director-guest. */
const GUEST_CASES: readonly Case[] = [
  ...CASES.filter(({ name }) => name === plain(64)),
  ...(["dr", "nat", "tun"] as const).flatMap((method) => [
    {
      name: `IPVS ${method.toUpperCase()}, 64 servers`,
      servers: 64,
      connections: 0,
      prepare: (network: DirectorNetwork) => network.ipvs(method, 64),
      directions: ["request"] as const,
    },
    ours(method, 64),
  ]),
];

await using network = await DirectorNetwork.make();
console.log(`${cpus()[0]?.model ?? "?"}, Linux ${release()}, Node ${process.version}, ${rounds} rounds\n`);
if (part === "all" || part === "packets") packetCosts(CASES, 262_144);
// There all is many times slower.
if (part === "guest") packetCosts(GUEST_CASES, 8_192);
if (part === "all" || part === "flows") {
  const flows = await flowThroughput(network, rounds);
  const forwarded = median(flows.get("plain forwarding") ?? []);
  console.log("\n| way | Gbit/s of one flow | of plain forwarding |\n| --- | --- | --- |");
  for (const [name, rates] of flows) {
    console.log(`| ${name} | ${median(rates).toFixed(1)} | ${(median(rates) / forwarded).toFixed(2)} |`);
  }
  const cost = median(await haproxyConnections(network, rounds));
  console.log(`\nhaproxy, tcp mode: ${Math.round(1_000 * cost)} ns a new connection`);
}
if (part === "all" || part === "tables") {
  const { all, one, afterAnother } = tableTimes(network, BPFFS);
  const seconds = (all / 1_000).toFixed(2);
  console.log(`\n1,000 services with 10 servers each: ${seconds} s; one server: ${one.toFixed(1)} ms,`);
  console.log(`after another process changed something: ${afterAnother.toFixed(1)} ms`);
}

function packetCosts(all: readonly Case[], packets: number): void {
  const samples = new Map<string, number[]>();
  const cases = all.filter(({ name }) => new RegExp(process.env.ONLY ?? "").test(name));
  // The first round is for warming up.
  for (let round = 0; round <= rounds; round++) {
    for (const one of cases) {
      using way = one.prepare(network);
      for (const direction of one.directions) {
        const name = nameOf(one, direction);
        const cost = way.packets(packets, direction);
        process.stderr.write(`round ${round}: ${name}: ${Math.round(cost)} ns\n`);
        if (round > 0) samples.set(name, [...(samples.get(name) ?? []), cost]);
      }
      if (!one.name.startsWith("plain") && one.servers === 2 && one.connections === 0) {
        const cost = way.connections(CONNECTIONS);
        if (round > 0)
          samples.set(`${one.name}: connection`, [...(samples.get(`${one.name}: connection`) ?? []), cost]);
      }
    }
  }
  const cost = (name: string) => median(samples.get(name) ?? [Number.NaN]);
  console.log("| way | ns a packet | of plain forwarding | to as many addresses |\n| --- | --- | --- | --- |");
  for (const one of cases) {
    for (const direction of one.directions) {
      const ns = cost(nameOf(one, direction));
      // Answers go to the one client.
      const like = direction === "request" ? plain(one.servers) : `${plain(one.servers)}: answers`;
      const ratios = [plain(1), like].map((name) => (ns / cost(name)).toFixed(2));
      console.log(`| ${[nameOf(one, direction), Math.round(ns), ...ratios].join(" | ")} |`);
    }
  }
  for (const { name } of cases) {
    const ns = cost(`${name}: connection`);
    if (!Number.isNaN(ns)) console.log(`${name}: ${Math.round(ns)} ns a new connection (four packets)`);
  }
}

function nameOf({ name, directions }: Case, direction: "request" | "reply"): string {
  return directions.length > 1 && direction === "reply" ? `${name}: answers` : name;
}

function median(values: readonly number[]): number {
  const middle = [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  if (middle === undefined) throw new Error("nothing was measured");
  return middle;
}

/** The exit status of this program in namespaces of its own, on one processor. */
function inOwnWorld(): number {
  const script = fileURLToPath(import.meta.url);
  const command = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec taskset -c $(($(nproc) - 1)) "$0" "$@"';
  const argv = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", command];
  const parameters = [process.execPath, script, argument, part, "inside"];
  // Statistics of BPF programs, which somebody may have switched on, cost each packet two looks at the clock.
  const statistics = "/proc/sys/kernel/bpf_stats_enabled";
  const before = readFileSync(statistics, "utf8");
  writeFileSync(statistics, "0");
  try {
    return spawnSync("unshare", [...argv, ...parameters], { stdio: "inherit" }).status ?? 1;
  } finally {
    writeFileSync(statistics, before);
  }
}
