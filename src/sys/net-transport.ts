/**
 * The proxy's port over `node:net`: for places where io_uring is not to be had.
 *
 * Listening descriptors are inherited and may be shared with other processes. Nothing here times out.
 */

import { connect, createServer, type Server, type Socket, type TcpNetConnectOpts } from "node:net";
import { type IpAddress, parseIp } from "../base/ip.ts";
import type { Duration } from "../base/time.ts";
import type { Connection, ConnectionHandler, Endpoint, Listener, ListenerHandler, Transport } from "../proxy/port.ts";
import { addon, type Descriptor, SystemError } from "./addon.ts";
import { duplicate } from "./duplicate.ts";
import { blockOf, ReadBlocks } from "./read-blocks.ts";

/** From this much unsent a writer is told to wait. A read of a server may add a block (read-blocks.ts) to it. */
const HIGH_WATER_BYTES = 16 * 1024;
/** What is asked for when a descriptor is listened on again; the kernel caps it at net.core.somaxconn. */
const BACKLOG = 4096;
const LONGEST_ALARM_MS = 2 ** 31 - 1;

export class NetTransport implements Transport {
  #alarm: NodeJS.Timeout | undefined;

  listen(descriptor: Descriptor, handler: ListenerHandler): Listener {
    return new NetListener(descriptor, handler);
  }

  connect(to: Endpoint, handler: ConnectionHandler): Connection {
    const blocks = new ReadBlocks();
    const options: TcpNetConnectOpts & { readonly highWaterMark: number } = {
      host: to.address,
      port: to.port,
      noDelay: true,
      allowHalfOpen: true,
      highWaterMark: HIGH_WATER_BYTES,
      onread: {
        buffer: () => blocks.next(),
        callback(length: number, block: Uint8Array) {
          connection.handler.received(block.subarray(0, length));
          return true;
        },
      },
    };
    const socket = connect(options);
    const connection = new NetConnection(socket, handler, to, blocks);
    return connection;
  }

  setAlarm(delay: Duration | undefined, ring: () => void): void {
    clearTimeout(this.#alarm);
    if (delay === undefined) return;
    // Rounded up: an alarm that rings early would only be set again.
    this.#alarm = setTimeout(ring, Math.min(Math.ceil(delay / 1000), LONGEST_ALARM_MS));
    // What it is for keeps the process alive, if anything does.
    this.#alarm.unref();
  }
}

class NetListener implements Listener {
  readonly #handler: ListenerHandler;
  #descriptor: Descriptor;
  /** Undefined: paused or closed. */
  #server: Server | undefined;
  #closed = false;

  constructor(descriptor: Descriptor, handler: ListenerHandler) {
    this.#descriptor = descriptor;
    this.#handler = handler;
    this.resume();
  }

  /** `net.Server` cannot pause, only close its descriptor: so another one for the same socket is kept. */
  pause(): void {
    if (this.#server === undefined) return;
    try {
      this.#descriptor = duplicate(this.#descriptor);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // Out of descriptors: better too many clients than none ever again.
      this.#handler.failed(error.code);
      return;
    }
    this.#server.close();
    this.#server = undefined;
  }

  resume(): void {
    if (this.#closed || this.#server !== undefined) return;
    const server = createServer({ noDelay: true, allowHalfOpen: true, highWaterMark: HIGH_WATER_BYTES }, (socket) =>
      this.#accepted(socket),
    );
    server.on("error", (error) => this.#handler.failed(reasonOf(error)));
    server.listen({ fd: this.#descriptor }, BACKLOG);
    this.#server = server;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#server === undefined) addon.close(this.#descriptor);
    else this.#server.close();
    this.#server = undefined;
  }

  #accepted(socket: Socket): void {
    const remote = endpoint(socket.remoteAddress, socket.remotePort);
    if (remote === undefined) {
      // It has gone already.
      socket.destroy();
      return;
    }
    this.#handler.accepted(new NetConnection(socket, undefined, remote));
  }
}

class NetConnection implements Connection {
  handler: ConnectionHandler;
  readonly remote: Endpoint;
  readonly #socket: Socket;
  /** Undefined: Node makes a buffer for each read, as it does for accepted sockets. */
  readonly #blocks: ReadBlocks | undefined;
  #local: Endpoint | undefined;
  #reason: string | undefined;
  #done = false;

  constructor(socket: Socket, handler: ConnectionHandler | undefined, remote: Endpoint, blocks?: ReadBlocks) {
    this.#socket = socket;
    this.#blocks = blocks;
    this.remote = remote;
    this.handler = handler ?? UNATTENDED;
    if (blocks === undefined) socket.on("data", (bytes: Uint8Array) => this.handler.received(bytes));
    socket.on("end", () => this.handler.ended());
    socket.on("drain", () => this.handler.drained());
    socket.on("error", (error) => {
      this.#reason = reasonOf(error);
    });
    socket.on("close", () => {
      this.#done = true;
      this.handler.closed(this.#reason);
      this.#blocks?.close();
    });
    if (socket.connecting) socket.on("connect", () => this.handler.connected());
  }

  get local(): Endpoint {
    this.#local ??= endpoint(this.#socket.localAddress, this.#socket.localPort);
    return this.#local ?? NOWHERE;
  }

  get pending(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#done || !this.#socket.writable) return true;
    const block = blockOf.get(bytes.buffer);
    if (block === undefined) return this.#socket.write(bytes);
    block.users++;
    return this.#socket.write(bytes, block.release);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  end(): void {
    this.#socket.end();
  }

  abort(reset: boolean): void {
    this.#done = true;
    if (reset) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  pause(): void {
    this.#blocks?.retain();
    this.#socket.pause();
  }

  resume(): void {
    this.#blocks?.forget();
    this.#socket.resume();
  }
}

const NOWHERE: Endpoint = { address: "0.0.0.0" as IpAddress, port: 0 };

/** Until the proxy has said who is told. */
const UNATTENDED: ConnectionHandler = { connected() {}, received() {}, ended() {}, drained() {}, closed() {} };

function endpoint(address: string | undefined, port: number | undefined): Endpoint | undefined {
  if (address === undefined || port === undefined) return undefined;
  // A socket for both families shows IPv4 clients as ::ffff:a.b.c.d.
  const parsed = parseIp(address.startsWith("::ffff:") ? address.slice(7) : address) ?? parseIp(address);
  return parsed === undefined ? undefined : { address: parsed, port };
}

const reasonOf = (error: NodeJS.ErrnoException): string => error.code ?? "EIO";
