/**
 * One connection to a server. Belongs to a stream while a request is on it, to the server's pool while it is idle.
 */

import type { IpAddress } from "../base/ip.ts";
import { ResponseReader } from "../http/response-reader.ts";
import type { Connection, ConnectionHandler } from "./port.ts";
import { proxyHeader } from "./proxy-protocol.ts";
import type { Runtime } from "./runtime.ts";
import type { ProxyServer } from "./server.ts";
import { Output } from "./slab.ts";

/** Whose request is on the connection. */
export interface ServerConnectionUser {
  serverConnected(): void;
  /** As `ConnectionHandler.received`. */
  serverReceived(bytes: Uint8Array): void;
  serverEnded(): void;
  serverDrained(): void;
  serverClosed(reason: string | undefined): void;
}

export class ServerConnection implements ConnectionHandler {
  readonly server: ProxyServer;
  readonly connection: Connection;
  readonly output: Output;
  /** Requests that were answered over it. */
  completed = 0;
  /** The server's FIN was seen: good for this response, not for another request. */
  hasEnded = false;
  isClosed = false;
  user: ServerConnectionUser | undefined;
  readonly #runtime: Runtime;
  #reader: ResponseReader | undefined;
  #paused = false;

  constructor(
    runtime: Runtime,
    server: ProxyServer,
    target: { address: IpAddress; port: number },
    user: ServerConnectionUser,
  ) {
    this.#runtime = runtime;
    this.server = server;
    this.user = user;
    this.connection = runtime.transport.connect(target, this);
    this.output = new Output(runtime.slab, this.connection);
    server.pool.opened();
  }

  /** Of mode http; survives from one response to the next. */
  get reader(): ResponseReader {
    this.#reader ??= new ResponseReader(this.#runtime.readerOptions);
    return this.#reader;
  }

  /** `send-proxy`: before anything else on the connection. */
  announce(version: 1 | 2, client: Connection): void {
    this.output.data(proxyHeader(version, client.remote, client.local));
  }

  /** Stops or starts reading, when that changes anything. */
  pause(paused: boolean): void {
    if (paused === this.#paused || this.isClosed) return;
    this.#paused = paused;
    if (paused) this.connection.pause();
    else this.connection.resume();
  }

  connected(): void {
    this.#runtime.timers.tick();
    this.user?.serverConnected();
  }

  received(bytes: Uint8Array): void {
    this.#runtime.timers.tick();
    // Nobody asked: the two sides disagree on where the last response ended.
    if (this.user === undefined) this.abort();
    else this.user.serverReceived(bytes);
  }

  ended(): void {
    this.#runtime.timers.tick();
    this.hasEnded = true;
    if (this.user === undefined) this.abort();
    else this.user.serverEnded();
  }

  drained(): void {
    this.#runtime.timers.tick();
    this.output.drained();
    this.user?.serverDrained();
  }

  closed(reason: string | undefined): void {
    this.#runtime.timers.tick();
    this.#leave();
    const user = this.user;
    this.user = undefined;
    user?.serverClosed(reason);
  }

  /** Ends it for good and tells nobody. */
  abort(): void {
    this.user = undefined;
    this.#leave();
    this.connection.abort(false);
  }

  #leave(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.server.pool.closed(this);
  }
}
