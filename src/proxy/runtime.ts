/** What every part of a running proxy shares. */

import type { Duration, Instant } from "../base/time.ts";
import type { LogLevel, LogTarget } from "../config/model/proxy.ts";
import type { ReaderOptions } from "../http/limits.ts";
import type { ProxyFrontend } from "./frontend.ts";
import type { Transport } from "./port.ts";
import type { Slab } from "./slab.ts";
import type { ProxyStatistics } from "./statistics.ts";
import type { Timers } from "./timers.ts";

export interface Runtime {
  readonly transport: Transport;
  readonly timers: Timers;
  readonly slab: Slab;
  readonly readerOptions: ReaderOptions;
  /** Milliseconds since the epoch. */
  wallClockMs(): number;
  log(targets: readonly LogTarget[], level: LogLevel, message: string): void;
  readonly hostname: string;
  readonly version: string;
  /** The figures of all processes. */
  collect(): ProxyStatistics | Promise<ProxyStatistics>;
  /** A soft stop is under way: every response from now on says `connection: close`. */
  stopping: boolean;
  /** … and idle clients are left alone until then: somebody else has taken over accepting, nobody waits for us to end. */
  keepsIdle: boolean;
  /** Connections of clients. */
  connections: number;
  cumulativeConnections: number;
  cumulativeRequests: number;
  /** After `connections` changed: decides who accepts. */
  connectionsChanged(frontend: ProxyFrontend): void;
}

/** Whole milliseconds from one instant to a later one. */
export const elapsedMs = (from: Instant, to: Instant): number => Math.floor((to - from) / 1000);

/** In a tunnel one time-out counts for both sides: `timeout tunnel`, else the sooner of the two. */
export const tunnelTimeout = (
  tunnel: Duration | undefined,
  client: Duration | undefined,
  server: Duration | undefined,
): Duration | undefined => tunnel ?? sooner(client, server);

/** The sooner of two time-outs, where undefined is never. */
function sooner(a: Duration | undefined, b: Duration | undefined): Duration | undefined {
  if (a === undefined) return b;
  return b === undefined || a < b ? a : b;
}
