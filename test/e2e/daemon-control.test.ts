/** The control socket under clients that behave badly, and a start that cannot be. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once as event } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { evenkeel, gone, ProxyDaemon } from "../support/proxy-daemon.ts";
import { until } from "../support/until.ts";
import { EVENKEEL } from "../support/vrrp-pair.ts";
import { bodyOf, named, once, refusingPort, startServer } from "./proxy-support.ts";

const web = (port: number, server: number, lines = "") => `defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 20s
${lines}frontend web
  bind 127.0.0.1:${port}
  default_backend app
backend app
  server s1 127.0.0.1:${server}
`;

async function start(t: TestContext) {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  return { daemon: await ProxyDaemon.start(t, web(port, app.port)), app, port };
}

/** A client; `text` is what came until now. */
function talk(t: TestContext, path: string): { socket: Socket; text(): string; ended(): boolean } {
  const socket = connect({ path, allowHalfOpen: true });
  let text = "";
  let ended = false;
  socket.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
  });
  socket.on("end", () => {
    ended = true;
  });
  socket.on("error", () => {
    ended = true;
  });
  t.after(() => socket.destroy());
  return { socket, text: () => text, ended: () => ended };
}

const STATUS = '{"command":"status"}\n';
const residentKilobytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

test("the control socket is for its owner alone", async (t) => {
  const { daemon } = await start(t);
  assert.equal(statSync(daemon.socket).mode & 0o777, 0o600);
});

test("garbage, half a line and an unknown command are answered or let go, and a request may come in pieces", async (t) => {
  const { daemon } = await start(t);
  const client = talk(t, daemon.socket);
  const refusal =
    '{"ok":false,"error":"expected a line like {\\"command\\":\\"status\\"}; commands: status, metrics, events, recent-events, reload, drain, undrain"}\n';
  let wanted = "";
  for (const line of [
    "\u0000\u0001\u00ff",
    "",
    "{}",
    "[1",
    '{"command":"nosuch"}',
    "null",
    '{"command":{"toString":1}}',
  ]) {
    client.socket.write(`${line}\n`);
    wanted += refusal;
    await until(`an answer to ${JSON.stringify(line)}`, () => client.text().length >= wanted.length);
    assert.equal(client.text(), wanted);
  }
  client.socket.write(STATUS.slice(0, 7));
  client.socket.write(STATUS.slice(7));
  await until("the status", () => client.text().endsWith("\n") && client.text().length > wanted.length);
  assert.equal(JSON.parse(client.text().slice(wanted.length)).ok, true);
  const half = talk(t, daemon.socket);
  half.socket.end('{"command"');
  await until("half a line is let go", half.ended);
  assert.equal(half.text(), "");
});

test("who asks for a dry run in a way that is not understood gets no reload", async (t) => {
  const { daemon } = await start(t);
  const client = talk(t, daemon.socket);
  for (const dryRun of ["1", '"true"', "{}", "null"]) client.socket.write(`{"command":"reload","dryRun":${dryRun}}\n`);
  await until("four answers", () => client.text().split("\n").length === 5);
  const refusal = '{"ok":false,"error":"dryRun is true or false"}';
  assert.deepEqual(client.text().trim().split("\n"), [refusal, refusal, refusal, refusal]);
});

test("a client that closes its half after the request gets its answer", async (t) => {
  const { daemon } = await start(t);
  const client = talk(t, daemon.socket);
  client.socket.end(STATUS);
  await until("the end", client.ended);
  assert.equal(JSON.parse(client.text()).value.pid, daemon.program.pid);
});

test("a line without an end is cut off, and neither it nor a client that never reads grows the supervisor", async (t) => {
  const { daemon } = await start(t);
  const { pid } = daemon.program;
  await daemon.status();
  const before = residentKilobytes(pid);
  const endless = talk(t, daemon.socket);
  let sent = 0;
  const write = (error?: Error | null) => {
    if (!error && !endless.ended() && sent++ < 1_000) endless.socket.write("x".repeat(64 * 1024), write);
  };
  write();
  await until("it is cut off", () => endless.ended() || endless.socket.destroyed);
  assert.ok(sent < 1_000, `${sent} times 64 kB were taken`);

  // It asks on and on for what is large, and reads none of it.
  const deaf = connect(daemon.socket);
  t.after(() => deaf.destroy());
  deaf.on("error", () => {});
  deaf.pause();
  let asked = 0;
  const ask = (error?: Error | null) => {
    if (!error && asked++ < 200) deaf.write(STATUS.repeat(50), ask);
  };
  ask();
  await until("the supervisor does not take its requests any more", async () => {
    const now = asked;
    for (let i = 0; i < 5; i++) await daemon.status();
    return asked === now;
  });
  assert.ok(residentKilobytes(pid) < before + 60_000, `${residentKilobytes(pid)} kB, before ${before} kB`);
});

test("two hundred clients at once are all answered, and leave no descriptor", async (t) => {
  const { daemon } = await start(t);
  const descriptors = () => readdirSync(`/proc/${daemon.program.pid}/fd`).length;
  await daemon.status();
  // The descriptor of the client that has just asked may be among them still.
  const before = descriptors();
  const clients = Array.from({ length: 200 }, () => talk(t, daemon.socket));
  for (const client of clients) client.socket.write(STATUS);
  await until("all answers", () => clients.every((client) => client.text().endsWith("\n")));
  for (const client of clients) assert.equal(JSON.parse(client.text()).ok, true);
  for (const client of clients) client.socket.destroy();
  await until("their descriptors are closed", () => descriptors() <= before);
  assert.equal((await daemon.command("status")).status, 0);
});

test("a reader of events that never reads is cut off, and others go on", async (t) => {
  const { daemon, app, port } = await start(t);
  const deaf = connect(daemon.socket);
  t.after(() => deaf.destroy());
  let closed = false;
  deaf.on("error", () => {});
  deaf.on("close", () => {
    closed = true;
  });
  deaf.pause();
  deaf.write('{"command":"events"}\n');
  const reader = talk(t, daemon.socket);
  reader.socket.write('{"command":"events"}\n');
  await until("the reader is there", () => reader.text().includes('"kind":"started"'));
  // Every refused reload is an event with fifty lines of several hundred bytes.
  const long = `  nosuchkeyword${"x".repeat(400)}\n`.repeat(80);
  daemon.write(web(port, app.port, long));
  const asking = talk(t, daemon.socket);
  for (let i = 0; i < 120; i++) {
    asking.socket.write('{"command":"reload"}\n');
    await until("the answer", () => asking.text().split("\n").length > i + 1);
  }
  await until("the other one has all of them", () => reader.text().match(/"kind":"reload"/g)?.length === 120);
  // What lies in the kernel's buffers is still there to be read; then comes the end.
  deaf.resume();
  await until("the deaf one is cut off", () => closed);
  assert.equal(bodyOf(await once(t, port)), "s1");
});

test("evenkeel events follows until the daemon stops, and says what happened and why", async (t) => {
  const { daemon } = await start(t);
  const following = spawn(EVENKEEL, ["events", "--socket", daemon.socket], { stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  following.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  await until("it follows", () => stdout.split("\n").length > 3);
  daemon.program.kill("SIGTERM");
  assert.deepEqual(await event(following, "close"), [0, null]);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map((one) => one.kind).filter((kind) => kind !== "child-exited"),
    ["started", "child-started", "child-started", "stopping"],
  );
  assert.deepEqual(events.find((one) => one.kind === "stopping")?.cause, "SIGTERM");
  for (const event of events) assert.match(event.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test("a control socket that cannot be is one clear line and status 1, and destroys nothing", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "control-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "haproxy.cfg");
  const precious = join(folder, "precious");
  writeFileSync(precious, "keep me");
  mkdirSync(join(folder, "folder"));
  for (const [path, why] of [
    [join(folder, "a/b/sock"), `ENOENT: no such file or directory, mkdir '${folder}/a/b'`],
    [precious, "there is something that is not a socket"],
    [join(folder, "folder"), "there is something that is not a socket"],
    ["/proc/sock", "bind: ENOENT"],
    [join(folder, "x".repeat(120)), `a socket's path has 1 to 107 bytes and no NUL`],
  ] as const) {
    writeFileSync(file, web(await refusingPort(), 1));
    const { status, stderr } = await evenkeel("run", "-f", file, "--socket", path);
    assert.equal(status, 1, stderr);
    const [starting, line = "", end, ...rest] = stderr.trim().split("\n");
    assert.match(starting ?? "", /Starting evenkeel/);
    assert.ok(line.includes(`: control socket ${path}: ${why}`), line);
    assert.match(end ?? "", /: Not started$/);
    assert.deepEqual(rest, []);
  }
  assert.equal(readFileSync(precious, "utf8"), "keep me");
});

test("the folder of the control socket is made when only it is missing", async (t) => {
  const app = await startServer(t, named("s1"));
  const folder = mkdtempSync(join(tmpdir(), "control-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const socket = join(folder, "evenkeel", "control.sock");
  const daemon = await ProxyDaemon.start(t, web(await refusingPort(), app.port), { socket });
  assert.equal((await daemon.status()).pid, daemon.program.pid);
});

test("after a kill -9 of everything the next start takes the place of the dead socket", async (t) => {
  const { daemon, app } = await start(t);
  const pids = daemon.pids();
  daemon.signalGroup("SIGKILL");
  await gone(pids);
  assert.ok(statSync(daemon.socket).isSocket());
  const next = await ProxyDaemon.start(t, web(await refusingPort(), app.port), { socket: daemon.socket });
  assert.equal((await next.status()).pid, next.program.pid);
});

test("a port below 1024 without the right to it names the frontend, the address and the cure", async (t) => {
  const wrapper = ["setpriv", "--bounding-set", "-net_bind_service"];
  const daemon = new ProxyDaemon(t, web(81, 1), { wrapper });
  assert.equal((await daemon.program.exited).status, 1);
  assert.match(
    daemon.program.output,
    /: frontend web: cannot listen on 127\.0\.0\.1:81: EACCES: ports below 1024 need root or CAP_NET_BIND_SERVICE\n/,
  );
});

test("a configuration with errors is refused with 2 and every error line", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "files-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [bad, missing] = [join(folder, "bad.cfg"), join(folder, "missing.cfg")];
  writeFileSync(bad, "frontend a\n  bind nonsense:x\n  default_backend nosuch\nfrontend a\n  bind 127.0.0.1:1\n");
  const socket = ["--socket", join(folder, "sock")];
  const checked = await evenkeel("check", bad);
  const errors = checked.stdout.split("\n").filter((line) => line.includes(" error["));
  assert.ok(errors.length >= 2, checked.stdout);
  const refused = await evenkeel("run", "-f", bad, ...socket);
  assert.equal(refused.status, 2);
  for (const line of errors) assert.ok(refused.stderr.includes(`: ${line}\n`), `${line} in\n${refused.stderr}`);
  for (const [path, why] of [
    [missing, "no such file"],
    [folder, "it is a directory"],
  ]) {
    const { status, stderr } = await evenkeel("run", "-f", path ?? "", ...socket);
    assert.equal(status, 2);
    assert.ok(stderr.includes(`: ${path}:1:1: error[config/unreadable]: File cannot be read: ${why}\n`), stderr);
  }
});
