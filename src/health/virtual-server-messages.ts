/** What goes into a virtual server's machine and what comes out, in order. JSON throughout. */

import type { Duration, Instant } from "../base/time.ts";
import type { ScriptCommand } from "../config/model/vrrp.ts";
import type { ServerKey, ServerSettings } from "../director/plane.ts";
import type { AlertMail } from "./alert-mail.ts";
import type { CheckerState, ProbeResult } from "./checker.ts";

export interface PoolMember {
  readonly key: ServerKey;
  readonly settings: ServerSettings;
}

/** Indices count in the configuration's lists. */
export type VirtualServerInput =
  /**
   * `present`: the servers that the table has for this service, left there by an earlier process; undefined: it has no such
   * service. `random`: 0 ≤ x < 1, spreads the first probes.
   */
  | { readonly type: "start"; readonly present: readonly PoolMember[] | undefined; readonly random: number }
  | { readonly type: "timer" }
  | { readonly type: "result"; readonly server: number; readonly checker: number; readonly result: ProbeResult }
  /** `ha_suspend`: none of the addresses is on this host any more, or one is again. */
  | { readonly type: "suspend"; readonly on: boolean; readonly random: number }
  /** No new client for this server; from the deadline on what is left is cut off. */
  | { readonly type: "drain"; readonly server: number; readonly within: Duration | undefined }
  | { readonly type: "undrain"; readonly server: number }
  /** How many connections a draining server has. */
  | { readonly type: "connections"; readonly server: number; readonly active: number; readonly inactive: number }
  | { readonly type: "stop" };

/** The driver applies plane changes to every service of the virtual server. */
export type VirtualServerOutput =
  | { readonly type: "add-services" }
  | { readonly type: "edit-services" }
  | { readonly type: "delete-services" }
  | { readonly type: "add-server"; readonly member: PoolMember }
  | { readonly type: "edit-server"; readonly member: PoolMember }
  | { readonly type: "delete-server"; readonly key: ServerKey }
  /** All at once, in scheduling order. */
  | { readonly type: "replace-servers"; readonly members: readonly PoolMember[] }
  /** Its connections are reset, whatever `on_server_down` says; the server stays as it is. */
  | { readonly type: "reset-connections"; readonly member: PoolMember }
  | { readonly type: "probe"; readonly server: number; readonly checker: number; readonly step: number }
  | { readonly type: "abort-probes" }
  | { readonly type: "log"; readonly level: "info" | "warning"; readonly line: string }
  | { readonly type: "notify"; readonly commands: readonly ScriptCommand[] }
  | { readonly type: "fifo"; readonly line: string }
  | { readonly type: "mail"; readonly mail: AlertMail }
  | { readonly type: "event"; readonly event: VirtualServerEvent };

export type VirtualServerEvent =
  | {
      readonly kind: "check-state";
      readonly virtualServer: string;
      readonly server: string;
      readonly check: string;
      readonly ok: boolean;
      readonly cause: string;
    }
  | {
      readonly kind: "real-server-state";
      readonly virtualServer: string;
      readonly server: string;
      readonly from: "UP" | "DOWN";
      readonly to: "UP" | "DOWN";
      readonly cause: string;
    }
  | {
      readonly kind: "real-server-weight";
      readonly virtualServer: string;
      readonly server: string;
      readonly from: number;
      readonly to: number;
      readonly cause: string;
    }
  | {
      readonly kind: "quorum-state";
      readonly virtualServer: string;
      readonly up: boolean;
      /** Of all live servers together. */
      readonly weight: number;
      readonly cause: string;
    }
  | {
      readonly kind: "drain";
      readonly virtualServer: string;
      readonly server: string;
      readonly phase: "started" | "empty" | "cut" | "ended";
      readonly active: number;
      readonly inactive: number;
      readonly cause: string;
    };

/** JSON. */
export interface VirtualServerState {
  readonly running: boolean;
  readonly quorumUp: boolean;
  readonly suspended: boolean;
  readonly servers: readonly RealServerState[];
  /** What the table holds, in scheduling order. */
  readonly pool: readonly PoolMember[];
}

export interface RealServerState {
  /** All its checkers have passed. */
  readonly alive: boolean;
  readonly since: Instant;
  readonly cause: string;
  readonly drain: DrainState | undefined;
  readonly checkers: readonly CheckerState[];
}

export interface DrainState {
  readonly since: Instant;
  readonly deadline: Instant | undefined;
  readonly active: number;
  readonly inactive: number;
  /** Nothing was left once, or what was left has been cut off. */
  readonly done: boolean;
}
