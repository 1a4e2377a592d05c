/**
 * Runs the health checks of the servers in haproxy.cfg and says what came of them.
 *
 * One timer a server, one connection a check, never two checks of a server at once. The decisions are those of
 * health/server-health.ts and health/backend-health.ts; the connections are made by checker.ts. Knows nothing of processes
 * or messages: main.ts does.
 */

import { after, type Duration, type Instant } from "../../base/time.ts";
import type { Backend, LogLevel, ProxyConfiguration, Server } from "../../config/model/proxy.ts";
import { type BackendHealth, type BackendParameters, serverChanged } from "../../health/backend-health.ts";
import {
  type HealthChange,
  initialHealth,
  type Moment,
  rescaled,
  resumedHealth,
  type ServerHealth,
} from "../../health/server-health.ts";
import type { ServerStatus } from "../../health/status.ts";
import { checkPlan, healthParameters, ServerWatch } from "./server-watch.ts";

/** Why a server became usable or ceased to be; HAProxy's words. */
export interface StatusChange {
  readonly up: boolean;
  /** `Layer4 connection problem, info: "Connection refused"`, `Layer7 check passed, code: 200`, `maintenance`. */
  readonly cause: string;
}

/** Backend name → server name → status. JSON. */
export type Statuses = Readonly<Record<string, Readonly<Record<string, ServerStatus>>>>;

export interface DirectorOptions {
  readonly configuration: ProxyConfiguration;
  /** Monotonic time, and the wall clock in milliseconds since the epoch. */
  readonly clock: { readonly now: () => Instant; readonly wallMs: () => number };
  readonly log: (level: LogLevel, line: string, backend: string) => void;
  /**
   * For every server at start, and after every check and change. That a check has begun is not reported: `running` is
   * current in `statuses()` only.
   */
  readonly onStatus: (backend: string, server: string, status: ServerStatus, change?: StatusChange) => void;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

interface Watched {
  readonly server: Server;
  readonly watch: ServerWatch;
}

interface BackendWatch {
  readonly backend: Backend;
  readonly parameters: BackendParameters;
  health: BackendHealth;
  readonly servers: ReadonlyMap<string, Watched>;
}

export class Director {
  readonly #options: DirectorOptions;
  #backends: ReadonlyMap<string, BackendWatch> = new Map();
  #configuration: ProxyConfiguration;
  #adopted: Statuses = {};

  constructor(options: DirectorOptions) {
    this.#options = options;
    this.#configuration = options.configuration;
  }

  /** Before `start`: servers of the same names go on from what another director knew of them. */
  adopt(previous: Statuses): void {
    this.#adopted = previous;
  }

  start(): void {
    this.#apply(this.#configuration);
  }

  /** No check is under way and none will be. */
  stop(): void {
    for (const { servers } of this.#backends.values()) for (const { watch } of servers.values()) watch.stop();
    this.#backends = new Map();
  }

  /**
   * Watches the servers of this configuration from now on. A server that is reached and checked as before keeps its health
   * and its maintenance; others start anew. `onStatus` is called for every server.
   */
  reconfigure(configuration: ProxyConfiguration): void {
    this.#configuration = configuration;
    this.#apply(configuration);
  }

  /** Of every server. A disabled backend has none. */
  statuses(): Statuses {
    return Object.fromEntries(
      [...this.#backends].map(([name, { servers }]) => [
        name,
        Object.fromEntries([...servers].map(([server, { watch }]) => [server, watch.status])),
      ]),
    );
  }

  /** Takes a server out of service or puts it back; false when there is no such server. */
  setMaintenance(backend: string, server: string, on: boolean): boolean {
    const watched = this.#backends.get(backend)?.servers.get(server);
    watched?.watch.receive({ kind: on ? "disable" : "enable" });
    return watched !== undefined;
  }

  #apply(configuration: ProxyConfiguration): void {
    const before = this.#backends;
    const started = this.#moment();
    const firstCheckAt = spreadFirstChecks(configuration, started.at);
    this.#backends = new Map(
      configuration.backends
        .filter(({ disabled }) => !disabled)
        .map((backend) => [
          backend.name,
          this.#watch(configuration, backend, before.get(backend.name), started, firstCheckAt),
        ]),
    );
    this.#adopted = {};
    for (const { servers } of before.values()) for (const { watch } of servers.values()) watch.stop();
    for (const [backend, { servers }] of this.#backends) {
      for (const [server, { watch }] of servers) {
        this.#options.onStatus(backend, server, watch.status);
        watch.start();
      }
    }
  }

  #watch(
    configuration: ProxyConfiguration,
    backend: Backend,
    before: BackendWatch | undefined,
    now: Moment,
    firstCheckAt: (server: Server) => Instant,
  ): BackendWatch {
    const servers = new Map<string, Watched>();
    for (const server of backend.servers) {
      const parameters = healthParameters(configuration, backend, server);
      const options = { disabled: server.disabled, firstCheckAt: firstCheckAt(server) };
      const old = before?.servers.get(server.name);
      const adopted = this.#adopted[backend.name]?.[server.name];
      const state =
        before !== undefined && old !== undefined && sameServer(before.backend, old.server, backend, server)
          ? keptHealth(old, server, options.firstCheckAt, now.at)
          : adopted !== undefined
            ? resumedHealth(parameters, adopted, options, now)
            : initialHealth(parameters, now, options);
      const watch = new ServerWatch(parameters, checkPlan(configuration, backend, server), state, {
        now: () => this.#moment(),
        random: this.#options.random,
        log: (level, line) => this.#options.log(level, line, backend.name),
        moved: (status, change) => this.#moved(backend.name, server.name, status, change),
      });
      servers.set(server.name, { server, watch });
    }
    const { name, logHealthChecks } = backend;
    const up = [...servers].filter(([, { watch }]) => watch.up).map(([server]) => server);
    return { backend, parameters: { name, logHealthChecks, servers: backend.servers }, health: { up }, servers };
  }

  #moved(backend: string, server: string, status: ServerStatus, change: HealthChange | undefined): void {
    if (change === undefined) {
      this.#options.onStatus(backend, server, status);
      return;
    }
    const watched = this.#backends.get(backend);
    if (watched !== undefined) {
      const { state, lines } = serverChanged(watched.parameters, watched.health, server, change);
      watched.health = state;
      for (const { level, line } of lines) this.#options.log(level, line, backend);
    }
    const cause = change.by === "check" ? change.cause : "maintenance";
    this.#options.onStatus(backend, server, status, { up: change.up, cause });
  }

  #moment(): Moment {
    const { now, wallMs } = this.#options.clock;
    return { at: now(), wallMs: wallMs() };
  }
}

/** HAProxy's start: the first checks of all servers are spread evenly over the shortest interval. */
function spreadFirstChecks(configuration: ProxyConfiguration, now: Instant): (server: Server) => Instant {
  const checked = configuration.backends.flatMap(({ servers }) => servers).filter(({ check }) => check !== undefined);
  const shortest = checked.reduce(
    (least, { check }) => Math.min(least, check?.inter ?? least),
    Number.POSITIVE_INFINITY,
  );
  const place = new Map(checked.map((server, index) => [server, index]));
  return (server) => {
    const index = place.get(server) ?? 0;
    return index === 0 ? now : after(now, Math.round((shortest * index) / checked.length) as Duration);
  };
}

/** Is it the same program behind the same address, asked the same question? */
const sameServer = (oldBackend: Backend, old: Server, backend: Backend, server: Server): boolean =>
  JSON.stringify(identity(oldBackend, old)) === JSON.stringify(identity(backend, server));

const identity = ({ check: method }: Backend, { address, port, check, disabled }: Server) => [
  ...[address, port, disabled, check?.address, check?.port],
  method,
];

/** A check that was under way is given up and made again soon; one that was due later than a new interval allows comes earlier. */
function keptHealth(
  { server: old, watch }: Watched,
  server: Server,
  firstCheckAt: Instant,
  now: Instant,
): ServerHealth {
  const { state } = watch;
  if (state.maintenance || old.check === undefined || server.check === undefined) return state;
  const due = state.nextCheckAt ?? firstCheckAt;
  const latest = after(now, server.check.inter);
  return {
    ...state,
    running: false,
    health: rescaled(state.health, old.check, server.check),
    nextCheckAt: Math.min(due, latest) as Instant,
  };
}
