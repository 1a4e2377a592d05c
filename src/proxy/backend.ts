/**
 * A backend: its servers, who may be chosen, and who waits.
 *
 * configuration.txt `balance`, `cookie`, `maxconn` of a server, `timeout queue`. A request waits in one queue for the whole
 * backend, or for the server that its cookie names; a place that becomes free goes to whoever has waited longest.
 */

import { Balancer } from "../balance/balancer.ts";
import type { Backend } from "../config/model/proxy.ts";
import type { ServerStatus } from "../health/status.ts";
import { ServingCounters } from "./counters.ts";
import type { Runtime } from "./runtime.ts";
import { ProxyServer } from "./server.ts";
import type { BackendStatistics } from "./statistics.ts";

/** Somebody who waits for a place on a server. */
export interface Waiting {
  /** Undefined: any server will do. */
  readonly wants: ProxyServer | undefined;
  /** A place is taken for it: `served` already counts it. */
  assigned(server: ProxyServer): void;
  /** Out of the queue again: the server that it waited for went down, and another may take its place. */
  serverLost(): void;
}

export class ProxyBackend {
  readonly configuration: Backend;
  readonly servers: readonly ProxyServer[];
  readonly counters = new ServingCounters();
  readonly #balancer: Balancer<ProxyServer>;
  readonly #byCookie = new Map<string, ProxyServer[]>();
  /** In order of arrival. */
  readonly #queue = new Set<Waiting>();
  /** How many of them wait for one server. */
  #bound = 0;
  readonly #runtime: Runtime;
  #downTransitions = 0;
  #lastChangeMs: number;
  #downtimeMs = 0;
  dreq = 0;

  constructor(configuration: Backend, runtime: Runtime) {
    this.configuration = configuration;
    this.#runtime = runtime;
    const nowMs = runtime.wallClockMs();
    this.#lastChangeMs = nowMs;
    this.#balancer = new Balancer(configuration.balance, configuration.allBackups);
    this.servers = configuration.servers.map((server) => new ProxyServer(server, runtime.timers, nowMs));
    for (const server of this.servers) {
      this.#balancer.update(server, this.#takesPart(server));
      const { cookie } = server.configuration;
      if (cookie !== undefined) this.#byCookie.set(cookie, [...(this.#byCookie.get(cookie) ?? []), server]);
    }
  }

  get name(): string {
    return this.configuration.name;
  }

  /** Nobody could take a request, now or later. */
  get hasUsable(): boolean {
    return this.#balancer.hasUsable;
  }

  get activeServers(): number {
    return this.#balancer.activeCount;
  }

  /** The servers with this cookie, in file order; several may share one. */
  withCookie(value: string): readonly ProxyServer[] {
    return this.configuration.disabled ? [] : (this.#byCookie.get(value) ?? []);
  }

  /** Chooses and takes a place. Undefined: all places are taken, see `hasUsable`. */
  choose(avoid: ProxyServer | undefined): ProxyServer | undefined {
    const server = this.#balancer.choose(avoid);
    if (server !== undefined) {
      server.counters.lbtot++;
      this.counters.lbtot++;
      this.#take(server);
    }
    return server;
  }

  /** A place on this very server. False: it has none. */
  takePlace(server: ProxyServer): boolean {
    if (server.maxconn > 0 && (server.served >= server.maxconn || server.queued > 0)) return false;
    this.#take(server);
    return true;
  }

  release(server: ProxyServer): void {
    server.served--;
    this.#balancer.loadChanged(server);
    if (this.#queue.size > 0) this.#serveQueue();
  }

  wait(who: Waiting): void {
    this.#queue.add(who);
    (who.wants ?? this).counters.enqueued();
    if (who.wants === undefined) return;
    who.wants.queued++;
    this.#bound++;
    this.#balancer.loadChanged(who.wants);
  }

  leaveQueue(who: Waiting): void {
    if (!this.#queue.delete(who)) return;
    (who.wants ?? this).counters.queued--;
    if (who.wants === undefined) return;
    who.wants.queued--;
    this.#bound--;
    this.#balancer.loadChanged(who.wants);
  }

  setStatus(server: ProxyServer, status: ServerStatus): void {
    const wasUsable = this.hasUsable;
    const wasUp = server.status.up;
    server.status = status;
    this.#balancer.update(server, this.#takesPart(server));
    if (wasUp && !status.up) {
      server.pool.clear();
      if (this.configuration.redispatch !== undefined && server.queued > 0) this.#redistribute(server);
      for (const stream of [...server.streams]) stream.serverDied();
    }
    if (wasUsable !== this.hasUsable) this.#usableChanged();
    if (status.up && this.#queue.size > 0) this.#serveQueue();
  }

  clearPools(): void {
    for (const server of this.servers) server.pool.clear();
  }

  /** `fullconn`: what it may carry, by what its frontends let in. */
  statistics(fullconn: number, now: number): BackendStatistics {
    const { name, position, mode, balance, cookie, servers } = this.configuration;
    const carrying = this.servers.filter((server) => this.#balancer.takesLoad(server));
    return {
      ...this.counters.serving(now),
      name,
      position,
      id: this.configuration.id,
      mode,
      algo: balance,
      cookie: cookie?.name,
      up: servers.length === 0 || this.hasUsable,
      slim: fullconn,
      dreq: this.dreq,
      weight: carrying.reduce((sum, server) => sum + server.weight, 0),
      act: this.#balancer.activeCount,
      bck: this.#balancer.backupCount,
      chkdown: this.#downTransitions,
      lastChangeMs: this.#lastChangeMs,
      downtimeMs: this.#downtimeMs,
      servers: this.servers.map((server) => server.statistics(mode, now)),
    };
  }

  /** A disabled backend has no server, whatever the checks say. */
  #takesPart(server: ProxyServer): boolean {
    return server.status.up && !this.configuration.disabled;
  }

  #take(server: ProxyServer): void {
    server.served++;
    this.#balancer.loadChanged(server);
  }

  #usableChanged(): void {
    const nowMs = this.#runtime.wallClockMs();
    if (this.hasUsable) this.#downtimeMs += nowMs - this.#lastChangeMs;
    else this.#downTransitions++;
    this.#lastChangeMs = nowMs;
  }

  #redistribute(server: ProxyServer): void {
    for (const who of [...this.#queue]) {
      if (who.wants !== server) continue;
      this.leaveQueue(who);
      who.serverLost();
    }
  }

  /** Gives free places to those who have waited longest. */
  #serveQueue(): void {
    let allFull = false;
    for (const who of this.#queue) {
      if (allFull && who.wants === undefined) {
        if (this.#bound === 0) return;
        continue;
      }
      const server = this.#placeFor(who);
      if (server !== undefined) {
        who.assigned(server);
        (who.wants ?? this).counters.dequeued++;
      } else if (who.wants === undefined) allFull = true;
    }
  }

  #placeFor(who: Waiting): ProxyServer | undefined {
    const { wants } = who;
    if (wants === undefined) {
      const server = this.choose(undefined);
      if (server !== undefined) this.leaveQueue(who);
      return server;
    }
    if (wants.maxconn > 0 && wants.served >= wants.maxconn) return undefined;
    this.leaveQueue(who);
    this.#take(wants);
    return wants;
  }
}
