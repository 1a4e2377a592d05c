/**
 * What supervisor and children say to each other over Node's IPC channel (JSON).
 *
 * The supervisor reads configuration files; children receive the typed model and never read a file of the user's.
 */

import type { ProxyConfiguration } from "../config/model/proxy.ts";
import type { DirectorConfiguration } from "../config/model/virtual-server.ts";
import type { VrrpConfiguration } from "../config/model/vrrp.ts";
import type { ServerStatus } from "../health/status.ts";
import type { ProxyStatistics } from "../proxy/statistics.ts";
import type { TrackerReport } from "../vrrp/trackers.ts";
import type { DrainOrder } from "./director/virtual-servers.ts";
import type { DaemonEvent } from "./events.ts";

/** A listening socket that a proxy inherits: descriptor `fd` serves bind number `bind` of `frontend`. */
export interface InheritedListener {
  readonly frontend: string;
  readonly bind: number;
  readonly fd: number;
}

export interface ServerReport {
  readonly backend: string;
  readonly server: string;
  readonly status: ServerStatus;
}

export type StartMessage =
  | {
      readonly type: "start";
      readonly child: "vrrp";
      readonly configuration: VrrpConfiguration;
      /** What is known of what it tracks. */
      readonly trackers: readonly TrackerReport[];
      /** Where the machine's inputs are written, absolute. */
      readonly record?: string | undefined;
      readonly tidy: string[];
    }
  | {
      readonly type: "start";
      readonly child: "director";
      /** What haproxy.cfg says, and what keepalived.conf says of virtual servers. */
      readonly proxy: ProxyConfiguration | undefined;
      readonly virtualServers: DirectorConfiguration | undefined;
      /** `evenkeel run --flush`: nothing that an earlier process left in the data plane is kept. */
      readonly flush: boolean;
      /** States to carry over from the director that ran before. */
      readonly statuses: readonly ServerReport[];
      readonly tidy: string[];
    }
  | {
      readonly type: "start";
      readonly child: "proxy";
      readonly configuration: ProxyConfiguration;
      readonly listeners: readonly InheritedListener[];
      readonly statuses: readonly ServerReport[];
      readonly version: string;
      /** Names the process in logs, as HAProxy's master does with its worker. */
      readonly pid: number;
      readonly tidy: string[];
    };

export type ToChild =
  | StartMessage
  /** `onlyScripts`: it is what runs already; which of its scripts can be run may have changed. */
  | { readonly type: "reconfigure"; readonly vrrp: VrrpConfiguration; readonly onlyScripts?: boolean }
  | { readonly type: "reconfigure"; readonly proxy: ProxyConfiguration | null }
  | { readonly type: "reconfigure"; readonly virtualServers: DirectorConfiguration | null }
  /** To the vrrp process: what it tracks has changed. */
  | { readonly type: "trackers"; readonly reports: readonly TrackerReport[] }
  /** Answered with `done` and the same `id`. */
  | { readonly type: "drain"; readonly id: number; readonly order: DrainOrder }
  | { readonly type: "server-status"; readonly report: ServerReport }
  /** Asks for the child's picture of itself; answered with the same `id`. */
  | { readonly type: "query"; readonly id: number }
  /** The sum over all proxies that a statistics page asked for. */
  | { readonly type: "collected"; readonly id: number; readonly statistics: ProxyStatistics }
  | ({ readonly type: "stop" } & StopOrder);

/** Finish what is under way and exit. May come again, when there is more of a hurry. */
export interface StopOrder {
  /** Cut what is not finished by then; undefined: when it is finished. */
  readonly hardAfterMs: number | undefined;
  /** Another process has taken over: idle clients may stay until they ask again. */
  readonly replaced: boolean;
  /** Nobody ordered it, the supervisor is gone: what outlives processes is left to the next one. */
  readonly orphaned?: boolean;
  /** keepalived's `-V`: addresses stay where they are, for good, and nobody is told. */
  readonly keepAddresses?: boolean;
}

export type FromChild =
  /** Loaded and waiting for `start`. */
  | { readonly type: "hello" }
  /** Running: sockets open, first state entered. */
  | { readonly type: "ready" }
  | { readonly type: "event"; readonly event: DaemonEvent }
  | { readonly type: "answer"; readonly id: number; readonly value: unknown }
  /** What was ordered is done; `error` says why not. */
  | { readonly type: "done"; readonly id: number; readonly value: unknown; readonly error: string | undefined }
  /** A script has been started, in a process group of this number, or has ended. */
  | { readonly type: "script-group"; readonly group: number; readonly runs: boolean }
  /** It was sent a signal that is meant for the daemon. */
  | { readonly type: "signalled"; readonly signal: number }
  /** The snapshot of a child that exits now. */
  | { readonly type: "farewell"; readonly value: unknown }
  | { readonly type: "server-status"; readonly report: ServerReport }
  /** The director's word on a virtual server: it has its quorum or not, and why. */
  | { readonly type: "virtual-server"; readonly name: string; readonly up: boolean; readonly cause: string }
  | { readonly type: "collect"; readonly id: number };
