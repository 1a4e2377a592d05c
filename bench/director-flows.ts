/**
 * One TCP flow through the director by each way, and what HAProxy in tcp mode pays for a connection.
 *
 * iperf3's client has one processor and its server the other; what forwards works on both. With DR and TUN the server, made one
 * by `evenkeel real`, answers over a cable of its own. HAProxy passes bytes between two connections.
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openPlane } from "../src/daemon/plane/open.ts";
import type { ForwardMethod } from "../src/director/plane.ts";
import type { TestNode } from "../test/support/namespace.ts";
import { peerPath } from "../test/support/peers.ts";
import { ADDRESSES, BPFFS, type DirectorNetwork, SERVER, SERVICE, VIP } from "./director-network.ts";

const EVENKEEL = fileURLToPath(new URL("../bin/evenkeel", import.meta.url));
const FLOW_PORT = 5201;
const WEB_PORT = 8000;
const SECONDS = 2;
/** The server's answers to the VIP's clients, past the director. */
const BACK = { client: "10.3.0.2", server: "10.3.0.1", table: "100" } as const;

interface Passage {
  readonly name: string;
  /** Undoes it. */
  readonly open: (stage: Stage) => Promise<() => Promise<void> | void>;
  readonly target: string;
}

const PASSAGES: readonly Passage[] = [
  { name: "plain forwarding", open: async () => () => {}, target: ADDRESSES.server },
  { name: "nft DNAT", open: (stage) => stage.dnat(), target: VIP },
  { name: "NAT", open: (stage) => stage.balance("nat"), target: VIP },
  { name: "DR", open: (stage) => stage.balance("dr"), target: VIP },
  { name: "TUN", open: (stage) => stage.balance("tun"), target: VIP },
  { name: "haproxy, tcp mode", open: (stage) => stage.haproxy(), target: VIP },
];

/** Gigabits a second by way: the samples of all rounds, the first for warming up left out. */
export async function flowThroughput(network: DirectorNetwork, rounds: number): Promise<ReadonlyMap<string, number[]>> {
  await using stage = await Stage.set(network);
  const samples = new Map<string, number[]>();
  for (let round = 0; round <= rounds; round++) {
    for (const { name, open, target } of PASSAGES) {
      const close = await open(stage);
      const rate = stage.flow(target);
      await close();
      process.stderr.write(`round ${round}: ${name}: ${rate.toFixed(1)} Gbit/s\n`);
      if (round > 0) samples.set(name, [...(samples.get(name) ?? []), rate]);
    }
  }
  return samples;
}

/** Microseconds of HAProxy's processor time a connection, for each round. */
export async function haproxyConnections(network: DirectorNetwork, rounds: number): Promise<readonly number[]> {
  await using stage = await Stage.set(network);
  const close = await stage.haproxy();
  try {
    return Array.from({ length: rounds + 1 }, () => stage.connections()).slice(1);
  } finally {
    await close();
  }
}

class Stage implements AsyncDisposable {
  readonly #network: DirectorNetwork;
  readonly #folder = mkdtempSync(join(tmpdir(), "evenkeel-bench."));
  readonly #running: ChildProcess[] = [];
  #haproxy = 0;

  private constructor(network: DirectorNetwork) {
    this.#network = network;
  }

  static async set(network: DirectorNetwork): Promise<Stage> {
    const stage = new Stage(network);
    const { client, server } = network;
    await network.back(BACK.client, BACK.server);
    await server.run("ip", "rule", "add", "from", VIP, "lookup", BACK.table);
    await server.run("ip", "route", "add", "default", "via", BACK.client, "table", BACK.table);
    await client.run(peerPath("sysctl"), "-qw", "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1");
    stage.#start(server, 1, peerPath("iperf3"), "-s", "-p", String(FLOW_PORT));
    stage.#startNginx();
    await sleep(500);
    return stage;
  }

  async dnat(): Promise<() => void> {
    return this.#network.translate(FLOW_PORT);
  }

  async balance(method: ForwardMethod): Promise<() => void> {
    const { director } = this.#network;
    const plane = director.within(() => openPlane({ role: "command", directory: BPFFS }));
    director.within(() => {
      const key = { kind: "address", protocol: "tcp", address: VIP, port: FLOW_PORT } as const;
      plane.addService(key, SERVICE);
      plane.addServer(key, { address: ADDRESSES.server, port: FLOW_PORT }, { ...SERVER, method });
    });
    if (method !== "nat") this.#real("--vip", VIP, "--mode", method);
    return () => {
      if (method !== "nat") this.#real("--undo");
      director.within(() => {
        plane.clear();
        plane.close();
      });
    };
  }

  async haproxy(): Promise<() => Promise<void>> {
    const { director } = this.#network;
    const file = join(this.#folder, "haproxy.cfg");
    const proxies = [FLOW_PORT, WEB_PORT].map(
      (port) => `listen p${port}\n  bind ${VIP}:${port}\n  server s ${ADDRESSES.server}:${port}\n`,
    );
    const common = "  mode tcp\n  timeout connect 2s\n  timeout client 20s\n  timeout server 20s\n";
    writeFileSync(file, `global\n  maxconn 2000\n  nbthread 1\ndefaults\n${common}${proxies.join("")}`);
    await director.run("ip", "address", "add", `${VIP}/32`, "dev", "lo");
    const child = this.#start(director, undefined, peerPath("haproxy"), "-db", "-f", file);
    this.#haproxy = child.pid ?? 0;
    await sleep(500);
    return async () => {
      await ended(child);
      await director.run("ip", "address", "del", `${VIP}/32`, "dev", "lo");
    };
  }

  /** Gigabits a second, as received. */
  flow(target: string): number {
    const parameters = ["-c", target, "-p", String(FLOW_PORT), "-t", String(SECONDS), "-J"];
    const text = this.#ask(0, peerPath("iperf3"), ...parameters);
    return JSON.parse(text).end.sum_received.bits_per_second / 1e9;
  }

  /** Microseconds of processor time of HAProxy for each connection that wrk made. */
  connections(): number {
    const before = processorMicroseconds(this.#haproxy);
    const url = `http://${VIP}:${WEB_PORT}/100`;
    const parameters = ["-t", "1", "-c", "32", "-d", `${SECONDS}s`, "-H", "Connection: close", url];
    const text = this.#ask(0, peerPath("wrk"), ...parameters);
    const made = Number(/(\d+) requests in/.exec(text)?.[1] ?? Number.NaN);
    return (processorMicroseconds(this.#haproxy) - before) / made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) await ended(child);
    await this.#network.noBack();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #real(...words: string[]): void {
    const entry = ["--net=/run/netns/".concat(this.#network.server.name), EVENKEEL, "real", ...words];
    execFileSync("nsenter", entry, { stdio: ["ignore", "ignore", "inherit"] });
  }

  #ask(processor: number, ...argv: string[]): string {
    const entry = ["netns", "exec", this.#network.client.name, "taskset", "-c", String(processor), ...argv];
    return execFileSync("ip", entry, { encoding: "utf8" });
  }

  /** `ip` and `taskset` become the program: the process keeps its id. */
  #start(node: TestNode, processor: number | undefined, ...argv: string[]): ChildProcess {
    const pinned = ["taskset", "-c", processor === undefined ? "0,1" : String(processor), ...argv];
    const child = spawn("ip", ["netns", "exec", node.name, ...pinned], { stdio: ["ignore", "ignore", "inherit"] });
    this.#running.push(child);
    return child;
  }

  #startNginx(): void {
    const files = join(this.#folder, "files");
    mkdirSync(files);
    writeFileSync(join(files, "100"), "x".repeat(100));
    chmodSync(this.#folder, 0o755);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${this.#folder}/${name};`,
    );
    const http = `access_log off; open_file_cache max=10; ${temporary.join(" ")}
      server { listen ${ADDRESSES.server}:${WEB_PORT} backlog=1024; root ${files}; }`;
    const file = join(this.#folder, "nginx.conf");
    const process = `daemon off; master_process off; pid ${this.#folder}/nginx.pid; error_log stderr crit;`;
    writeFileSync(file, `${process} events { worker_connections 4096; } http { ${http} }`);
    this.#start(this.#network.server, 0, peerPath("nginx"), "-p", this.#folder, "-c", file, "-e", "stderr");
  }
}

/** User and system time; a tick is 10 ms, proc(5). */
function processorMicroseconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return 10_000 * (Number(fields[11]) + Number(fields[12]));
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.on("exit", resolve));
  child.kill("SIGTERM");
  const kill = setTimeout(() => child.kill("SIGKILL"), 3_000);
  await exit;
  clearTimeout(kill);
}
