/** Reloads of `evenkeel run` with a haproxy.cfg while clients are at work: nothing is lost, nobody is cut off. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gone, ProxyDaemon } from "../support/proxy-daemon.ts";
import { bodyOf, Client, get, named, once, refusingPort, response, startServer, until } from "./proxy-support.ts";

const HEAD = `defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 20s
`;
const web = (port: number, server: number, lines = "") =>
  `${HEAD}${lines}frontend web\n  bind 127.0.0.1:${port}\n  default_backend app\nbackend app\n  server s1 127.0.0.1:${server}\n`;

const SIZE = 5 << 20;

test("reloads under load lose no request and cut no connection, and the old processes end", async (t) => {
  const big = Buffer.alloc(SIZE, "0123456789abcdef");
  const app = await startServer(t, ({ path, head, socket, answer }) => {
    if (path === "/big") {
      answer(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
      answer(big);
    } else if (/\nupgrade:/i.test(head)) {
      answer("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      socket.removeAllListeners("data");
      socket.pipe(socket);
    } else answer(response("s1"));
  });
  const echo = createServer((socket) => void socket.on("error", () => {}).pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  t.after(() => echo.close());
  const [port, tcpPort] = [await refusingPort(), await refusingPort()];
  const { port: echoPort } = echo.address() as AddressInfo;
  const configuration = (generation: number) =>
    `${web(port, app.port, `  timeout queue ${generation}s\n`)}listen raw\n  mode tcp\n  bind 127.0.0.1:${tcpPort}\n` +
    `  server e 127.0.0.1:${echoPort}\n`;
  const daemon = await ProxyDaemon.start(t, configuration(1));
  const first = await daemon.proxies();

  const idle = await Client.connect(t, port);
  assert.doesNotMatch(await idle.ask(get()), /connection: close/i);
  const slow = await Client.connect(t, port);
  slow.socket.pause();
  slow.socket.write(get("/big"));
  const upgraded = await Client.connect(t, port);
  upgraded.socket.write("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
  await until("the upgrade", () => /^HTTP\/1\.1 101 [\s\S]*\r\n\r\n$/.test(upgraded.text));
  const tunnel = await Client.connect(t, tcpPort);
  tunnel.socket.write("before ");
  await until("the echo", () => tunnel.text === "before ");

  let working = true;
  let kept = 0;
  let fresh = 0;
  const keepAlive = async () => {
    let client = await Client.connect(t, port);
    while (working) {
      const answer = await client.ask(get());
      assert.match(answer, /^HTTP\/1\.1 200 /, `request lost after ${kept}: ${client.error}`);
      kept++;
      if (!/\r\nconnection: close\r\n/i.test(answer)) continue;
      client.socket.destroy();
      client = await Client.connect(t, port);
    }
  };
  const eachItsOwn = async () => {
    while (working) {
      assert.equal(bodyOf(await once(t, port)), "s1");
      fresh++;
    }
  };
  const clients = [...Array.from({ length: 6 }, keepAlive), eachItsOwn(), eachItsOwn()];
  for (let generation = 2; generation <= 4; generation++) {
    const goal = kept + 30;
    await until("some load", () => kept > goal);
    assert.deepEqual(await daemon.reload(configuration(generation)), { result: "applied", diagnostics: [] });
  }
  const goal = [kept + 30, fresh + 5] as const;
  await until("load after the last reload", () => kept > goal[0] && fresh > goal[1]);
  working = false;
  await Promise.all(clients);

  // The three that the first process still serves.
  tunnel.socket.write("after");
  await until("the tunnel goes on", () => tunnel.text === "before after");
  upgraded.socket.write("hello");
  await until("the upgraded connection goes on", () => upgraded.text.endsWith("hello"));
  slow.socket.resume();
  const download = await slow.response();
  assert.ok(bodyOf(download) === big.toString("latin1"), "the download is whole");
  assert.doesNotMatch(
    download.slice(0, 200),
    /connection: close/i,
    "its head was sent before the reload and promised to go on",
  );
  assert.match(await slow.ask(get()), /^HTTP\/1\.1 200 [\s\S]*\r\nconnection: close\r\n[\s\S]*s1$/i, "so it does");
  const last = await idle.ask(get());
  assert.match(last, /^HTTP\/1\.1 200 [\s\S]*\r\nconnection: close\r\n[\s\S]*s1$/i, "the idle client asks once more");

  assert.ok((await daemon.status()).processes.some((one) => one.retiring && first.includes(one.pid ?? 0)));
  for (const client of [tunnel, upgraded, slow, idle]) client.socket.destroy();
  await gone(first);
  await until(
    "no process retires any more",
    async () => !(await daemon.status()).processes.some((one) => one.retiring),
  );
});

test("an idle client of a replaced proxy leaves by its keep-alive time-out, and the proxy with it", async (t) => {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  const daemon = await ProxyDaemon.start(t, web(port, app.port, "  timeout http-keep-alive 2s\n"));
  const old = await daemon.proxies();
  const client = await Client.connect(t, port);
  await client.ask(get());
  await daemon.reload(web(port, app.port, "  timeout http-keep-alive 2s\n  timeout queue 1s\n"));
  assert.equal(client.ended, false, "it is not closed by the reload");
  assert.equal(await client.rest(), "");
  client.socket.end();
  await gone(old);
});

test("hard-stop-after bounds how long a replaced proxy stays", async (t) => {
  const app = await startServer(t, () => {});
  const port = await refusingPort();
  const global = "global\n  hard-stop-after 500ms\n";
  const daemon = await ProxyDaemon.start(t, global + web(port, app.port));
  const old = await daemon.proxies();
  const client = await Client.connect(t, port);
  client.socket.write(get());
  await until("the server has the request", () => app.requests.length === 1);
  await daemon.reload(global + web(port, app.port, "  timeout queue 1s\n"));
  await client.rest();
  await gone(old);
});

test("a reload that comes during another one is not swallowed by it", async (t) => {
  const app = await startServer(t, named("s1"));
  const [port, second, third] = [await refusingPort(), await refusingPort(), await refusingPort()];
  const daemon = await ProxyDaemon.start(t, web(port, app.port));
  const more = (extra: number) =>
    `${web(port, app.port)}frontend more\n  bind 127.0.0.1:${extra}\n  default_backend app\n`;
  daemon.write(more(second));
  daemon.program.kill("SIGHUP");
  await daemon.program.sees(/Reloading \.\.\.\n[\s\S]*Starting proxy 1/);
  daemon.write(more(third));
  daemon.program.kill("SIGHUP");
  daemon.program.kill("SIGHUP");
  await daemon.program.sees(/Reload complete[\s\S]*Reload complete/);
  assert.equal(bodyOf(await once(t, third)), "s1");
  await assert.rejects(once(t, second), /ECONNREFUSED/);
  const results = (await daemon.events()).flatMap((one) => (one.kind === "reload" ? [one.result] : []));
  assert.deepEqual(results, ["applied", "applied"], "three wishes while one is at work are two reloads");
});

test("an unchanged file is said to be unchanged and starts no process", async (t) => {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  const daemon = await ProxyDaemon.start(t, web(port, app.port));
  const before = daemon.pids();
  assert.deepEqual(await daemon.reload(`# a remark\n${web(port, app.port)}`), { result: "unchanged", diagnostics: [] });
  assert.deepEqual(daemon.pids(), before);
});

test("binds that come, go and change, and another nbthread, are taken over", async (t) => {
  const app = await startServer(t, named("s1"));
  const [one, two] = [await refusingPort(), await refusingPort()];
  const frontend = (binds: string[], global = "") =>
    `${global}${HEAD}frontend web\n${binds.map((bind) => `  bind ${bind}\n`).join("")}  default_backend app\n` +
    `backend app\n  server s1 127.0.0.1:${app.port}\n`;
  const daemon = await ProxyDaemon.start(t, frontend([`127.0.0.1:${one}`]));
  await daemon.reload(frontend([`127.0.0.1:${one}`, `127.0.0.1:${two}`]));
  assert.equal(bodyOf(await once(t, two)), "s1");
  await daemon.reload(frontend([`127.0.0.1:${two}`], "global\n  nbthread 3\n"));
  assert.equal((await daemon.proxies()).length, 3);
  await until("the removed one is closed", () =>
    once(t, one).then(
      () => false,
      () => true,
    ),
  );
  assert.equal((await daemon.reload(frontend([`*:${two}`]))).result, "applied", "the same port on every address");
  assert.equal((await daemon.proxies()).length, 1);
  assert.equal(bodyOf(await once(t, two)), "s1");
  assert.equal((await daemon.reload(frontend([`127.0.0.1:${two}`]))).result, "applied", "and back");
  assert.equal(bodyOf(await once(t, two)), "s1");
});

test("a bind that somebody else has refuses the reload as a whole and says who and what", async (t) => {
  const app = await startServer(t, named("s1"));
  const [port, free] = [await refusingPort(), await refusingPort()];
  const daemon = await ProxyDaemon.start(t, web(port, app.port));
  const before = daemon.pids();
  const taken = `frontend more\n  bind 127.0.0.1:${free}\n  bind 127.0.0.1:${app.port}\n  default_backend app\n`;
  const { result, diagnostics } = await daemon.reload(web(port, app.port) + taken);
  assert.equal(result, "refused");
  assert.deepEqual(diagnostics, [
    `frontend more: cannot listen on 127.0.0.1:${app.port}: EADDRINUSE: another program listens there: stop it, or change the port (ss -ltnp shows which)`,
  ]);
  assert.deepEqual(daemon.pids(), before);
  assert.equal(bodyOf(await once(t, port)), "s1");
  await assert.rejects(once(t, free), /ECONNREFUSED/, "nothing of the refused file is open");
  const { status, stdout } = await daemon.command("reload");
  assert.equal(status, 2);
  assert.match(stdout, /^reload: refused\nfrontend more: cannot listen/);
});

test("a user that does not exist refuses the start with 2, and a reload leaves everything as it is", async (t) => {
  const app = await startServer(t, named("s1"));
  const port = await refusingPort();
  const daemon = await ProxyDaemon.start(t, web(port, app.port));
  const before = daemon.pids();
  for (const [line, message] of [
    ["user nosuchuser", "global: user nosuchuser does not exist"],
    ["group nosuchgroup", "global: group nosuchgroup does not exist"],
  ]) {
    const bad = `global\n  ${line}\n${web(port, app.port)}`;
    assert.deepEqual(await daemon.reload(bad), { result: "refused", diagnostics: [message] });
    assert.deepEqual(daemon.pids(), before);
    const other = new ProxyDaemon(t, bad.replace(`:${port}`, `:${await refusingPort()}`));
    assert.equal((await other.program.exited).status, 2);
    assert.match(other.program.output, new RegExp(`: ${message}\n`));
  }
});

test("a reload whose new child cannot do its work is refused, and everything else goes on as it was", async (t) => {
  const app = await startServer(t, named("s1"));
  const [port, extra] = [await refusingPort(), await refusingPort()];
  const folder = mkdtempSync(join(tmpdir(), "vrrp-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "keepalived.conf");
  writeFileSync(file, "global_defs {\n router_id lb1\n}\n");
  const wrapper = ["setpriv", "--bounding-set", "-net_raw,-net_admin"];
  const daemon = await ProxyDaemon.start(t, web(port, app.port), { wrapper, args: ["-f", file] });
  const before = daemon.pids();
  writeFileSync(file, "vrrp_instance VI_1 {\n interface lo\n virtual_router_id 51\n priority 100\n}\n");
  const more = `frontend more\n  bind 127.0.0.1:${extra}\n  default_backend app\n`;
  assert.deepEqual(await daemon.reload(web(port, app.port) + more), {
    result: "refused",
    diagnostics: ["vrrp could not be started with the new configuration"],
  });
  assert.deepEqual(daemon.pids(), before);
  assert.equal(bodyOf(await once(t, port)), "s1");
  await assert.rejects(once(t, extra), /ECONNREFUSED/);
  writeFileSync(file, "global_defs {\n router_id lb1\n}\n");
  assert.equal((await daemon.reload()).result, "applied", "the next good file is taken");
  assert.equal(bodyOf(await once(t, extra)), "s1");
});
