/**
 * Real traffic in a namespace: a process that serves and calls TCP and UDP as lines on its standard input say, one JSON
 * request a line, one JSON answer a line, in the order in which they are done. For tests of whole paths.
 *
 * What is sent is known to both ends, so what arrives is compared by its hash. It measures no throughput.
 */

import { createHash, type Hash } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { connect, createServer, isIPv6, type Socket } from "node:net";
import { createInterface } from "node:readline";

export interface Address {
  readonly address: string;
  readonly port: number;
}

/** What a server says of a call, or why there was none. */
export interface Called {
  readonly server: string;
  /** The caller's address as the server sees it. */
  readonly from: string;
  /** A port cannot be told in advance; that it is the caller's own can. */
  readonly samePort: boolean;
}

export type Request =
  | { readonly do: "serve"; readonly name: string; readonly at: readonly Address[] }
  /** Sends `up` bytes, then hears `down`. Fails with a code, or `STALLED` when nothing has come for `patience` ms. */
  | {
      readonly do: "transfer";
      readonly to: Address;
      readonly up: number;
      readonly down: number;
      readonly from?: string;
      readonly patience?: number;
    }
  /** Datagrams of these sizes one after the other from one socket; each is echoed. */
  | {
      readonly do: "echo";
      readonly to: Address;
      readonly sizes: readonly number[];
      readonly from?: string;
      readonly ttl?: number;
      readonly patience?: number;
    }
  /** Connects and closes again and again from few ports, each used by `ports` turns. Answers the times in ms. */
  | {
      readonly do: "reuse";
      readonly to: Address;
      readonly ports: number;
      readonly times: number;
      readonly first: number;
    }
  | { readonly do: "checksumErrors" };

const BLOCK = (() => {
  const parts: Buffer[] = [];
  for (let n = 0; n < 2048; n++) parts.push(createHash("sha256").update(`${n}`).digest());
  // A prime: no segment size divides it, so that no two segments are alike.
  return Buffer.concat(parts).subarray(0, 65_521);
})();

function hashOf(bytes: number): string {
  const hash = createHash("sha256");
  for (let left = bytes; left > 0; left -= BLOCK.length) hash.update(BLOCK.subarray(0, left));
  return hash.digest("hex");
}

function send(socket: Socket, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    let left = bytes;
    const more = () => {
      while (left > 0) {
        const part = BLOCK.subarray(0, left);
        left -= part.length;
        if (!socket.write(part) && left > 0) return;
      }
      socket.off("drain", more);
      resolve();
    };
    socket.on("drain", more);
    more();
  });
}

/** A line `UP DOWN`, UP bytes; then a line `NAME ADDRESS PORT HASH`, DOWN bytes. */
function answer(name: string, socket: Socket): void {
  let head = "";
  let up = 0;
  let down = 0;
  let hash: Hash | undefined;
  const done = async () => {
    socket.write(`${name} ${socket.remoteAddress} ${socket.remotePort} ${hash?.digest("hex")}\n`);
    await send(socket, down);
    socket.end();
  };
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    let rest = chunk;
    if (hash === undefined) {
      const end = rest.indexOf("\n");
      head += rest.subarray(0, end < 0 ? rest.length : end).toString("latin1");
      if (end < 0) return;
      [up = 0, down = 0] = head.split(" ").map(Number);
      hash = createHash("sha256");
      rest = rest.subarray(end + 1);
    } else if (up <= 0) {
      return;
    }
    hash.update(rest);
    up -= rest.length;
    if (up <= 0) void done();
  });
}

async function serve(name: string, at: readonly Address[]): Promise<void> {
  for (const { address, port } of at) {
    const server = createServer({ allowHalfOpen: true }, (socket) => answer(name, socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen({ port, host: address, backlog: 4096, ipv6Only: true }, resolve);
    });
    const socket = createSocket({ type: isIPv6(address) ? "udp6" : "udp4", ipv6Only: isIPv6(address) });
    socket.on("message", (message: Buffer, { address: from, port: fromPort }: RemoteInfo) => {
      socket.send(Buffer.concat([Buffer.from(`${name} ${from} ${fromPort}\n`), message]), fromPort, from);
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject).bind(port, address, resolve);
    });
  }
}

const plain = (address: string): string => address.replace(/^::ffff:/, "");

function called(line: string, ownPort: number | undefined): Called {
  const [server = "", from = "", port] = line.split(" ");
  return { server, from: plain(from), samePort: Number(port) === ownPort };
}

function transfer({ to, up, down, from, patience = 5000 }: Extract<Request, { do: "transfer" }>): Promise<Called> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: to.address, port: to.port, ...(from === undefined ? {} : { localAddress: from }) });
    const hash = createHash("sha256");
    let line = "";
    let whole = false;
    let left = down;
    socket.setTimeout(patience, () => socket.destroy(new Error(`STALLED with ${left} bytes to come`)));
    socket.once("error", (error) => reject(error));
    socket.once("connect", () => {
      socket.write(`${up} ${down}\n`);
      void send(socket, up);
    });
    socket.on("data", (chunk: Buffer) => {
      let rest = chunk;
      if (!whole) {
        const end = rest.indexOf("\n");
        line += rest.subarray(0, end < 0 ? rest.length : end).toString("latin1");
        if (end < 0) return;
        whole = true;
        rest = rest.subarray(end + 1);
      }
      hash.update(rest);
      left -= rest.length;
    });
    socket.once("end", () => {
      const ownPort = socket.localPort;
      socket.end();
      if (line.split(" ")[3] !== hashOf(up)) reject(new Error(`the server got something else: ${line}`));
      else if (left !== 0 || hash.digest("hex") !== hashOf(down)) reject(new Error(`got something else, ${left} less`));
      else resolve(called(line, ownPort));
    });
  });
}

/** Below those that the kernel gives out. One that comes again would meet the connection that the director remembers of it. */
let nextUdpPort = 12_000;

async function echo({ to, sizes, from, ttl, patience = 2000 }: Extract<Request, { do: "echo" }>): Promise<Called[]> {
  const socket: UdpSocket = createSocket(isIPv6(to.address) ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket
        .once("error", reject)
        .bind({ port: nextUdpPort++, ...(from === undefined ? {} : { address: from }) }, resolve);
    });
    socket.removeAllListeners("error");
    await new Promise<void>((resolve, reject) => {
      socket.connect(to.port, to.address, (error?: Error | null) => (error ? reject(error) : resolve()));
    });
    if (ttl !== undefined) socket.setTTL(ttl);
    const answers: Called[] = [];
    for (const size of sizes) {
      const sent = Buffer.alloc(size, BLOCK);
      const got = await new Promise<Buffer>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no echo of ${size} bytes`)), patience);
        const settle = (work: () => void) => {
          clearTimeout(timer);
          socket.removeAllListeners("message").removeAllListeners("error");
          work();
        };
        socket.once("message", (message: Buffer) => settle(() => resolve(message)));
        socket.once("error", (error) => settle(() => reject(error)));
        socket.send(sent, (error) => {
          if (error) settle(() => reject(error));
        });
      });
      const end = got.indexOf("\n");
      if (!got.subarray(end + 1).equals(sent)) throw new Error(`the echo of ${size} bytes is another`);
      answers.push(called(got.subarray(0, end).toString("latin1"), socket.address().port));
    }
    return answers;
  } finally {
    socket.close();
  }
}

function connectFrom(to: Address, localPort: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const socket = connect({ host: to.address, port: to.port, localPort });
    socket.once("error", reject);
    socket.once("connect", () => {
      const time = performance.now() - start;
      socket.once("close", () => resolve(time));
      // A reset frees the port at once, and leaves the balancer's entry closing.
      socket.resetAndDestroy();
    });
  });
}

async function reuse({ to, ports, times, first }: Extract<Request, { do: "reuse" }>): Promise<number[]> {
  const measured: number[] = [];
  for (let n = 0; n < times; n++) measured.push(await connectFrom(to, first + (n % ports)));
  return measured.sort((a, b) => a - b);
}

/** Of both families. */
function checksumErrors(): Record<string, number> {
  const found: Record<string, number> = {};
  const rows = readFileSync("/proc/net/snmp", "utf8").split("\n");
  for (let n = 0; n + 1 < rows.length; n += 2) {
    const [protocol, ...names] = rows[n]?.split(" ") ?? [];
    const values = rows[n + 1]?.split(" ") ?? [];
    names.forEach((name, index) => {
      if (name === "InCsumErrors") found[`${protocol}${name}`] = Number(values[index + 1]);
    });
  }
  for (const [, name = "", value] of readFileSync("/proc/net/snmp6", "utf8").matchAll(
    /^(\S+InCsumErrors)\s+(\d+)$/gm,
  )) {
    found[name] = Number(value);
  }
  return found;
}

async function perform(request: Request): Promise<unknown> {
  switch (request.do) {
    case "serve":
      return serve(request.name, request.at);
    case "transfer":
      return transfer(request);
    case "echo":
      return echo(request);
    case "reuse":
      return reuse(request);
    case "checksumErrors":
      return checksumErrors();
    default:
      return request satisfies never;
  }
}

if (process.argv[1] === import.meta.filename) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, request } = JSON.parse(line) as { id: number; request: Request };
    void perform(request).then(
      (value) => process.stdout.write(`${JSON.stringify({ id, value })}\n`),
      (error: NodeJS.ErrnoException) =>
        process.stdout.write(`${JSON.stringify({ id, error: error.code ?? error.message })}\n`),
    );
  }
}
