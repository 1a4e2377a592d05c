/** Processes of `evenkeel run` that die, and `evenkeel run` being told to stop at every inconvenient moment. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gone, isGone, ProxyDaemon } from "../support/proxy-daemon.ts";
import {
  bodyOf,
  Client,
  get,
  named,
  refusingPort,
  response,
  type ServedRequest,
  startServer,
  until,
} from "./proxy-support.ts";

const web = (port: number, servers: readonly number[], global = "") => `global
  log stdout format raw local0
${global}defaults
  mode http
  log global
  option httplog
  timeout connect 2s
  timeout client 20s
  timeout server 20s
frontend web
  bind 127.0.0.1:${port}
  default_backend app
backend app
  option httpchk
${servers.map((server, index) => `  server s${index + 1} 127.0.0.1:${server} check inter 200ms\n`).join("")}`;

/** A daemon with one server that holds `GET /slow` back until it is told to answer. */
async function startSlow(t: TestContext, global = "") {
  const held: ServedRequest[] = [];
  const app = await startServer(t, (request) => {
    if (request.path === "/slow") held.push(request);
    else request.answer(response("s1"));
  });
  const port = await refusingPort();
  const daemon = await ProxyDaemon.start(t, web(port, [app.port], global));
  const client = await Client.connect(t, port);
  client.socket.write(get("/slow"));
  const request = await until("the request in flight", () => held[0]);
  return { daemon, client, request, port };
}

const refused = (t: TestContext, port: number) =>
  until("new connections are refused", () =>
    Client.connect(t, port).then(
      ({ socket }) => {
        socket.destroy();
        return false;
      },
      (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
    ),
  );

test("a killed proxy is started again on the same socket; who came meanwhile waited in its queue", async (t) => {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  const daemon = await ProxyDaemon.start(t, web(port, [app.port]));
  const [old = 0] = await daemon.proxies();
  process.kill(old, "SIGKILL");
  await until("it is dead", () => isGone(old));
  const clients = await Promise.all(Array.from({ length: 5 }, () => Client.connect(t, port)));
  for (const client of clients) assert.equal(bodyOf(await client.ask(get())), "s1");
  await daemon.program.sees(/: proxy 1 child process ended by SIGKILL, starting again in 100 ms\n/);
  const { processes } = await daemon.status();
  const proxy = processes.find((one) => one.name === "proxy 1");
  assert.equal(proxy?.restarts, 1);
  assert.notEqual(proxy?.pid, old);
  const exit = (await daemon.events()).find((one) => one.kind === "child-exited");
  assert.deepEqual(exit, {
    time: exit?.time,
    kind: "child-exited",
    child: "proxy 1",
    pid: old,
    cause: "ended by SIGKILL",
  });
});

test("a child that dies again and again is started again ever more slowly, and the log says each time how", async (t) => {
  const app = await startServer(t, named("s1"));
  const daemon = await ProxyDaemon.start(t, web(await refusingPort(), [app.port]));
  let last = 0;
  for (const wait of [100, 200, 400]) {
    const pid = await until("another proxy", async () => {
      const now = await daemon.pidOf("proxy 1");
      return now !== last && now;
    });
    process.kill(pid, "SIGABRT");
    await daemon.program.sees(new RegExp(`proxy 1 child process ended by SIGABRT, starting again in ${wait} ms`));
    last = pid;
  }
});

test("a killed director: servers keep their states, nothing flaps, and checks go on", async (t) => {
  const app = await startServer(t, named("s1"));
  const late = await refusingPort();
  const daemon = await ProxyDaemon.start(t, web(await refusingPort(), [app.port, late]));
  const texts = async () => (await daemon.status()).proxy?.backends[0]?.servers.map((one) => one.status.text);
  await until("s2 is down", async () => (await texts())?.[1] === "DOWN");
  const changes = async () => (await daemon.events()).filter((one) => one.kind === "server-state");
  const before = await changes();
  const checked = app.requests.length;
  process.kill(await daemon.pidOf("director"), "SIGKILL");
  await daemon.program.sees(/director child process ended by SIGKILL/);
  await until("checks go on", async () => {
    assert.deepEqual(await texts(), ["UP", "DOWN"]);
    return app.requests.length > checked + 4;
  });
  assert.deepEqual(await changes(), before);
  const server = createServer((_, answer) => answer.end("s2"));
  await new Promise<void>((resolve) => server.listen(late, "127.0.0.1", resolve));
  t.after(() => server.close());
  await until("s2 is up", async () => (await texts())?.[1] === "UP");
});

test("the supervisor is killed: requests in flight are answered, then everything is gone, the control socket too", async (t) => {
  const { daemon, client, request, port } = await startSlow(t);
  const pids = daemon.pids();
  assert.equal(pids.length, 3);
  process.kill(daemon.program.pid, "SIGKILL");
  await until("the control socket is gone", () => !existsSync(daemon.socket));
  await refused(t, port);
  request.answer(response("late but whole"));
  assert.equal(bodyOf(await client.response()), "late but whole");
  client.socket.destroy();
  await gone(pids);
  assert.match(daemon.program.output, /"GET \/slow HTTP\/1\.1"\n/, "the request's log line is not lost");
});

test("the supervisor is killed while a replaced proxy holds a connection: that one goes too", async (t) => {
  const { daemon, client, port } = await startSlow(t);
  const retired = await daemon.proxies();
  daemon.write(web(port, [await refusingPort()]));
  await daemon.reload();
  process.kill(daemon.program.pid, "SIGKILL");
  await gone(retired);
  await client.rest();
});

test("SIGTERM finishes the request in flight and its log line, and exits with 0", async (t) => {
  const { daemon, client, request, port } = await startSlow(t);
  const pids = daemon.pids();
  daemon.program.kill("SIGTERM");
  await refused(t, port);
  request.answer(response("whole"));
  assert.match(await client.response(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n\r\nwhole$/);
  client.socket.destroy();
  assert.deepEqual(await daemon.program.exited, { status: 0, signal: null });
  assert.match(daemon.program.output, /"GET \/slow HTTP\/1\.1"\n[\s\S]*Stopped evenkeel\n$/);
  assert.ok(pids.every(isGone));
  assert.equal(existsSync(daemon.socket), false);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} to the whole process group is one orderly stop`, async (t) => {
    const { daemon, client, request } = await startSlow(t);
    daemon.signalGroup(signal);
    await daemon.program.sees(/: Stopping\n/);
    request.answer(response("whole"));
    assert.equal(bodyOf(await client.response()), "whole");
    client.socket.destroy();
    assert.deepEqual(await daemon.program.exited, { status: 0, signal: null });
    assert.doesNotMatch(daemon.program.output, /starting again|ended by/);
    assert.equal(daemon.program.output.match(/: Stopping\n/g)?.length, 1);
  });
}

test("a second SIGTERM waits for requests no longer", async (t) => {
  const { daemon, client } = await startSlow(t, "  hard-stop-after 10m\n");
  daemon.program.kill("SIGTERM");
  await daemon.program.sees(/: Stopping\n/);
  assert.equal(client.ended, false);
  daemon.program.kill("SIGTERM");
  assert.deepEqual(await daemon.program.exited, { status: 0, signal: null });
  await client.rest();
});

test("SIGTERM during the start ends it: status 0, nobody left, no socket left", async (t) => {
  const app = await startServer(t, named("s1"));
  const daemon = new ProxyDaemon(t, web(await refusingPort(), [app.port]));
  await daemon.program.sees(/Starting proxy 1 child process/);
  const pids = daemon.pids();
  daemon.program.kill("SIGTERM");
  assert.deepEqual(await daemon.program.exited, { status: 0, signal: null });
  assert.doesNotMatch(daemon.program.output, /Startup complete|Not started/);
  assert.ok(pids.every(isGone));
  assert.equal(existsSync(daemon.socket), false);
});

test("SIGTERM during a reload ends everything, the new proxies too", async (t) => {
  const app = await startServer(t, named("s1"));
  const [port, other] = [await refusingPort(), await refusingPort()];
  const daemon = await ProxyDaemon.start(t, web(port, [app.port]));
  daemon.write(web(other, [app.port]));
  daemon.program.kill("SIGHUP");
  await daemon.program.sees(/Reloading \.\.\.\n[\s\S]*Starting proxy 1/);
  const pids = daemon.pids();
  daemon.program.kill("SIGTERM");
  assert.deepEqual(await daemon.program.exited, { status: 0, signal: null });
  assert.ok(pids.every(isGone));
});

test("SIGUSR1 opens no debugger and SIGUSR2 ends nothing", async (t) => {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  const daemon = await ProxyDaemon.start(t, web(port, [app.port]));
  for (const [signal, kind] of [
    ["SIGUSR1", "data"],
    ["SIGUSR2", "stats"],
  ] as const) {
    daemon.signalGroup(signal);
    await daemon.program.sees(new RegExp(`no VRRP runs: no \\.${kind} file to write`));
  }
  const client = await Client.connect(t, port);
  assert.equal(bodyOf(await client.ask(get())), "s1");
  assert.doesNotMatch(daemon.program.output, /Debugger/);
  assert.doesNotMatch(daemon.program.output, /starting again/);
});

test("a child that cannot do its work at the start ends the start: its reason, status 1, nobody left", async (t) => {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  const folder = mkdtempSync(join(tmpdir(), "vrrp-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "keepalived.conf");
  writeFileSync(file, "vrrp_instance VI_1 {\n interface lo\n virtual_router_id 51\n priority 100\n}\n");
  const wrapper = ["setpriv", "--bounding-set", "-net_raw,-net_admin"];
  const daemon = new ProxyDaemon(t, web(port, [app.port]), { wrapper, args: ["-f", file] });
  assert.deepEqual(await daemon.program.exited, { status: 1, signal: null });
  assert.match(daemon.program.output, /EPERM[\s\S]*vrrp could not be started\n[^\n]*Not started\n$/);
  assert.equal(existsSync(daemon.socket), false);
});
