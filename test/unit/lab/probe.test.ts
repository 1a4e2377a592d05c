import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { test } from "node:test";
import { httpProbe } from "../../../src/lab/http-probe.ts";
import { type ProbeOutcome, sendProbes } from "../../../src/lab/probe.ts";
import type { ProbeRecord } from "../../../src/lab/probe-record.ts";
import { createWebServer } from "../../../src/lab/web-server.ts";

/** A clock that jumps to the end of each sleep. */
function jumpingClock() {
  let at = 5_000;
  return {
    now: () => at,
    sleep: async (milliseconds: number) => {
      at += milliseconds;
    },
    /** Time that passes while something else is being done. */
    pass(milliseconds: number) {
      at += milliseconds;
    },
  };
}

test("probes are sent at the pace and told in the order of sending", async () => {
  const clock = jumpingClock();
  const answers: ((outcome: ProbeOutcome) => void)[] = [];
  const told: ProbeRecord[] = [];
  const sending = sendProbes(
    () => new Promise((resolve) => answers.push(resolve)),
    { intervalMs: 50, count: 3 },
    clock,
    (record) => told.push(record),
    new AbortController().signal,
  );
  while (answers.length < 3) await new Promise((resolve) => setImmediate(resolve));
  answers[2]?.({ ok: true, by: "s3" });
  answers[0]?.({ ok: true, by: "s1" });
  answers[1]?.({ ok: false, error: "timeout" });
  await sending;
  assert.deepEqual(
    told.map(({ sequence, sentMs, ok, by, error }) => [sequence, sentMs, ok, by ?? error]),
    [
      [0, 5_000, true, "s1"],
      [1, 5_050, false, "timeout"],
      [2, 5_100, true, "s3"],
    ],
  );
});

test("a late probe does not make the next ones later", async () => {
  const clock = jumpingClock();
  const told: number[] = [];
  const probe = async (sequence: number): Promise<ProbeOutcome> => {
    if (sequence === 0) clock.pass(70);
    return { ok: true };
  };
  await sendProbes(
    probe,
    { intervalMs: 50, count: 4 },
    clock,
    (one) => told.push(one.sentMs),
    new AbortController().signal,
  );
  assert.deepEqual(told, [5_000, 5_070, 5_100, 5_150]);
});

test("probes in turn wait for the answer to the one before, and keep the pace when answers are quick", async () => {
  const clock = jumpingClock();
  let underWay = 0;
  const probe = async (sequence: number): Promise<ProbeOutcome> => {
    assert.equal(++underWay, 1);
    await new Promise((resolve) => setImmediate(resolve));
    if (sequence === 1) clock.pass(70);
    underWay--;
    return { ok: true };
  };
  const told: number[] = [];
  await sendProbes(
    probe,
    { intervalMs: 50, count: 4, inTurn: true },
    clock,
    (one) => told.push(one.sentMs),
    new AbortController().signal,
  );
  assert.deepEqual(told, [5_000, 5_050, 5_120, 5_150]);
});

test("sending ends with the duration, or when it is stopped", async () => {
  const told: number[] = [];
  const answer = async (): Promise<ProbeOutcome> => ({ ok: true });
  const pace = { intervalMs: 50, count: 100, durationMs: 120 };
  await sendProbes(answer, pace, jumpingClock(), (one) => told.push(one.sequence), new AbortController().signal);
  assert.deepEqual(told, [0, 1, 2]);
  const stop = new AbortController();
  told.length = 0;
  const stopping = async (sequence: number): Promise<ProbeOutcome> => {
    if (sequence === 4) stop.abort();
    return { ok: true };
  };
  await sendProbes(
    stopping,
    { intervalMs: 1, count: 100 },
    jumpingClock(),
    (one) => told.push(one.sequence),
    stop.signal,
  );
  assert.deepEqual(told, [0, 1, 2, 3, 4]);
});

test("the HTTP probe names who answered", async () => {
  const log: string[] = [];
  const server = createWebServer({ name: "s7", log: (line) => log.push(line) }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/page`;
  const options = { url, timeoutMs: 5_000, keepAlive: false, keepCookies: false };
  assert.deepEqual(await httpProbe(options)(0), { ok: true, status: 200, by: "s7" });
  const closed = once(server, "close");
  server.close();
  await closed;
  assert.match(log[0] ?? "", /^127\.0\.0\.1 - - \[.*\] "GET \/page HTTP\/1\.1" 200 3$/);
  assert.deepEqual(await httpProbe(options)(1), { ok: false, error: "ECONNREFUSED" });
});

test("the HTTP probe sends the cookie back that it was given, and names the first line of a page", async () => {
  const asked: string[] = [];
  const server = createServer((socket) => {
    socket.on("data", (bytes) => {
      asked.push(/^cookie: (.*)\r$/im.exec(bytes.toString("latin1"))?.[1] ?? "none");
      socket.end("HTTP/1.1 200 OK\r\nSet-Cookie: SERVERID=w1; path=/\r\nConnection: close\r\n\r\nweb one\nmore\n");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const probe = httpProbe({ url, timeoutMs: 5_000, keepAlive: false, keepCookies: true });
  assert.deepEqual(await probe(0), { ok: true, status: 200, by: "web one" });
  await probe(1);
  assert.deepEqual(asked, ["none", "SERVERID=w1"]);
  server.close();
});

test("an error status is no answer, and silence is a time-out", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      if (bytes.toString("latin1").startsWith("GET /busy")) {
        socket.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      }
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const common = { keepAlive: false, keepCookies: false };
  assert.deepEqual(await httpProbe({ url: `${base}/busy`, timeoutMs: 5_000, ...common })(0), {
    ok: false,
    status: 503,
    error: "status 503",
  });
  assert.deepEqual(await httpProbe({ url: `${base}/`, timeoutMs: 30, ...common })(0), { ok: false, error: "timeout" });
  server.close();
});
