/** A server of a backend: what the checks say of it, what it is doing, its idle connections and its figures. */

import type { Candidate } from "../balance/rotation.ts";
import type { Mode, Server } from "../config/model/proxy.ts";
import type { ServerStatus } from "../health/status.ts";
import { ServingCounters } from "./counters.ts";
import { Pool } from "./pool.ts";
import type { ServerConnection } from "./server-connection.ts";
import type { ServerStatistics } from "./statistics.ts";
import type { Timers } from "./timers.ts";

/** A request or connection that a dead server takes down with it. */
export interface Killable {
  serverDied(): void;
}

export class ProxyServer implements Candidate {
  readonly configuration: Server;
  readonly id: number;
  readonly backup: boolean;
  readonly maxconn: number;
  readonly counters = new ServingCounters();
  readonly pool: Pool<ServerConnection>;
  /** `on-marked-down shutdown-sessions`. */
  readonly killsStreams: boolean;
  /** Those that it takes down with it; kept only when it does. */
  readonly streams = new Set<Killable>();
  weight: number;
  served = 0;
  queued = 0;
  status: ServerStatus;

  constructor(configuration: Server, timers: Timers, nowMs: number) {
    this.configuration = configuration;
    this.id = configuration.id;
    this.backup = configuration.backup;
    this.maxconn = configuration.maxconn;
    this.killsStreams = configuration.onMarkedDown === "shutdown-sessions";
    this.weight = configuration.weight;
    this.pool = new Pool(timers);
    this.status = initialStatus(configuration, nowMs);
  }

  get name(): string {
    return this.configuration.name;
  }

  statistics(mode: Mode, now: number): ServerStatistics {
    const { address, port, cookie } = this.configuration;
    return {
      ...this.counters.serving(now),
      name: this.name,
      id: this.id,
      address: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
      mode,
      backup: this.backup,
      weight: this.weight,
      cookie,
      slim: this.maxconn,
      idle: this.pool.idle,
      used: this.pool.used,
      needed: this.pool.needed,
      status: this.status,
    };
  }
}

/** A server counts as up until the first check says otherwise, as in HAProxy. */
function initialStatus({ disabled, check }: Server, nowMs: number): ServerStatus {
  return {
    up: !disabled,
    text: disabled ? "MAINT" : check === undefined ? "no check" : "UP",
    check: undefined,
    lastChangeMs: nowMs,
    checkFailures: 0,
    downTransitions: 0,
    downtimeMs: 0,
  };
}
