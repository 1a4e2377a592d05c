/**
 * Finds a server for a stream and a connection to it: waits in the queue, connects, tries again, changes the server.
 *
 * configuration.txt `retries`, `option redispatch`, `http-reuse`, `timeout queue|connect`. After `dialed` the timer is the
 * owner's. The place that a stream takes at its server is kept until `release`.
 */

import { type Duration, milliseconds } from "../base/time.ts";
import type { ProxyBackend, Waiting } from "./backend.ts";
import type { Connection } from "./port.ts";
import type { Runtime } from "./runtime.ts";
import type { Killable, ProxyServer } from "./server.ts";
import { ServerConnection, type ServerConnectionUser } from "./server-connection.ts";
import type { Cause, Step, StreamRecord } from "./stream-record.ts";
import { Timer, type TimerOwner } from "./timers.ts";

export interface DialOwner extends ServerConnectionUser, Killable, TimerOwner {
  /** The connection is open and the owner its user. */
  dialed(connection: ServerConnection): void;
  /** The dial has let go of everything. */
  dialFailed(cause: Cause, step: Step): void;
  /** Which of the idle connections may be taken. */
  readonly reuse: "none" | "proven" | "any";
}

const TURN_AROUND = milliseconds(1000);

export class Dial implements Waiting, ServerConnectionUser, TimerOwner {
  /** The server that a cookie names, until it is given up. */
  direct: ProxyServer | undefined;
  server: ProxyServer | undefined;
  connection: ServerConnection | undefined;
  /** The connection carried a request of somebody before. */
  reused = false;
  readonly backend: ProxyBackend;
  readonly #runtime: Runtime;
  readonly #record: StreamRecord;
  readonly #client: Connection;
  readonly #owner: DialOwner;
  readonly #timer = new Timer(this);
  #phase: "idle" | "queued" | "connecting" | "turn-around" | "open" | "released" = "idle";
  /** `dequeued` of the queue that it waits in, when it came. */
  #dequeuedBefore = 0;
  /** `server.served` counts this stream. */
  #placed = false;

  constructor(runtime: Runtime, backend: ProxyBackend, record: StreamRecord, client: Connection, owner: DialOwner) {
    this.#runtime = runtime;
    this.backend = backend;
    this.#record = record;
    this.#client = client;
    this.#owner = owner;
  }

  get wants(): ProxyServer | undefined {
    return this.direct;
  }

  /** What the stream was doing, for its termination state. */
  get step(): Step {
    if (this.#phase === "open") return "H";
    return this.#phase === "queued" ? "Q" : "C";
  }

  start(direct: ProxyServer | undefined): void {
    this.direct = direct;
    this.#assign(undefined);
  }

  /** Again to the same server, over a connection that is certainly open. */
  redial(): void {
    this.#dropConnection();
    this.#record.connectedAt = undefined;
    if (this.server !== undefined) this.#connect(this.server, "none");
  }

  setTimer(delay: Duration | undefined): void {
    this.#runtime.timers.setAfter(this.#timer, delay);
  }

  /** Hands the connection back to the pool, or closes it. */
  giveBack(keep: boolean): void {
    const { connection } = this;
    this.connection = undefined;
    if (connection === undefined) return;
    connection.completed++;
    connection.user = undefined;
    connection.pause(false);
    if (!keep || !connection.server.pool.put(connection)) connection.abort();
  }

  release(): void {
    if (this.#phase === "released") return;
    if (this.#phase === "queued") {
      this.#noteQueue();
      this.backend.leaveQueue(this);
    }
    this.#phase = "released";
    this.#runtime.timers.drop(this.#timer);
    this.#dropConnection();
    this.#leaveServer();
  }

  assigned(server: ProxyServer): void {
    if (this.#phase === "queued") this.#noteQueue();
    const previous = this.server;
    this.server = server;
    this.#placed = true;
    this.#record.queuedUntil = this.#runtime.timers.now;
    this.#record.enterServer(server);
    if (server.killsStreams) server.streams.add(this.#owner);
    if (previous === server) this.#countRetry(server);
    else if (previous !== undefined) {
      this.#record.redispatched = true;
      previous.counters.wredis++;
      this.backend.counters.wredis++;
    }
    this.#connect(server, this.#owner.reuse);
  }

  serverLost(): void {
    this.#noteQueue();
    this.#phase = "idle";
    this.#record.redispatched = true;
    this.direct = undefined;
    this.#assign(undefined);
  }

  timerExpired(): void {
    switch (this.#phase) {
      case "queued":
        this.#record.queuedUntil = this.#runtime.timers.now;
        this.#record.server = this.direct;
        this.#failed("s", "Q");
        break;
      case "connecting":
        this.#connectFailed("s");
        break;
      case "turn-around":
        if (this.server === undefined) break;
        this.#countRetry(this.server);
        this.#connect(this.server, this.#owner.reuse);
        break;
      case "idle":
      case "open":
      case "released":
        this.#owner.timerExpired();
        break;
      default:
        this.#phase satisfies never;
    }
  }

  serverConnected(): void {
    const { connection } = this;
    if (connection !== undefined) this.#opened(connection);
  }

  serverClosed(): void {
    this.#connectFailed("S");
  }

  // A server may speak or leave before we do; it is the owner's as soon as it is connected, which comes first.
  serverReceived(): void {}
  serverEnded(): void {}
  serverDrained(): void {}

  #assign(avoid: ProxyServer | undefined): void {
    const { backend, direct } = this;
    if (direct !== undefined) {
      if (backend.takePlace(direct)) this.assigned(direct);
      else this.#enqueue();
      return;
    }
    const server = backend.choose(avoid);
    if (server !== undefined) this.assigned(server);
    else if (backend.hasUsable) this.#enqueue();
    else this.#failed("S", "C");
  }

  #enqueue(): void {
    const { timeouts } = this.backend.configuration;
    this.#phase = "queued";
    this.backend.wait(this);
    this.#dequeuedBefore = (this.direct ?? this.backend).counters.dequeued;
    this.setTimer(timeouts.queue ?? timeouts.connect);
  }

  /** `%sq`, `%bq`: the place in the queue, counting those alone that were served before. */
  #noteQueue(): void {
    const place = (this.direct ?? this.backend).counters.dequeued - this.#dequeuedBefore + 1;
    if (this.direct === undefined) this.#record.backendQueue = place;
    else this.#record.serverQueue = place;
  }

  #connect(server: ProxyServer, reuse: DialOwner["reuse"]): void {
    const { address, port, sendProxy } = server.configuration;
    this.#record.tryServer(server);
    const poolable = reuse !== "none" && sendProxy === undefined;
    const idle = poolable ? server.pool.take(reuse === "proven") : undefined;
    this.reused = idle !== undefined;
    if (idle !== undefined) {
      server.counters.reuse++;
      this.backend.counters.reuse++;
      this.connection = idle;
      this.#opened(idle);
      return;
    }
    this.#phase = "connecting";
    server.counters.connect++;
    this.backend.counters.connect++;
    const target = { address, port: port === 0 ? this.#client.local.port : port };
    const connection = new ServerConnection(this.#runtime, server, target, this);
    this.connection = connection;
    if (sendProxy !== undefined) connection.announce(sendProxy, this.#client);
    this.setTimer(this.backend.configuration.timeouts.connect);
  }

  #opened(connection: ServerConnection): void {
    this.#phase = "open";
    connection.user = this.#owner;
    this.#record.connectedAt = this.#runtime.timers.now;
    this.#owner.dialed(connection);
  }

  #connectFailed(cause: "S" | "s"): void {
    const { server, backend } = this;
    if (server === undefined) return;
    const { retries, redispatch, timeouts } = backend.configuration;
    this.#dropConnection();
    if (this.#record.retries >= retries) {
      server.counters.econ++;
      this.#failed(cause, "C");
      return;
    }
    this.#record.retries++;
    if (redispatch !== undefined && this.#shouldRedispatch(server, redispatch, retries)) {
      this.#leaveServer();
      this.direct = undefined;
      this.#assign(server);
      return;
    }
    if (cause === "s") {
      this.#countRetry(server);
      this.#connect(server, this.#owner.reuse);
      return;
    }
    // The same server would refuse again at once.
    this.#phase = "turn-around";
    this.setTimer(Math.min(timeouts.connect ?? TURN_AROUND, TURN_AROUND) as Duration);
  }

  /** `after` > 0: every so many retries; below: counted from the last one. */
  #shouldRedispatch(server: ProxyServer, after: number, retries: number): boolean {
    if (!server.status.up) return true;
    const { balance } = this.backend.configuration;
    const rotates = balance === "roundrobin" || balance === "static-rr";
    if (this.direct === undefined && rotates && this.backend.activeServers > 1) return true;
    const every = after > 0 ? after : retries + 1 + after;
    return every > 0 && this.#record.retries % every === 0;
  }

  #countRetry(server: ProxyServer): void {
    server.counters.wretr++;
    this.backend.counters.wretr++;
  }

  #failed(cause: Cause, step: Step): void {
    this.backend.counters.econ++;
    this.release();
    this.#owner.dialFailed(cause, step);
  }

  #dropConnection(): void {
    this.connection?.abort();
    this.connection = undefined;
  }

  #leaveServer(): void {
    const { server } = this;
    if (server === undefined || !this.#placed) return;
    this.#placed = false;
    if (server.killsStreams) server.streams.delete(this.#owner);
    this.#record.leaveServer();
    this.backend.release(server);
  }
}
