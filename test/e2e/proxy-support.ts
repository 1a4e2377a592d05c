/** A proxy engine over real sockets of the loopback interface, servers that answer by script, and clients that say raw bytes. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { IpAddress } from "../../src/base/ip.ts";
import type { ServerStatus } from "../../src/health/status.ts";
import { ProxyEngine, type ProxyEngineOptions } from "../../src/proxy/engine.ts";
import { monotonicNow } from "../../src/sys/clock.ts";
import { listenTcp } from "../../src/sys/listen.ts";
import { NetTransport } from "../../src/sys/net-transport.ts";
import { modelOf } from "../support/haproxy-text.ts";
import { until } from "../support/until.ts";

export { until };

const LOOPBACK = "127.0.0.1" as IpAddress;

export interface RunningProxy {
  readonly engine: ProxyEngine;
  /** Port of the first bind of a frontend. */
  port(frontend?: string): number;
  /** Messages in order of arrival. */
  readonly logs: string[];
}

/** `configuration` binds with port 0; what a frontend got is asked with `port`. */
export function startProxy(
  context: TestContext,
  configuration: string,
  options: Partial<ProxyEngineOptions> = {},
  descriptors: ReadonlyMap<string, number> = new Map(),
): RunningProxy {
  // The language has no port 0; the number written is never bound.
  const model = modelOf(`${configuration}\n`);
  const logs: string[] = [];
  const ports = new Map<string, number>();
  const engine = new ProxyEngine({
    configuration: model,
    transport: new NetTransport(),
    clock: { now: monotonicNow, wallClockMs: Date.now },
    log: { write: (_target, _level, message) => logs.push(message) },
    random: () => 0.5,
    hostname: "lb1",
    pid: 4711,
    version: "1.2.3",
    ...options,
  });
  for (const frontend of model.frontends) {
    const given = descriptors.get(frontend.name);
    const descriptor = given ?? listenOnFreePort();
    ports.set(frontend.name, portOf(descriptor));
    engine.listen(frontend.name, 0, descriptor);
  }
  context.after(() => engine.hardStop());
  return {
    engine,
    logs,
    port: (frontend = model.frontends[0]?.name ?? "") => ports.get(frontend) ?? assert.fail(`no frontend ${frontend}`),
  };
}

export const listenOnFreePort = (): number => listenTcp({ address: LOOPBACK, port: 0 });

/** The kernel's own answer, as Node has no getsockname for a bare descriptor. */
export function portOf(descriptor: number): number {
  const inode = /\[(\d+)\]/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1];
  for (const line of readFileSync("/proc/self/net/tcp", "utf8").split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (fields[9] === inode) return Number.parseInt((fields[1] ?? "").slice(-4), 16);
  }
  throw new Error(`descriptor ${descriptor} does not listen`);
}

export const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

export type Behaviour = (request: ServedRequest) => void;

export interface ServedRequest {
  /** Start line and fields without the final empty line. */
  readonly head: string;
  readonly path: string;
  readonly body: Buffer;
  readonly socket: Socket;
  answer(bytes: string | Buffer): void;
}

export interface ScriptedServer {
  readonly port: number;
  readonly requests: ServedRequest[];
  /** Connections accepted so far. */
  readonly connections: Socket[];
}

/** An HTTP server without opinions: reads requests with Content-Length or chunked bodies and hands them to `behave`. */
export async function startServer(context: TestContext, behave: Behaviour): Promise<ScriptedServer> {
  const requests: ServedRequest[] = [];
  const { port, connections } = await startRawServer(context, (socket) => {
    let pending: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      for (let next = takeRequest(pending, socket); next !== undefined; next = takeRequest(pending, socket)) {
        pending = next.rest;
        requests.push(next.request);
        behave(next.request);
      }
    });
  });
  return { port, requests, connections };
}

export async function startRawServer(
  context: TestContext,
  accept: (socket: Socket) => void,
): Promise<{ port: number; connections: Socket[] }> {
  const connections: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: false, noDelay: true }, (socket) => {
    connections.push(socket);
    socket.on("error", () => {});
    accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.close();
    for (const socket of connections) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, connections };
}

function takeRequest(bytes: Buffer, socket: Socket): { request: ServedRequest; rest: Buffer } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = bytes.subarray(0, end).toString("latin1");
  let rest: Buffer = bytes.subarray(end + 4);
  let body: Buffer = Buffer.alloc(0);
  const length = Number(/\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
  if (/\ntransfer-encoding: chunked/.test(head)) {
    const last = rest.indexOf("0\r\n\r\n");
    if (last < 0) return undefined;
    body = rest.subarray(0, last + 5);
  } else if (rest.length < length) return undefined;
  else body = rest.subarray(0, length);
  rest = rest.subarray(body.length);
  const path = head.split(" ", 2)[1] ?? "";
  return { request: { head, path, body, socket, answer: (answer) => socket.write(answer) }, rest };
}

/** Answers every request with its name. */
export const named =
  (name: string): Behaviour =>
  ({ answer }) =>
    answer(response(name));

export const response = (body: string, fields = "", start = "HTTP/1.1 200 OK"): string =>
  `${start}\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

export const get = (path = "/", fields = ""): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;

/** A client connection; everything received is kept. */
export class Client {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  /** The other side has closed. */
  ended = false;
  error: string | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.error = error.code;
      this.ended = true;
    });
  }

  static async connect(context: TestContext, port: number): Promise<Client> {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
    const client = new Client(socket);
    context.after(() => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return client;
  }

  get text(): string {
    return this.received.toString("latin1");
  }

  /** Sends and waits for one response with Content-Length (or none), which is taken out of `received`. */
  async ask(bytes: string | Buffer): Promise<string> {
    this.socket.write(bytes);
    return this.response();
  }

  async response(): Promise<string> {
    await until(`a response, has ${JSON.stringify(this.text.slice(0, 200))}`, () => this.ended || this.#complete());
    const size = this.#complete();
    const text = this.text.slice(0, size === 0 ? undefined : size);
    this.received = this.received.subarray(text.length);
    return text;
  }

  /** Everything up to the end of the connection. */
  async rest(): Promise<string> {
    await until(`the end of the connection, has ${JSON.stringify(this.text.slice(0, 200))}`, () => this.ended);
    return this.text;
  }

  #complete(): number {
    const text = this.text;
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) return 0;
    const length = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, end + 2))?.[1] ?? 0);
    return text.length >= end + 4 + length ? end + 4 + length : 0;
  }
}

export const bodyOf = (message: string): string => message.slice(message.indexOf("\r\n\r\n") + 4);

/** One request over a connection of its own. */
export async function once(context: TestContext, port: number, bytes: string | Buffer = get()): Promise<string> {
  const client = await Client.connect(context, port);
  const answer = await client.ask(bytes);
  client.socket.destroy();
  return answer;
}

export function statusOf(up: boolean, text = up ? "UP" : "DOWN"): ServerStatus {
  const [lastChangeMs, checkFailures, downTransitions, downtimeMs] = [Date.now(), 0, 0, 0];
  return { up, text, check: undefined, lastChangeMs, checkFailures, downTransitions, downtimeMs };
}

/** A port that refuses: bound and closed a moment ago, and nobody else's by then. */
export async function refusingPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const TIMEOUTS = "  timeout connect 2s\n  timeout client 20s\n  timeout server 20s\n";
