/**
 * A frontend: its listeners, how many connections it may hold, its figures.
 *
 * configuration.txt `bind`, `maxconn`, `mode`. A full frontend stops accepting and leaves clients in the kernel's queue.
 */

import type { Frontend } from "../config/model/proxy.ts";
import type { ProxyBackend } from "./backend.ts";
import { FrontendCounters } from "./counters.ts";
import { HttpClient } from "./http-client.ts";
import type { Connection, Listener } from "./port.ts";
import type { Runtime } from "./runtime.ts";
import type { FrontendStatistics } from "./statistics.ts";
import { TcpStream } from "./tcp-stream.ts";

/** What a frontend asks of the connection of one of its clients. */
export interface ClientSession {
  /** Ends after the request under way; at once when there is none. */
  softStop(): void;
  hardStop(): void;
}

export class ProxyFrontend {
  readonly configuration: Frontend;
  readonly backend: ProxyBackend | undefined;
  readonly counters = new FrontendCounters();
  readonly sessions = new Set<ClientSession>();
  readonly runtime: Runtime;
  readonly #listeners: Listener[] = [];
  /** Connections that it may hold. */
  readonly limit: number;
  #full = false;
  #closed = false;

  constructor(configuration: Frontend, backend: ProxyBackend | undefined, runtime: Runtime, limit: number) {
    this.configuration = configuration;
    this.backend = backend;
    this.runtime = runtime;
    this.limit = limit;
  }

  get name(): string {
    return this.configuration.name;
  }

  listen(descriptor: number): void {
    const listener = this.runtime.transport.listen(descriptor, {
      accepted: (connection) => this.#accepted(connection),
      failed: (reason) => {
        this.counters.eint++;
        this.runtime.log(this.configuration.logs, "alert", `Proxy ${this.name} cannot accept: ${reason}.`);
      },
    });
    this.#listeners.push(listener);
    if (this.#full) listener.pause();
  }

  /** `processFull`: global maxconn is reached. */
  updateAccepting(processFull: boolean): void {
    const full = processFull || this.counters.scur >= this.limit;
    if (full === this.#full) return;
    this.#full = full;
    for (const listener of this.#listeners) {
      if (full) listener.pause();
      else listener.resume();
    }
  }

  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners.splice(0)) listener.close();
  }

  sessionEnded(session: ClientSession): void {
    if (!this.sessions.delete(session)) return;
    this.counters.sessionEnds();
    this.runtime.connections--;
    this.runtime.connectionsChanged(this);
  }

  statistics(now: number): FrontendStatistics {
    const { counters, configuration } = this;
    return {
      ...counters.traffic(now),
      name: this.name,
      position: configuration.position,
      id: configuration.id,
      mode: configuration.mode,
      status: this.#closed || configuration.disabled ? "STOP" : this.#full ? "FULL" : "OPEN",
      slim: this.limit,
      dreq: counters.dreq,
      dresp: counters.dresp,
      ereq: counters.ereq,
      reqRate: counters.reqRate.read(now),
      reqRateMax: counters.reqRate.max,
      connRate: counters.connRate.read(now),
      connRateMax: counters.connRate.max,
      connTot: counters.connTot,
      intercepted: counters.intercepted,
    };
  }

  #accepted(connection: Connection): void {
    const { runtime, counters } = this;
    runtime.timers.tick();
    const now = runtime.timers.now;
    counters.connTot++;
    counters.connRate.hit(now);
    counters.sessionBegins(now);
    runtime.connections++;
    runtime.cumulativeConnections++;
    const session =
      this.configuration.mode === "http" ? new HttpClient(this, connection) : new TcpStream(this, connection);
    this.sessions.add(session);
    session.begin();
    runtime.connectionsChanged(this);
  }
}
