/**
 * The proxy of one process: frontends that accept, backends that choose a server, streams between them.
 *
 * configuration.txt and management.txt of HAProxy 2.6. Knows no socket, clock or file: the transport, the clock and the
 * log are given. The composition root is `daemon/proxy/main.ts`.
 */

import type { Instant } from "../base/time.ts";
import type { LogLevel, LogTarget, ProxyConfiguration } from "../config/model/proxy.ts";
import type { ServerStatus } from "../health/status.ts";
import type { Transport } from "./port.ts";
import type { ProxyStatistics } from "./statistics.ts";

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
  /** In [0, 1). */
  readonly random: () => number;
  /** Figures of all proxy processes, for the statistics page; left out: only this process's. */
  readonly collect?: () => Promise<ProxyStatistics>;
  readonly hostname: string;
  readonly pid: number;
  /** Of evenkeel, for the statistics page. */
  readonly version: string;
}

export class ProxyEngine {
  constructor(options: ProxyEngineOptions) {
    void options;
  }

  /**
   * Starts accepting for bind number `bindIndex` of a frontend from a listening descriptor, which may be shared with
   * other processes. Throws RangeError for an unknown frontend or bind, and what the transport throws.
   */
  listen(frontendName: string, bindIndex: number, descriptor: number): void {
    throw new Error(`${frontendName} ${bindIndex} ${descriptor}`);
  }

  /** Takes over what the health checks found. Unknown names are ignored (a status may cross a reload). */
  setServerStatus(backend: string, server: string, status: ServerStatus): void {
    void [backend, server, status];
  }

  statistics(): ProxyStatistics {
    throw new Error("not yet");
  }

  /** Stops accepting, lets requests finish, closes idle connections; resolves when nothing is left or `hard-stop-after` cut it. */
  softStop(): Promise<void> {
    return Promise.resolve();
  }

  /** Cuts everything now. */
  hardStop(): void {}

  /** True while a connection of a client is open. */
  hasWork(): boolean {
    return false;
  }
}
