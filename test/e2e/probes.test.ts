/** Each kind of probe against real sockets: servers that answer well, badly, slowly and never. */

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { milliseconds, seconds } from "../../src/base/time.ts";
import type { CheckConnection, Checker, HttpCheckUrl } from "../../src/config/model/virtual-server.ts";
import { startProbe } from "../../src/daemon/director/probes/start.ts";
import { ScriptRunner } from "../../src/daemon/scripts/script-runner.ts";
import type { ProbeResult } from "../../src/health/checker.ts";
import { connection, SCHEDULE, script } from "../support/virtual-servers.ts";

const scripts = new ScriptRunner({ enableScriptSecurity: false, scriptUser: undefined });
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const at = (port: number, changed: Partial<CheckConnection> = {}): CheckConnection => ({
  ...connection("127.0.0.1", port),
  timeout: seconds(10),
  ...changed,
});

const probe = (checker: Checker, step = 0): Promise<ProbeResult> =>
  new Promise((resolve) => void startProbe(checker, step, scripts, resolve));

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  closers.push(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Serves each connection with `serve`; its sockets go with the test. */
function tcpServer(serve: (socket: Socket) => void): Promise<number> {
  return listening(
    createServer((socket) => {
      closers.push(() => socket.destroy());
      socket.on("error", () => undefined);
      serve(socket);
    }),
  );
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe("TCP_CHECK", () => {
  const tcp = (to: CheckConnection): Checker => ({ ...SCHEDULE, type: "TCP_CHECK", connection: to });

  test("is content with a connection", async () => {
    const port = await tcpServer((socket) => socket.end());
    assert.deepEqual(await probe(tcp(at(port))), { ok: true, detail: "connected", weight: undefined });
  });

  test("says that it was refused", async () => {
    const port = await closedPort();
    assert.deepEqual(await probe(tcp(at(port))), {
      ok: false,
      detail: "connection refused",
      line: `TCP connection to [127.0.0.1]:tcp:${port} failed.`,
      weight: undefined,
    });
  });

  test("leaves by the address, port and interface that are configured, with the mark", async () => {
    const seen = Promise.withResolvers<string>();
    const port = await tcpServer((socket) => {
      seen.resolve(`${socket.remoteAddress} ${socket.remotePort}`);
      socket.end();
    });
    const sourcePort = await closedPort();
    const source = "127.0.0.9" as CheckConnection["address"];
    const result = await probe(tcp(at(port, { source, sourcePort, interface: "lo", mark: 7 })));
    assert.deepEqual([result.ok, await seen.promise], [true, `127.0.0.9 ${sourcePort}`]);
  });

  test("fails with the reason when the interface or the source is not there", async () => {
    const port = await closedPort();
    const device = await probe(tcp(at(port, { interface: "nope0" })));
    assert.ok(!device.ok && device.detail.includes("ENODEV"), device.detail);
    const source = await probe(tcp(at(port, { source: "192.0.2.1" as CheckConnection["address"] })));
    assert.ok(!source.ok && source.detail.includes("EADDRNOTAVAIL"), source.detail);
  });
});

describe("HTTP_GET", () => {
  const url = (changed: Partial<HttpCheckUrl> = {}): HttpCheckUrl => ({
    path: "/a",
    host: "web.example",
    statusCodes: [{ first: 200, last: 299 }],
    digest: undefined,
    regex: undefined,
    ...changed,
  });
  const http = (to: CheckConnection, one: HttpCheckUrl, httpVersion: "1.0" | "1.0C" | "1.1" = "1.0"): Checker => ({
    ...SCHEDULE,
    type: "HTTP_GET",
    connection: to,
    httpVersion,
    fastRecovery: false,
    urls: [one],
    tls: undefined,
  });
  const answering = (answer: string) =>
    tcpServer((socket) => {
      socket.once("data", () => socket.end(answer));
    });
  const HELLO = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";

  for (const [version, request] of [
    ["1.0", "GET /a HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: web.example\r\n\r\n"],
    ["1.0C", "GET /a HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: web.example\r\n\r\n"],
    ["1.1", "GET /a HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: web.example\r\n\r\n"],
  ] as const) {
    test(`asks as keepalived does with http_protocol ${version}`, async () => {
      const asked = Promise.withResolvers<string>();
      const port = await tcpServer((socket) => {
        socket.once("data", (bytes) => {
          asked.resolve(bytes.toString());
          socket.end(HELLO);
        });
      });
      assert.equal((await probe(http(at(port), url(), version))).ok, true);
      assert.equal(await asked.promise, request);
    });
  }

  test("judges the status by its ranges", async () => {
    const port = await answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert.deepEqual(await probe(http(at(port), url())), {
      ok: false,
      detail: "status 404 of /a",
      line: `HTTP status code error to [127.0.0.1]:tcp:${port} url [/a], status_code [404].`,
      weight: undefined,
    });
    const either = url({
      statusCodes: [
        { first: 200, last: 200 },
        { first: 400, last: 404 },
      ],
    });
    assert.equal((await probe(http(at(port), either))).ok, true);
  });

  test("compares the digest of the body", async () => {
    const port = await answering(HELLO);
    assert.equal((await probe(http(at(port), url({ digest: "5d41402abc4b2a76b9719d911017c592" })))).ok, true);
    const other = await probe(http(at(port), url({ digest: "00000000000000000000000000000000" })));
    assert.equal(other.detail, "digest 5d41402abc4b2a76b9719d911017c592 of /a");
  });

  test("takes the digest of a chunked body as it came, sizes of chunks included, as keepalived does", async () => {
    const port = await tcpServer((socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
        setImmediate(() => socket.write("llo\r\n0\r\n\r\n"));
      });
    });
    const asked = http(at(port), url({ digest: "79e9489e3bd3f0cb0158215341de046d" }), "1.1");
    assert.deepEqual(await probe(asked), { ok: true, detail: "status 200 of /a", weight: undefined });
  });

  test("searches the body, between offsets, for its presence or its absence", async () => {
    const port = await answering(HELLO);
    const found = async (changed: Partial<NonNullable<HttpCheckUrl["regex"]>>) => {
      const regex = { pattern: "l+", negated: false, flags: "", minOffset: 0, maxOffset: 0, ...changed };
      return (await probe(http(at(port), url({ regex })))).ok;
    };
    assert.equal(await found({}), true);
    assert.equal(await found({ pattern: "x" }), false);
    assert.equal(await found({ pattern: "x", negated: true }), true);
    assert.equal(await found({ pattern: "h", minOffset: 1 }), false);
    assert.equal(await found({ maxOffset: 1 }), false);
    assert.equal(await found({ maxOffset: 2 }), true);
  });

  test("gives up a pattern that runs away on what the server sends", async () => {
    const port = await answering(`HTTP/1.0 200 OK\r\n\r\n${"a".repeat(5_000)}`);
    const regex = { pattern: "^(a+)+$x", negated: false, flags: "", minOffset: 0, maxOffset: 0 };
    assert.equal((await probe(http(at(port), url({ regex })))).detail, "the regular expression took too long");
  });

  test("does not wait for the end of a body that nobody looks at", async () => {
    const port = await tcpServer((socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.0 200 OK\r\n\r\n");
        const more = () => {
          while (socket.writable && socket.write(Buffer.alloc(65_536)));
        };
        socket.on("drain", more);
        more();
      });
    });
    assert.equal((await probe(http(at(port), url()))).ok, true);
  });

  test("fails for silence, an early end, something else than HTTP, and a head without an end", async () => {
    const silent = await tcpServer(() => undefined);
    assert.equal((await probe(http(at(silent, { timeout: milliseconds(50) }), url()))).detail, "timeout reading");
    const closing = await answering("");
    assert.equal((await probe(http(at(closing), url()))).detail, "closed without an answer");
    const other = await answering("220 mail\r\n\r\n");
    assert.match((await probe(http(at(other), url()))).detail, /^not HTTP: /);
    const endless = await answering(`HTTP/1.0 200 OK\r\n${"X: y\r\n".repeat(100_000)}`);
    assert.match((await probe(http(at(endless), url()))).detail, /^not HTTP: /);
  });

  test("looks at no certificate unless a ca is configured, and names a host only with SNI", async () => {
    const file = (name: string) => new URL(`../fixtures/health/${name}`, import.meta.url);
    const [key, cert] = [readFileSync(file("server.key")), readFileSync(file("server.pem"))];
    const names: (string | false | null)[] = [];
    const server = createTlsServer({ key, cert }, (socket) => {
      names.push(socket.servername ?? false);
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end(HELLO));
    });
    server.on("tlsClientError", () => undefined);
    const port = await listening(server);
    const none = { sni: undefined, ca: undefined, certificate: undefined, key: undefined, password: undefined };
    const ssl = (tls: Partial<typeof none> | { sni?: string; ca?: string }): Checker => {
      const plain = http(at(port), url());
      assert.ok(plain.type === "HTTP_GET");
      return { ...plain, type: "SSL_GET", tls: { ...none, ...tls } };
    };
    assert.equal((await probe(ssl({}))).ok, true);
    assert.equal((await probe(ssl({ sni: "checked.example" }))).ok, true);
    assert.deepEqual(names, [false, "checked.example"]);
    const pem = file("server.pem").pathname;
    assert.equal((await probe(ssl({ ca: pem }))).ok, true);
    const missing = await probe(ssl({ ca: "/nowhere/ca.pem" }));
    assert.ok(!missing.ok && missing.detail.includes("/nowhere/ca.pem"), missing.detail);
  });
});

describe("SMTP_CHECK", () => {
  const smtp = (port: number, timeout = seconds(10)): Checker => ({
    ...SCHEDULE,
    type: "SMTP_CHECK",
    connection: at(port, { timeout }),
    heloName: "me.example",
  });
  const talking = (greeting: string, reply: string, heard: string[] = []) =>
    tcpServer((socket) => {
      socket.write(greeting);
      socket.on("data", (bytes) => {
        heard.push(bytes.toString());
        if (heard.length === 1) socket.write(reply);
      });
    });

  test("greets, with replies of several lines and in pieces, and takes its leave", async () => {
    const heard: string[] = [];
    const port = await talking("220-one\r\n220 two\r\n", "250 fine\r\n", heard);
    assert.equal((await probe(smtp(port))).ok, true);
    assert.equal(heard[0], "HELO me.example\r\n");
  });

  test("says which reply was bad", async () => {
    const greeting = await talking("554 go away\r\n", "");
    assert.deepEqual(await probe(smtp(greeting)), {
      ok: false,
      detail: "greeting answered with 554",
      line: `SMTP_CHECK Bad greeting banner from server [127.0.0.1]:${greeting}`,
      weight: undefined,
    });
    const helo = await talking("220 hi\r\n", "501 no\r\n");
    assert.equal((await probe(smtp(helo))).detail, "HELO answered with 501");
  });

  test("does not read a reply without an end for ever", async () => {
    const port = await talking(`220-${"x".repeat(100_000)}`, "");
    assert.equal((await probe(smtp(port))).detail, "a reply without an end");
  });
});

describe("probes by UDP", () => {
  const udpServer = async (serve: (message: Buffer) => Uint8Array | undefined): Promise<number> => {
    const socket = createSocket("udp4");
    closers.push(() => socket.close());
    socket.on("message", (message, { port, address }) => {
      const reply = serve(message);
      if (reply !== undefined) socket.send(reply, port, address);
    });
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return socket.address().port;
  };
  const closedUdpPort = async (): Promise<number> => {
    const socket = createSocket("udp4").bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { port } = socket.address();
    socket.close();
    await once(socket, "close");
    return port;
  };
  const dns = (port: number, timeout = seconds(10)): Checker => ({
    ...SCHEDULE,
    type: "DNS_CHECK",
    connection: at(port, { timeout }),
    recordType: "SOA",
    name: ".",
  });

  test("DNS_CHECK goes by the rcode of the answer to its own question", async () => {
    const answering = (rcode: number) =>
      udpServer((query) => {
        const reply = Buffer.from(query);
        reply[2] = 0x81;
        reply[3] = 0x80 | rcode;
        return reply;
      });
    assert.equal((await probe(dns(await answering(0)))).ok, true);
    assert.equal((await probe(dns(await answering(2)))).detail, "rcode 2");
    const other = await udpServer((query) => {
      const reply = Buffer.from(query);
      reply[0] = (reply[0] ?? 0) ^ 0xff;
      reply[2] = 0x81;
      return reply;
    });
    assert.equal((await probe(dns(other, milliseconds(50)))).detail, "no answer");
  });

  test("DNS_CHECK says that nobody listens", async () => {
    const port = await closedUdpPort();
    const result = await probe(dns(port));
    assert.ok(!result.ok);
    assert.equal(result.line, "failed to read socket; errno 111 (Connection refused)");
  });

  const udp = (port: number, changed: object, timeout = seconds(10)): Checker => ({
    ...SCHEDULE,
    type: "UDP_CHECK",
    connection: at(port, { timeout }),
    payload: "00ff",
    requireReply: false,
    replyPattern: undefined,
    minReplyLength: 0,
    maxReplyLength: 255,
    ...changed,
  });

  test("UDP_CHECK takes silence for health, and a port unreachable for death", async () => {
    const silent = await udpServer(() => undefined);
    assert.equal((await probe(udp(silent, {}, milliseconds(50)))).ok, true);
    assert.equal((await probe(udp(await closedUdpPort(), {}))).detail, "connection refused");
  });

  test("UDP_CHECK compares the reply with its pattern and its length", async () => {
    const echo = await udpServer((message) => Buffer.concat([message, Buffer.from("ab")]));
    const verdict = async (changed: object) => (await probe(udp(echo, { requireReply: true, ...changed }))).ok;
    assert.equal(await verdict({}), true);
    assert.equal(await verdict({ replyPattern: "00fx61" }), true);
    assert.equal(await verdict({ replyPattern: "00f061" }), false);
    assert.equal(await verdict({ minReplyLength: 5 }), false);
    assert.equal(await verdict({ maxReplyLength: 3 }), false);
    const silent = await udpServer(() => undefined);
    assert.equal((await probe(udp(silent, { requireReply: true }, milliseconds(50)))).detail, "no reply");
  });
});

describe("PING_CHECK", () => {
  const ping = (address: string, timeout = seconds(10)): Checker => ({
    ...SCHEDULE,
    type: "PING_CHECK",
    connection: at(0, { address: address as CheckConnection["address"], timeout }),
  });

  test("hears the echo of an IPv4 and of an IPv6 address", async () => {
    assert.deepEqual(await probe(ping("127.0.0.1")), { ok: true, detail: "echo reply", weight: undefined });
    assert.deepEqual(await probe(ping("::1")), { ok: true, detail: "echo reply", weight: undefined });
  });
});

describe("MISC_CHECK", () => {
  const folder = mkdtempSync(join(tmpdir(), "misc-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const misc = (text: string, dynamic = false, timeout = seconds(20)): Checker => {
    const file = join(folder, "check.sh");
    writeFileSync(file, `#!/bin/sh\n${text}\n`);
    chmodSync(file, 0o755);
    return { ...SCHEDULE, type: "MISC_CHECK", command: script(file), timeout, dynamic };
  };

  test("goes by the exit status, which is a weight when it is dynamic", async () => {
    assert.deepEqual(await probe(misc("exit 0")), { ok: true, detail: "exited with status 0", weight: undefined });
    assert.deepEqual(await probe(misc("exit 5")), {
      ok: false,
      detail: "exited with status 5",
      line: undefined,
      weight: undefined,
    });
    assert.deepEqual(await probe(misc("exit 5", true)), { ok: true, detail: "exited with status 5", weight: 3 });
    assert.equal((await probe(misc("exit 1", true))).ok, false);
  });

  test("fails when it is killed or takes too long", async () => {
    assert.equal((await probe(misc("kill -9 $$"))).detail, "due to signal 9");
    assert.equal((await probe(misc("sleep 60", false, milliseconds(50)))).detail, "timed out");
  });
});

test("a probe that is given up reports nothing", async () => {
  const connected = Promise.withResolvers<Socket>();
  const port = await tcpServer((socket) => connected.resolve(socket));
  let reports = 0;
  const checker: Checker = {
    ...SCHEDULE,
    type: "HTTP_GET",
    connection: at(port),
    httpVersion: "1.0",
    fastRecovery: false,
    urls: [{ path: "/", host: "h", statusCodes: [], digest: undefined, regex: undefined }],
    tls: undefined,
  };
  const abort = startProbe(checker, 0, scripts, () => reports++);
  const socket = await connected.promise;
  abort();
  await once(socket.resume(), "close");
  assert.equal(reports, 0);
});
