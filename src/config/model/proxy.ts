/**
 * What haproxy.cfg says, checked and with defaults filled in. Plain JSON: the supervisor reads the files, director and
 * proxies receive this. A `listen` section becomes a frontend and a backend of the same name.
 *
 * Names are HAProxy's (configuration.txt). Durations are integer microseconds.
 */

import type { IpAddress, IpPrefix } from "../../base/ip.ts";
import type { Duration } from "../../base/time.ts";

export interface ProxyConfiguration {
  readonly global: ProxyGlobal;
  readonly frontends: readonly Frontend[];
  readonly backends: readonly Backend[];
}

export interface ProxyGlobal {
  /** Connections of the process; undefined: from the limit on descriptors. */
  readonly maxconn: number | undefined;
  /** Number of proxy processes. */
  readonly nbthread: number;
  readonly user: string | undefined;
  readonly group: string | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly pidfile: string | undefined;
  readonly logs: readonly LogTarget[];
  readonly logTag: string;
  readonly node: string | undefined;
  readonly description: string | undefined;
  /** Undefined: a soft stop waits for the last connection. */
  readonly hardStopAfter: Duration | undefined;
  /** Bytes; a message head must fit into bufsize − maxrewrite. */
  readonly bufsize: number;
  readonly maxrewrite: number;
  /** 0..50, percent. */
  readonly spreadChecks: number;
}

export type LogLevel = "emerg" | "alert" | "crit" | "err" | "warning" | "notice" | "info" | "debug";

export interface LogTarget {
  readonly to:
    | { readonly kind: "udp"; readonly address: IpAddress; readonly port: number }
    | { readonly kind: "unix"; readonly path: string }
    | { readonly kind: "stdout" }
    | { readonly kind: "stderr" };
  /** Longest line in bytes. */
  readonly length: number;
  readonly format: "rfc3164" | "rfc5424" | "local" | "raw" | "short" | "timed" | "iso" | "priority";
  /** 0..23. */
  readonly facility: number;
  /** The least severe level that is sent. */
  readonly level: LogLevel;
  /** More severe lines are sent as this level. */
  readonly minLevel: LogLevel;
}

export interface Bind {
  /** As written, for messages: `*:80`. */
  readonly text: string;
  /** `0.0.0.0` or `::` for all. */
  readonly address: IpAddress;
  readonly port: number;
  readonly name: string | undefined;
  readonly v6only: boolean;
  readonly backlog: number | undefined;
  readonly interface: string | undefined;
  readonly transparent: boolean;
}

export type Mode = "http" | "tcp";

/** How a connection is kept after a response. */
export type ConnectionMode = "keep-alive" | "server-close" | "close";

export interface ForwardFor {
  readonly header: string;
  readonly except: IpPrefix | undefined;
  readonly ifNone: boolean;
}

/** Time-outs of inactivity; undefined is for ever. */
export interface Timeouts {
  readonly client: Duration | undefined;
  readonly connect: Duration | undefined;
  readonly server: Duration | undefined;
  readonly httpRequest: Duration | undefined;
  readonly httpKeepAlive: Duration | undefined;
  readonly queue: Duration | undefined;
  readonly check: Duration | undefined;
  readonly tunnel: Duration | undefined;
  readonly clientFin: Duration | undefined;
  readonly serverFin: Duration | undefined;
}

interface Proxy {
  readonly name: string;
  /** From 0 in file order; both halves of a `listen` section have the same. */
  readonly position: number;
  /** `id N`, else numbered as HAProxy numbers: from 1 by position, past those that are taken. */
  readonly id: number;
  readonly description?: string;
  readonly mode: Mode;
  readonly disabled: boolean;
  readonly timeouts: Timeouts;
  readonly connectionMode: ConnectionMode;
  readonly forwardFor: ForwardFor | undefined;
  readonly logs: readonly LogTarget[];
  readonly stats: StatsPage | undefined;
  /** Status code → whole raw response as latin-1 text, from `errorfile`. */
  readonly errorFiles: Readonly<Record<string, string>>;
}

export interface Frontend extends Proxy {
  readonly binds: readonly Bind[];
  readonly defaultBackend: string | undefined;
  /** Undefined: only that of `global`. */
  readonly maxconn: number | undefined;
  readonly logFormat: "httplog" | "tcplog" | "clf" | "connect";
  readonly dontLogNull: boolean;
  readonly dontLogNormal: boolean;
  readonly monitorUri: string | undefined;
}

export type BalanceAlgorithm = "roundrobin" | "static-rr" | "leastconn" | "first";

export interface Backend extends Proxy {
  readonly balance: BalanceAlgorithm;
  readonly cookie: CookiePersistence | undefined;
  readonly httpReuse: "never" | "safe" | "aggressive" | "always";
  readonly retries: number;
  /** `option redispatch [k]`; undefined: off. */
  readonly redispatch: number | undefined;
  readonly allBackups: boolean;
  readonly check: CheckMethod;
  readonly logHealthChecks: boolean;
  readonly servers: readonly Server[];
}

export interface CookiePersistence {
  readonly name: string;
  readonly insert: boolean;
  readonly indirect: boolean;
  readonly nocache: boolean;
  readonly postonly: boolean;
  readonly preserve: boolean;
  readonly httponly: boolean;
  readonly secure: boolean;
  readonly domains: readonly string[];
}

export type CheckMethod =
  | { readonly kind: "tcp" }
  | {
      readonly kind: "http";
      readonly method: string;
      readonly uri: string;
      /** Whole start-line suffix: `HTTP/1.0`. */
      readonly version: string;
      readonly headers: readonly (readonly [name: string, value: string])[];
    };

export interface Server {
  readonly name: string;
  /** From 1 in file order, as HAProxy numbers them. */
  readonly id: number;
  readonly address: IpAddress;
  /** 0: the port the client asked for. */
  readonly port: number;
  /** 0..256. */
  readonly weight: number;
  readonly backup: boolean;
  readonly disabled: boolean;
  readonly cookie: string | undefined;
  /** 0: unlimited. */
  readonly maxconn: number;
  readonly check: ServerCheck | undefined;
  readonly sendProxy: undefined | 1 | 2;
  readonly onMarkedDown: "keep" | "shutdown-sessions";
}

export interface ServerCheck {
  readonly address: IpAddress;
  readonly port: number;
  readonly inter: Duration;
  readonly fastinter: Duration;
  readonly downinter: Duration;
  readonly rise: number;
  readonly fall: number;
}

export interface StatsPage {
  /** Path prefix, `/haproxy?stats` by default. */
  readonly uri: string;
  readonly realm: string;
  /** `user:password`; none: open to all. */
  readonly auth: readonly string[];
  /** Seconds; undefined: the page does not refresh itself. */
  readonly refreshSeconds: number | undefined;
  readonly hideVersion: boolean;
  readonly showNode: string | undefined;
  readonly showDescription: string | undefined;
  readonly showLegends: boolean;
}
