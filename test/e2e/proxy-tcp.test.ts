import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { Client, refusingPort, startProxy, startRawServer, until } from "./proxy-support.ts";

const frontend = (timeouts: string, more = "") =>
  `defaults\n  mode tcp\n  option tcplog\n  log 127.0.0.1 local0\n${timeouts}${more}frontend f\n  bind 127.0.0.1:80\n  default_backend b\nbackend b\n`;
const PATIENT = frontend("  timeout connect 2s\n  timeout client 20s\n  timeout server 20s\n");

describe("mode tcp", () => {
  test("bytes go both ways unchanged, also those that come before the server is connected", async (t) => {
    const raw = await startRawServer(t, (socket) => socket.on("data", (chunk) => socket.write(chunk)));
    const proxy = startProxy(t, `${PATIENT}  server s 127.0.0.1:${raw.port}\n`);
    const client = await Client.connect(t, proxy.port());
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) & 0xff));
    client.socket.write(bytes);
    await until("the echo", () => client.received.length === bytes.length);
    assert.ok(client.received.equals(bytes));
  });

  test("a half that ends is ended on the other side, and the other direction goes on", async (t) => {
    let asked = "";
    const raw = await startRawServer(t, (socket) => {
      socket.allowHalfOpen = true;
      socket.on("data", (chunk: Buffer) => {
        asked += chunk.toString();
      });
      socket.on("end", () => socket.end(`heard ${asked}`));
    });
    const proxy = startProxy(t, `${PATIENT}  server s 127.0.0.1:${raw.port}\n`);
    const client = await Client.connect(t, proxy.port());
    client.socket.end("all of it");
    assert.equal(await client.rest(), "heard all of it");
    await until("the log line", () => proxy.logs.length > 0);
    assert.match(proxy.logs[0] ?? "", / f b\/s \d+\/\d+\/\d+ 15 -- 1\/1\/0\/0\/0 0\/0$/);
    await until("both connections are gone", () => !proxy.engine.hasWork());
    const server = proxy.engine.statistics().backends[0]?.servers[0];
    assert.deepEqual([server?.bin, server?.bout, server?.stot, server?.scur, server?.used], [9, 15, 1, 0, 0]);
  });

  test("the server ending first lets the client finish what it has to say", async (t) => {
    let heard = "";
    const raw = await startRawServer(t, (socket) => {
      socket.allowHalfOpen = true;
      socket.end("hello");
      socket.on("data", (chunk: Buffer) => {
        heard += chunk.toString();
      });
    });
    const proxy = startProxy(t, `${PATIENT}  server s 127.0.0.1:${raw.port}\n`);
    const client = await Client.connect(t, proxy.port());
    assert.equal(await client.rest(), "hello");
    client.socket.end("thanks");
    await until("the server has heard it", () => heard === "thanks");
    await until("both connections are gone", () => !proxy.engine.hasWork());
  });

  test("a server that takes its time holds the client back, and loses nothing", async (t) => {
    const size = 24 * 1024 * 1024;
    let socket: Socket | undefined;
    let received = 0;
    const raw = await startRawServer(t, (accepted) => {
      socket = accepted;
      accepted.pause();
      accepted.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
    });
    const proxy = startProxy(t, `${PATIENT}  server s 127.0.0.1:${raw.port}\n`);
    const client = await Client.connect(t, proxy.port());
    client.socket.write(Buffer.alloc(size, "z"));
    let before = -1;
    await until("the client stops", async () => {
      const waiting = client.socket.writableLength;
      const still = socket !== undefined && waiting === before;
      before = waiting;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return still && waiting === client.socket.writableLength;
    });
    assert.ok(client.socket.writableLength > 0, "everything was taken from the client");
    socket?.resume();
    await until("all of it", () => received === size);
  });

  test("a refused connection is logged as SC after its retries, and the client is let go", async (t) => {
    const short = frontend("  timeout connect 100ms\n  timeout client 9s\n  timeout server 9s\n  retries 1\n");
    const proxy = startProxy(t, `${short}  server s 127.0.0.1:${await refusingPort()}\n`);
    const client = await Client.connect(t, proxy.port());
    assert.equal(await client.rest(), "");
    assert.match(proxy.logs[0] ?? "", / f b\/s \d+\/-1\/\d+ 0 SC 1\/1\/0\/0\/1 0\/0$/);
  });

  for (const [side, timeouts] of [
    ["sD", "  timeout connect 2s\n  timeout client 9s\n  timeout server 150ms\n"],
    ["cD", "  timeout connect 2s\n  timeout client 150ms\n  timeout server 9s\n"],
    ["sD", "  timeout connect 2s\n  timeout client 20ms\n  timeout server 20ms\n  timeout tunnel 150ms\n"],
  ] as const) {
    test(`silence ends with ${side} under${timeouts.replaceAll(/\n? {2}timeout/g, ",").trimEnd()}`, async (t) => {
      const raw = await startRawServer(t, () => {});
      const proxy = startProxy(t, `${frontend(timeouts)}  server s 127.0.0.1:${raw.port}\n`);
      const client = await Client.connect(t, proxy.port());
      await client.rest();
      const line = new RegExp(` f b/s \\d+/\\d+/(\\d+) 0 ${side} 1/1/0/0/0 0/0$`).exec(proxy.logs[0] ?? "");
      assert.ok(Number(line?.[1]) >= 149, proxy.logs[0] ?? "no log line");
    });
  }

  test("a half-closed side has a time-out of its own", async (t) => {
    const raw = await startRawServer(t, (socket) => {
      socket.allowHalfOpen = true;
    });
    const timeouts = "  timeout connect 2s\n  timeout client 20s\n  timeout server 20s\n  timeout server-fin 100ms\n";
    const proxy = startProxy(t, `${frontend(timeouts)}  server s 127.0.0.1:${raw.port}\n`);
    const client = await Client.connect(t, proxy.port());
    client.socket.end("enough");
    await client.rest();
    assert.match(proxy.logs[0] ?? "", / 0 sD /);
  });
});
