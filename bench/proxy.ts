/**
 * What a request costs: the proxy beside Debian's haproxy, from the same haproxy.cfg, in the same run on the same machine.
 *
 *   npm run bench:proxy -- [ROUNDS]
 *
 * One process of each, alone on one processor; nginx and wrk share another. Both are asked in turns, a second each; a row is
 * the median of its rounds. Costs are processor time (user and system) of all processes of the proxy, divided by the requests
 * that wrk counted: they say more than requests a second, which depend on who else is busy. Runs in a network of its own, over its loopback interface.
 */

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { peerPath } from "../test/support/peers.ts";
import { EVENKEEL, tree } from "../test/support/vrrp-pair.ts";

const [argument, inside] = process.argv.slice(2);
const rounds = Number(argument ?? 3);
/** Of one measurement. */
const SECONDS = 1;
if (inside === undefined) process.exit(inOwnNetwork());

interface Case {
  readonly name: string;
  readonly path: string;
  readonly connections: number;
  readonly fields?: string;
}

const CASES: readonly Case[] = [
  { name: "100 B, keep-alive", path: "/100", connections: 32 },
  { name: "1 kB, keep-alive", path: "/1k", connections: 32 },
  { name: "1 kB, cookie brought back", path: "/1k", connections: 32, fields: "Cookie: SRV=s1" },
  { name: "1 MB", path: "/1m", connections: 16 },
  { name: "100 B, a connection each", path: "/100", connections: 32, fields: "Connection: close" },
];

interface Brand {
  readonly name: string;
  readonly port: number;
  start(configuration: string): ChildProcess;
}

const BRANDS: readonly Brand[] = [
  {
    name: "evenkeel",
    port: 8001,
    start: (file) => onProcessor(0, EVENKEEL, "run", "-f", file, "--socket", `${file}.sock`),
  },
  { name: "haproxy", port: 8002, start: (file) => onProcessor(0, peerPath("haproxy"), "-db", "-f", file) },
];

const configuration = (port: number): string => `global
  maxconn 2000
  nbthread 1
defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 20s
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  balance roundrobin
  cookie SRV insert indirect nocache
  server s1 127.0.0.1:8081 cookie s1
  server s2 127.0.0.1:8082 cookie s2
`;

interface Sample {
  readonly requests: number;
  readonly cpuMicroseconds: number;
  readonly p99: string;
}

await measureAll();

async function measureAll(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench."));
  const running: ChildProcess[] = [];
  try {
    running.push(startNginx(folder));
    for (const { name, port, start } of BRANDS) {
      const file = join(folder, `${name}.cfg`);
      writeFileSync(file, configuration(port));
      running.push(start(file));
      await accepts(port);
    }
    console.log(row(["", ...BRANDS.map(({ name }) => `${name} µs`), "ratio", ...BRANDS.flatMap(perSecondTitles)]));
    console.log(row(Array(3 + 2 * BRANDS.length + 1).fill("---")));
    for (const one of CASES) {
      const samples = new Map<Brand, Sample[]>(BRANDS.map((brand) => [brand, []]));
      for (let round = 0; round <= rounds; round++) {
        for (const [index, brand] of BRANDS.entries()) {
          const sample = measure(one, brand.port, running[index + 1]?.pid ?? 0);
          // The first is for warming up.
          if (round > 0) samples.get(brand)?.push(sample);
        }
      }
      const results = BRANDS.map((brand) => median(samples.get(brand) ?? []));
      const [ours = Number.NaN, theirs = Number.NaN] = results.map(costOf);
      const rates = results.flatMap(({ requests, p99 }) => [String(Math.round(requests / SECONDS)), p99]);
      console.log(row([one.name, ours.toFixed(1), theirs.toFixed(1), (ours / theirs).toFixed(2), ...rates]));
    }
  } finally {
    for (const child of running.reverse()) await ended(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

function perSecondTitles({ name }: Brand): string[] {
  return [`${name} requests/s`, "p99"];
}

function costOf({ cpuMicroseconds, requests }: Sample): number {
  return cpuMicroseconds / requests;
}

function median(samples: readonly Sample[]): Sample {
  const found = [...samples].sort((a, b) => costOf(a) - costOf(b))[Math.floor(samples.length / 2)];
  if (found === undefined) throw new Error("nothing was measured");
  return found;
}

function measure({ path, connections, fields }: Case, port: number, pid: number): Sample {
  const before = cpuMicroseconds(pid);
  const header = fields === undefined ? [] : ["-H", fields];
  const url = `http://127.0.0.1:${port}${path}`;
  const limits = ["-t", "1", "-c", String(connections), "-d", `${SECONDS}s`, "--latency"];
  const text = execFileSync("taskset", ["-c", "1", peerPath("wrk"), ...limits, ...header, url], { encoding: "utf8" });
  const problem = /Socket errors: .*|Non-2xx.*/.exec(text)?.[0];
  if (problem !== undefined) console.error(`${url}: ${problem}`);
  return {
    requests: Number(/(\d+) requests in/.exec(text)?.[1] ?? 0),
    cpuMicroseconds: cpuMicroseconds(pid) - before,
    p99: /^\s+99%\s+(\S+)/m.exec(text)?.[1] ?? "",
  };
}

/** User and system time of a process and all under it; a tick is 10 ms, proc(5). */
function cpuMicroseconds(pid: number): number {
  const ticks = tree(pid).map((one) => {
    const fields = readFileSync(`/proc/${one}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  return 10_000 * ticks.reduce((sum, one) => sum + one, 0);
}

function startNginx(folder: string): ChildProcess {
  const files = join(folder, "files");
  mkdirSync(files);
  for (const [name, size] of Object.entries({ 100: 100, "1k": 1024, "1m": 2 ** 20 })) {
    writeFileSync(join(files, name), "x".repeat(size));
  }
  chmodSync(folder, 0o755);
  const server = (port: number) => `server { listen 127.0.0.1:${port} backlog=1024; root ${files}; }`;
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http { access_log off; sendfile on; open_file_cache max=10; keepalive_requests 100000000; keepalive_timeout 60s;
  client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  ${server(8081)} ${server(8082)} }`,
  );
  return onProcessor(1, peerPath("nginx"), "-p", folder, "-c", "nginx.conf", "-e", "stderr");
}

/** `taskset` becomes the program: the process keeps its id. */
function onProcessor(processor: number, ...argv: string[]): ChildProcess {
  return spawn("taskset", ["-c", String(processor), ...argv], { stdio: ["ignore", "ignore", "inherit"] });
}

async function accepts(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const socket = connect(port, "127.0.0.1");
    const up = await new Promise<boolean>((resolve) => {
      socket.on("connect", () => resolve(true));
      socket.on("error", () => resolve(false));
    });
    socket.destroy();
    if (up) return;
    await sleep(50);
  }
  throw new Error(`nobody accepts on port ${port}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.on("exit", resolve));
  child.kill("SIGTERM");
  const kill = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await exit;
  clearTimeout(kill);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** The exit status of this program in a network namespace of its own, as root of a user namespace where it must be. */
function inOwnNetwork(): number {
  const script = fileURLToPath(import.meta.url);
  const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const command = 'ip link set lo up && exec "$0" "$@"';
  const argv = [...user, "--net", "sh", "-c", command, process.execPath, script, String(rounds), "inside"];
  return spawnSync("unshare", argv, { stdio: "inherit" }).status ?? 1;
}
