/** Statistics over all proxies and all their generations, privileges, logs and what the daemon holds on to. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TestNetwork } from "../support/namespace.ts";
import { ProxyDaemon } from "../support/proxy-daemon.ts";
import { EVENKEEL } from "../support/vrrp-pair.ts";
import {
  bodyOf,
  Client,
  get,
  named,
  once,
  refusingPort,
  response,
  type ServedRequest,
  startServer,
  until,
} from "./proxy-support.ts";

const web = (port: number, server: number, { global = "", defaults = "", more = "" } = {}) => `global
${global}defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 20s
${defaults}frontend web
  bind 127.0.0.1:${port}
  stats enable
  stats uri /stats
  default_backend app
backend app
  server s1 127.0.0.1:${server}
${more}`;

/** Column `name` of a row of `;csv`. */
function cell(csv: string, row: string, name: string): string {
  const [head = "", ...rows] = csv.split("\n").map((line) => line.split(","));
  const found = rows.find(([proxy, service]) => `${proxy}/${service}` === row);
  return found?.[(head as string[]).findIndex((title) => title.replace("# ", "") === name)] ?? assert.fail(csv);
}

async function csvOf(t: TestContext, port: number): Promise<string> {
  return bodyOf(await once(t, port, get("/stats;csv")));
}

/** Whom the processes of a test's daemon may become depends on the world that the tests run in. */
const mayChangeUser = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/)[2] !== "1";

test("the page, the CSV and the status of either of two proxies show the sum of both", async (t) => {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  const daemon = await ProxyDaemon.start(t, web(port, app.port, { global: "  nbthread 2\n  maxconn 100\n" }));
  const pids = await daemon.proxies();
  assert.equal(pids.length, 2);
  const served = new Map(pids.map((pid) => [pid, 0]));
  const holds = (pid: number, client: Client) =>
    sockets(pid).some((one) =>
      one.endsWith(`:${client.socket.localPort?.toString(16).toUpperCase().padStart(4, "0")}`),
    );
  let requests = 0;
  // Until both have had some: which process accepts is the kernel's choice.
  await until("both have served", async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => Client.connect(t, port)));
    for (const client of clients) {
      await client.ask(get());
      requests++;
      for (const pid of pids) if (holds(pid, client)) served.set(pid, (served.get(pid) ?? 0) + 1);
    }
    for (const client of clients) client.socket.destroy();
    return [...served.values()].every((count) => count > 0);
  });
  for (let pages = 0; pages < 4; pages++) {
    const csv = await csvOf(t, port);
    assert.equal(cell(csv, "app/s1", "stot"), String(requests));
    assert.equal(cell(csv, "app/BACKEND", "hrsp_2xx"), String(requests));
    assert.equal(cell(csv, "web/FRONTEND", "req_tot"), String(requests + pages + 1));
    assert.equal(cell(csv, "web/FRONTEND", "slim"), "100");
  }
  const page = bodyOf(await once(t, port, get("/stats")));
  assert.ok(page.includes(`>${requests}<`), "the page has the figure too");
  const { proxy } = await daemon.status();
  assert.equal(proxy?.backends[0]?.servers[0]?.stot, requests);
  assert.deepEqual(proxy?.pids.toSorted(), pids.toSorted());
});

/** Remote ends of the TCP connections of a process, as /proc/net/tcp writes them. */
function sockets(pid: number): string[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => /socket:\[(\d+)\]/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? []),
  );
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => inodes.has(fields[9] ?? ""))
    .map((fields) => fields[2] ?? "");
}

test("counters go on through reloads and deaths, for as long as their names are configured", async (t) => {
  const app = await startServer(t, named("s1"));
  const [port, extra] = [await refusingPort(), await refusingPort()];
  const more = `frontend more\n  bind 127.0.0.1:${extra}\n  default_backend app\n`;
  const daemon = await ProxyDaemon.start(t, web(port, app.port, { more }));
  const server = async () => (await daemon.status()).proxy?.backends[0]?.servers[0];
  for (let i = 0; i < 3; i++) await once(t, port);
  await once(t, extra);
  const holder = await Client.connect(t, port);
  await holder.ask(get());
  assert.equal((await server())?.stot, 5);

  // The replaced process still has a client, who asks once more.
  assert.equal((await daemon.reload(web(port, app.port))).result, "applied");
  assert.equal((await server())?.stot, 5);
  await holder.ask(get());
  assert.equal((await server())?.stot, 6);
  holder.socket.destroy();
  await until("it is gone", async () => !(await daemon.status()).processes.some((one) => one.retiring));
  await once(t, port);
  const after = (await daemon.status()).proxy;
  assert.equal(after?.backends[0]?.servers[0]?.stot, 7);
  assert.equal(after?.currConns, 0);
  assert.deepEqual(
    after?.frontends.map((one) => one.name),
    ["web"],
    "what is not configured is not shown",
  );
  assert.equal(after?.frontends[0]?.scur, 0);
  assert.equal(after?.frontends[0]?.status, "OPEN");
  assert.equal(after?.frontends[0]?.slim, after?.maxconn, "limits of the dead do not count");

  // What was shown before a death is not taken back.
  process.kill(await daemon.pidOf("proxy 1"), "SIGKILL");
  await daemon.program.sees(/starting again/);
  await once(t, port);
  assert.equal((await server())?.stot, 8);

  await daemon.reload(web(port, app.port, { more }));
  const names = (await daemon.status()).proxy?.frontends.map((one) => [one.name, one.stot]);
  assert.deepEqual(
    names,
    [
      ["web", 6],
      ["more", 0],
    ],
    "a name that comes back begins again",
  );
});

test("a proxy is an unprivileged user without capabilities when it accepts", {
  skip: !mayChangeUser && "one user only",
}, async (t) => {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  const stateOf = (pid: number) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1]?.split(/\s+/) ?? [];
    return {
      uid: field("Uid"),
      gid: field("Gid"),
      groups: field("Groups").filter(Boolean),
      cap: field("CapEff")[0],
      prm: field("CapPrm")[0],
      new: field("NoNewPrivs")[0],
    };
  };
  const four = (id: string) => [id, id, id, id];
  const none = { groups: [], cap: "0000000000000000", prm: "0000000000000000", new: "1" };
  const daemon = await ProxyDaemon.start(t, web(port, app.port));
  const nobody = /^nobody:[^:]*:(\d+):(\d+)/m.exec(readFileSync("/etc/passwd", "utf8")) ?? [];
  const [pid = 0] = await daemon.proxies();
  assert.deepEqual(stateOf(pid), { uid: four(nobody[1] ?? ""), gid: four(nobody[2] ?? ""), ...none });
  await daemon.reload(web(port, app.port, { global: "  user daemon\n  group games\n" }));
  const [other = 0] = await daemon.proxies();
  const daemonUser = /^daemon:[^:]*:(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"))?.[1] ?? "";
  const games = /^games:[^:]*:(\d+):/m.exec(readFileSync("/etc/group", "utf8"))?.[1] ?? "";
  assert.deepEqual(stateOf(other), { uid: four(daemonUser), gid: four(games), ...none });
  assert.equal(bodyOf(await once(t, port)), "s1");
});

test("twenty reloads leave the supervisor with the descriptors that it had, and no larger", async (t) => {
  const app = await startServer(t, named("s1"));
  const [port, extra] = [await refusingPort(), await refusingPort()];
  const daemon = await ProxyDaemon.start(t, web(port, app.port));
  const more = `frontend more\n  bind 127.0.0.1:${extra}\n  default_backend app\n`;
  const round = async (generation: number) => {
    const defaults = `  timeout queue ${generation + 1}s\n`;
    assert.deepEqual(await daemon.reload(web(port, app.port, { defaults, more: generation % 2 === 0 ? more : "" })), {
      result: "applied",
      diagnostics: [],
    });
  };
  const settled = () =>
    until("nobody retires", async () => !(await daemon.status()).processes.some((one) => one.retiring));
  for (let generation = 0; generation < 4; generation++) await round(generation);
  await settled();
  // The connection that asked for the status may be open for a moment yet.
  let last = "";
  const before = await until("the supervisor's descriptors come to rest", () => {
    const now = descriptors(daemon.program.pid);
    const rests = JSON.stringify(now) === last;
    last = JSON.stringify(now);
    return rests && now;
  });
  const memory = residentKilobytes(daemon.program.pid);
  for (let generation = 4; generation < 24; generation++) await round(generation);
  await settled();
  await until("nothing is open that was not before", () => JSON.stringify(descriptors(daemon.program.pid)) === last);
  assert.deepEqual(descriptors(daemon.program.pid), before);
  assert.ok(residentKilobytes(daemon.program.pid) < memory + 40_000, "20 reloads do not cost 40 MB");
});

test("two thousand connections leave no descriptor in a proxy", async (t) => {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  // Without a pool of idle server connections, whose size depends on the load.
  const daemon = await ProxyDaemon.start(t, web(port, app.port, { defaults: "  http-reuse never\n" }));
  const [pid = 0] = await daemon.proxies();
  await once(t, port);
  await until("quiet", () => sockets(pid).length === 1);
  const before = descriptors(pid);
  for (let batch = 0; batch < 20; batch++) {
    const clients = await Promise.all(Array.from({ length: 100 }, () => Client.connect(t, port)));
    if (batch % 4 === 0) await Promise.all(clients.slice(0, 20).map((client) => client.ask(get())));
    for (const client of clients) client.socket.destroy();
  }
  await until("all are gone", () => sockets(pid).length === 1);
  assert.deepEqual(descriptors(pid), before);
  assert.equal((await daemon.status()).proxy?.frontends[0]?.connTot, 2001);
});

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
};
/** What the descriptors of a process are, without numbers. */
const descriptors = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`)
    .map((fd) => linkOf(`/proc/${pid}/fd/${fd}`).replace(/\d+/g, "N"))
    .toSorted();
const residentKilobytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

test("log lines of traffic and of checks reach a syslog server over UDP in HAProxy's format", async (t) => {
  const syslog = createSocket("udp4");
  const lines: string[] = [];
  syslog.on("message", (line) => lines.push(line.toString("latin1")));
  await new Promise<void>((resolve) => syslog.bind(0, "127.0.0.1", resolve));
  t.after(() => syslog.close());
  const app = await startServer(t, named("s1"));
  const late = await refusingPort();
  const port = await refusingPort();
  const daemon = await ProxyDaemon.start(
    t,
    web(port, app.port, {
      global: `  log 127.0.0.1:${syslog.address().port} local0\n`,
      defaults: "  log global\n  option httplog\n  option log-health-checks\n",
      more: `  server s2 127.0.0.1:${late} check inter 100ms\n`,
    }),
  );
  const seen = (pattern: RegExp) =>
    until(`${pattern} in ${lines.join("\n")}`, () => lines.find((line) => pattern.test(line)));
  const time = "[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d";
  const head = (priority: number) => `^<${priority}>${time} haproxy\\[${daemon.program.pid}\\]: `;
  await seen(
    new RegExp(
      `${head(133)}Health check for server app/s2 failed, reason: Layer4 connection problem, info: "Connection refused", check duration: \\d+ms, status: 0/2 DOWN\\.$`,
    ),
  );
  await seen(
    new RegExp(
      `${head(129)}Server app/s2 is DOWN\\. 1 active and 0 backup servers left\\. 0 sessions active, 0 requeued, 0 remaining in queue\\.$`,
    ),
  );
  await once(t, port, get("/x?y=1"));
  await seen(
    new RegExp(
      `${head(134)}127\\.0\\.0\\.1:\\d+ \\[\\d\\d/[A-Z][a-z]{2}/\\d{4}:\\d\\d:\\d\\d:\\d\\d\\.\\d{3}\\] web app/s1 \\d+/0/\\d+/\\d+/\\d+ 200 \\d+ - - ---- 1/1/0/0/0 0/0 "GET /x\\?y=1 HTTP/1\\.1"$`,
    ),
  );
  const server = createServer((_, answer) => answer.end());
  await new Promise<void>((resolve) => server.listen(late, "127.0.0.1", resolve));
  t.after(() => server.close());
  await seen(
    new RegExp(
      `${head(133)}Server app/s2 is UP\\. 2 active and 0 backup servers online\\. 0 sessions requeued, 0 total in queue\\.$`,
    ),
  );
});

test("the line of the last request leaves before the process that wrote it", async (t) => {
  const syslog = createSocket("udp4");
  const lines: string[] = [];
  syslog.on("message", (line) => lines.push(line.toString("latin1")));
  await new Promise<void>((resolve) => syslog.bind(0, "127.0.0.1", resolve));
  t.after(() => syslog.close());
  const held: ServedRequest[] = [];
  const app = await startServer(t, (request) => held.push(request));
  const port = await refusingPort();
  const daemon = await ProxyDaemon.start(
    t,
    web(port, app.port, {
      global: `  log 127.0.0.1:${syslog.address().port} local0\n`,
      defaults: "  log global\n  option httplog\n",
    }),
  );
  const client = await Client.connect(t, port);
  client.socket.write(get("/last"));
  const request = await until("the request", () => held[0]);
  daemon.program.kill("SIGTERM");
  await daemon.program.sees(/: Stopping\n/);
  request.answer(response("whole"));
  await client.rest();
  client.socket.destroy();
  await daemon.program.exited;
  await until("its line", () => lines.some((line) => line.endsWith('"GET /last HTTP/1.1"')));
});

test("log lines reach a unix datagram socket and, raw, standard output", async (t) => {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  const folder = mkdtempSync("/run/log-");
  t.after(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, 0o755);
  const path = join(folder, "log");
  // A syslog daemon in Perl, which is in every Debian: Node has no unix datagrams.
  const program =
    "use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, sockaddr_un($ARGV[0])); chmod 0666, $ARGV[0]; $| = 1; print qq(ready\\n); while (defined recv(S, $l, 9999, 0)) { print qq($l\\n) }";
  const perl = spawn("perl", ["-e", program, path], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => perl.kill());
  let said = "";
  perl.stdout.on("data", (text) => {
    said += text;
  });
  await until("it listens", () => said.startsWith("ready"));
  const running = await ProxyDaemon.start(
    t,
    web(port, app.port, {
      global: `  log ${path} local1\n  log stdout format raw local0\n`,
      defaults: "  log global\n  option httplog\n",
    }),
  );
  await once(t, port, get("/there"));
  await running.program.sees(/^127\.0\.0\.1:\d+ \[[^\]]+\] web app\/s1 [^\n]* "GET \/there HTTP\/1\.1"$/m);
  await until(`the line in ${said}`, () =>
    /^<142>.* haproxy\[\d+\]: 127\.0\.0\.1:\d+ .*"GET \/there HTTP\/1\.1"$/m.test(said),
  );
});

test("a bind on a VIP that another router holds waits for it", async (t) => {
  await using network = new TestNetwork();
  const node = await network.node("lb");
  const far = await network.node("far");
  await network.link(
    { node, interface: "eth0", addresses: ["10.9.0.1/24"] },
    { node: far, interface: "eth0", addresses: ["10.9.0.2/24"] },
  );
  const folder = mkdtempSync(join(tmpdir(), "vip-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "haproxy.cfg");
  writeFileSync(
    file,
    web(80, 1).replace("127.0.0.1:80", "10.9.0.100:80").replace("stats enable", "monitor-uri /alive"),
  );
  const program = node.start([EVENKEEL, "run", "-f", file, "--socket", join(folder, "sock")]);
  await program.sees(
    /frontend web: 10\.9\.0\.100:80 is not an address of this host \(yet\), listening all the same[\s\S]*Startup complete/,
  );
  await node.run("ip", "addr", "add", "10.9.0.100/24", "dev", "eth0");
  assert.match(
    await far.run(
      "bash",
      "-c",
      "exec 3<>/dev/tcp/10.9.0.100/80; printf 'GET /alive HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3",
    ),
    /^HTTP\/1\.0 200|^HTTP\/1\.1 200/,
  );
});
