/**
 * The proxy of one process: frontends that accept, backends that choose a server, streams between them.
 *
 * configuration.txt and management.txt of HAProxy 2.6. Knows no socket, clock or file: the transport, the clock and the
 * log are given. The composition root is `daemon/proxy/main.ts`.
 */

import type { Instant } from "../base/time.ts";
import type { Backend, Frontend, LogLevel, LogTarget, ProxyConfiguration } from "../config/model/proxy.ts";
import type { ServerStatus } from "../health/status.ts";
import { ProxyBackend } from "./backend.ts";
import { ProxyFrontend } from "./frontend.ts";
import type { Transport } from "./port.ts";
import type { Runtime } from "./runtime.ts";
import { Slab } from "./slab.ts";
import type { ProxyStatistics } from "./statistics.ts";
import { Timer, Timers } from "./timers.ts";

export interface Clock {
  /** Monotonic. */
  now(): Instant;
  /** Milliseconds since the epoch. */
  wallClockMs(): number;
}

export interface LogSink {
  /** `message` is printable ASCII without header; `formatLogLine` (log-line.ts) adds time, host, tag and pid. */
  write(target: LogTarget, level: LogLevel, message: string): void;
}

export interface ProxyEngineOptions {
  readonly configuration: ProxyConfiguration;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: LogSink;
  /** In [0, 1); for `balance random`. The algorithms that exist draw nothing. */
  readonly random: () => number;
  /** Figures of all proxy processes, for the statistics page; left out: only this process's. */
  readonly collect?: () => Promise<ProxyStatistics>;
  readonly hostname: string;
  readonly pid: number;
  /** Of evenkeel, for the statistics page. */
  readonly version: string;
  /** Connections of this process when `global` names no `maxconn`. */
  readonly defaultMaxconn?: number;
  /** Limits (`maxconn`) are shared out among so many processes with the same configuration; 1 when left out. */
  readonly processes?: number;
}

const DEFAULT_MAXCONN = 2000;

export class ProxyEngine {
  readonly #runtime: Runtime;
  readonly #configuration: ProxyConfiguration;
  readonly #frontends = new Map<string, ProxyFrontend>();
  readonly #backends = new Map<string, ProxyBackend>();
  readonly #pid: number;
  readonly #startedMs: number;
  readonly #maxconn: number;
  readonly #hardStopTimer = new Timer({ timerExpired: () => this.hardStop() });
  #full = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: ProxyEngineOptions) {
    const { configuration, transport, clock, log, processes = 1 } = options;
    const { global } = configuration;
    const share = (limit: number): number => (limit === 0 ? 0 : Math.max(1, Math.ceil(limit / processes)));
    this.#configuration = configuration;
    this.#pid = options.pid;
    this.#startedMs = clock.wallClockMs();
    this.#maxconn = global.maxconn === undefined ? (options.defaultMaxconn ?? DEFAULT_MAXCONN) : share(global.maxconn);
    this.#runtime = {
      transport,
      timers: new Timers({
        now: () => clock.now(),
        setAlarm: (delay, ring) => transport.setAlarm(delay, ring),
      }),
      slab: new Slab(),
      // A missing reason hides no end of a message, and HAProxy takes it: there are such servers.
      readerOptions: { headBytes: global.bufsize - global.maxrewrite, lenient: { missingReason: true } },
      hostname: options.hostname,
      version: options.version,
      wallClockMs: () => clock.wallClockMs(),
      collect: options.collect ?? (() => this.statistics()),
      log: (targets, level, message) => {
        for (const target of targets) log.write(target, level, message);
      },
      stopping: false,
      keepsIdle: false,
      connections: 0,
      cumulativeConnections: 0,
      cumulativeRequests: 0,
      connectionsChanged: (frontend) => this.#connectionsChanged(frontend),
    };
    this.#build(configuration, share);
  }

  /**
   * Starts accepting for bind number `bindIndex` of a frontend from a listening descriptor, which may be shared with
   * other processes. Throws RangeError for an unknown frontend or bind.
   */
  listen(frontendName: string, bindIndex: number, descriptor: number): void {
    const frontend = this.#frontends.get(frontendName);
    if (frontend?.configuration.binds[bindIndex] === undefined) {
      throw new RangeError(`no bind number ${bindIndex} in frontend ${frontendName}`);
    }
    frontend.listen(descriptor);
  }

  /** Takes over what the health checks found. Unknown names are ignored (a status may cross a reload). */
  setServerStatus(backend: string, server: string, status: ServerStatus): void {
    this.#runtime.timers.tick();
    const known = this.#backends.get(backend);
    const found = known?.servers.find((candidate) => candidate.name === server);
    if (found !== undefined) known?.setStatus(found, status);
  }

  statistics(): ProxyStatistics {
    this.#runtime.timers.tick();
    const now = this.#runtime.timers.now;
    return {
      pids: [this.#pid],
      startedMs: this.#startedMs,
      currConns: this.#runtime.connections,
      cumConns: this.#runtime.cumulativeConnections,
      cumReq: this.#runtime.cumulativeRequests,
      maxconn: this.#maxconn,
      stopping: this.#runtime.stopping,
      frontends: [...this.#frontends.values()].map((frontend) => frontend.statistics(now)),
      backends: [...this.#backends.values()].map((backend) => backend.statistics(this.#fullconn(backend), now)),
    };
  }

  /**
   * Stops accepting and lets requests finish; resolves when nothing is left, or `hard-stop-after` has cut it. May be called
   * again while it goes on.
   *
   * `idle`: connections between two requests are closed, or kept (`option idle-close-on-response`): a request that is on
   * its way while they are closed would be lost. Those that are kept end with their next response or by their time-out.
   */
  softStop(idle: "close" | "keep" = "close"): Promise<void> {
    const { hardStopAfter } = this.#configuration.global;
    this.#runtime.timers.tick();
    if (!this.#runtime.stopping) {
      this.#runtime.stopping = true;
      this.#runtime.timers.setAfter(this.#hardStopTimer, hardStopAfter);
      for (const backend of this.#backends.values()) backend.clearPools();
      for (const frontend of this.#frontends.values()) frontend.close();
    }
    this.#runtime.keepsIdle = idle === "keep";
    if (idle === "close") {
      for (const frontend of this.#frontends.values()) for (const session of [...frontend.sessions]) session.softStop();
    }
    if (!this.hasWork()) {
      this.#runtime.timers.drop(this.#hardStopTimer);
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Cuts everything now. */
  hardStop(): void {
    this.#runtime.timers.tick();
    this.#runtime.stopping = true;
    for (const frontend of this.#frontends.values()) {
      frontend.close();
      for (const session of [...frontend.sessions]) session.hardStop();
    }
    for (const backend of this.#backends.values()) backend.clearPools();
  }

  /** True while a connection of a client is open. */
  hasWork(): boolean {
    return this.#runtime.connections > 0;
  }

  #build(configuration: ProxyConfiguration, share: (limit: number) => number): void {
    const backends = new Map(configuration.backends.map((backend) => [backend.name, backend]));
    for (const backend of backends.values()) {
      const servers = backend.servers.map((server) => ({ ...server, maxconn: share(server.maxconn) }));
      this.#backends.set(backend.name, new ProxyBackend({ ...backend, servers }, this.#runtime));
    }
    for (const frontend of configuration.frontends) {
      const limit = frontend.maxconn === undefined ? this.#maxconn : share(frontend.maxconn);
      const target = this.#backends.get(frontend.defaultBackend ?? "") ?? this.#ownBackend(frontend, backends);
      this.#frontends.set(frontend.name, new ProxyFrontend(frontend, target, this.#runtime, limit));
    }
  }

  /** HAProxy's: a tenth of what the frontends that lead to it may bring. */
  #fullconn(backend: ProxyBackend): number {
    let sum = 0;
    for (const frontend of this.#frontends.values()) if (frontend.backend === backend) sum += frontend.limit;
    return Math.max(1, Math.ceil(sum / 10));
  }

  /** The other half of a `listen` section, which a `default_backend` takes the place of. */
  #ownBackend(frontend: Frontend, backends: ReadonlyMap<string, Backend>): ProxyBackend | undefined {
    if (frontend.defaultBackend !== undefined) return undefined;
    return backends.has(frontend.name) ? this.#backends.get(frontend.name) : undefined;
  }

  #connectionsChanged(changed: ProxyFrontend): void {
    const full = this.#runtime.connections >= this.#maxconn;
    if (full === this.#full) changed.updateAccepting(full);
    else for (const frontend of this.#frontends.values()) frontend.updateAccepting(full);
    this.#full = full;
    if (this.#runtime.connections > 0 || !this.#runtime.stopping) return;
    this.#runtime.timers.drop(this.#hardStopTimer);
    for (const backend of this.#backends.values()) backend.clearPools();
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}
