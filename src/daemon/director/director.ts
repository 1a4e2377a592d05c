/**
 * Runs the health checks of the servers in haproxy.cfg and says what came of them.
 *
 * One timer a server, one connection a check, never two checks of a server at once. The decisions are those of
 * health/server-health.ts and health/backend-health.ts; the connections are made by checker.ts. Knows nothing of processes
 * or messages: main.ts does.
 */

import type { Instant } from "../../base/time.ts";
import type { LogLevel, ProxyConfiguration } from "../../config/model/proxy.ts";
import type { ServerStatus } from "../../health/status.ts";

/** Why a server changed between up and down; HAProxy's words where it has some. */
export interface StatusChange {
  readonly up: boolean;
  /** `Layer4 connection problem`, `Layer7 check passed, code: 200` … */
  readonly cause: string;
}

/** Backend name → server name → status. JSON. */
export type Statuses = Readonly<Record<string, Readonly<Record<string, ServerStatus>>>>;

export interface DirectorOptions {
  readonly configuration: ProxyConfiguration;
  /** Monotonic time, and the wall clock in milliseconds since the epoch. */
  readonly clock: { readonly now: () => Instant; readonly wallMs: () => number };
  readonly log: (level: LogLevel, line: string, backend: string) => void;
  /** Called for every server at start, and whenever something of its status changes. */
  readonly onStatus: (backend: string, server: string, status: ServerStatus, change?: StatusChange) => void;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}
