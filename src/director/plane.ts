/**
 * The layer-4 data plane as its users see it: virtual services, their real servers, connections and counters.
 *
 * The words and rules are those of IPVS (ip_vs_ctl.c) and ipvsadm(8). Types only; `tables.ts` keeps them in maps of the
 * kernel. Nothing here says who decides: `evenkeel ipvsadm` and the director process use the same calls.
 */

import type { IpAddress } from "../base/ip.ts";

export type Protocol = "tcp" | "udp";

export type SchedulerName =
  | "rr"
  | "wrr"
  | "lc"
  | "wlc"
  | "sh"
  | "dh"
  | "mh"
  | "sed"
  | "nq"
  | "fo"
  | "ovf"
  | "lblc"
  | "lblcr"
  | "twos";

/** What names a virtual service. Port 0: all ports, persistent services only. */
export type ServiceKey =
  | { readonly kind: "address"; readonly protocol: Protocol; readonly address: IpAddress; readonly port: number }
  | { readonly kind: "mark"; readonly mark: number; readonly family: 4 | 6 };

/** What becomes of the connections of a server that died or was deleted. UDP flows move in all cases but `keep`. */
export type OnServerDown = "reset" | "move" | "keep";

export interface ServiceSettings {
  readonly scheduler: SchedulerName;
  /** Seconds; undefined: not persistent. */
  readonly persistence: number | undefined;
  /** How much of a client's address a template covers: 0..32, 0..128. */
  readonly netmaskBits: number;
  readonly onePacket: boolean;
  /** flag-1 (sh-fallback, mh-fallback), flag-2 (sh-port, mh-port), flag-3. */
  readonly flags: { readonly fallback: boolean; readonly port: boolean; readonly flag3: boolean };
  readonly onServerDown: OnServerDown;
  /** Configured by `evenkeel run` (daemon) or by hand (command). */
  readonly owner: "daemon" | "command";
}

export type ForwardMethod = "nat" | "dr" | "tun";

export interface Tunnel {
  readonly type: "ipip" | "gue" | "gre";
  /** GUE only. */
  readonly port: number;
  readonly checksum: "none" | "checksum" | "remote";
}

/** What names a real server within its service. */
export interface ServerKey {
  readonly address: IpAddress;
  readonly port: number;
}

export interface ServerSettings {
  readonly method: ForwardMethod;
  /** 0..65535; 0: no new connections. */
  readonly weight: number;
  /** Connections; 0: none. */
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly tunnel: Tunnel;
  /** Takes no new client, persistent ones neither. */
  readonly draining: boolean;
}

/** A real server to be. */
export interface ServerSpec {
  readonly key: ServerKey;
  readonly settings: ServerSettings;
}

export interface Counters {
  readonly connections: bigint;
  readonly packetsIn: bigint;
  readonly packetsOut: bigint;
  readonly bytesIn: bigint;
  readonly bytesOut: bigint;
}

/** A second each; bytes are bytes. Already rounded as IPVS rounds. */
export type Rates = Counters;

export interface ServerEntry {
  readonly key: ServerKey;
  readonly settings: ServerSettings;
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
  readonly counters: Counters;
  readonly rates: Rates;
}

export interface ServiceEntry {
  readonly key: ServiceKey;
  readonly settings: ServiceSettings;
  /** In scheduling order: newest first. */
  readonly servers: readonly ServerEntry[];
  readonly counters: Counters;
  readonly rates: Rates;
  /** Packets refused because no server was usable. */
  readonly noDestination: bigint;
}

export interface ConnectionEntry {
  /** `ip`: a template of a service with a firewall mark; `virtual.address` is then the mark as an address. */
  readonly protocol: Protocol | "ip";
  /** Milliseconds until it expires if nothing comes. */
  readonly expiresInMs: number;
  /** As `ipvsadm -Lnc` prints it: `ESTABLISHED`, `FIN_WAIT`, `UDP`; templates `NONE` or `ASSURED`. */
  readonly state: string;
  readonly client: ServerKey;
  readonly virtual: ServerKey;
  readonly destination: ServerKey;
}

/** Seconds: ESTABLISHED, FIN_WAIT, UDP. */
export interface Timeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

/** Connection tables, one for IPv4 and one for IPv6: how full they are and what they turned away. */
export interface TableStatus {
  /** Entries that each of the two holds. A connection is one entry, and so is a template of persistence. */
  readonly capacity: number;
  /** Entries in both. */
  readonly connections: number;
  readonly connectionsIpv4: number;
  readonly connectionsIpv6: number;
  readonly halfOpen: number;
  /** New connections refused because its table was full. */
  readonly refusedFull: bigint;
  /** By reason; the names are those of `enum ek_reason` without the prefix, in lower case. */
  readonly reasons: Readonly<Record<string, bigint>>;
}

/** IPVS's errno for the same mistake (ip_vs_ctl.c); ipvsadm's texts hang on it. */
export type PlaneErrorCode = "EEXIST" | "ESRCH" | "ENOENT" | "EINVAL" | "ERANGE" | "ENOMEM";

/** Refused; nothing was changed. `message` says what and what to do. */
export class PlaneError extends Error {
  readonly code: PlaneErrorCode;

  constructor(code: PlaneErrorCode, message: string) {
    super(message);
    this.name = "PlaneError";
    this.code = code;
  }
}

/** All calls are synchronous and whole: packets see the state before or the state after. They throw `PlaneError`. */
export interface Plane {
  /** EEXIST. */
  addService(key: ServiceKey, settings: ServiceSettings): void;
  /** ESRCH. */
  editService(key: ServiceKey, settings: ServiceSettings): void;
  /** ESRCH. */
  deleteService(key: ServiceKey): void;
  /** ESRCH: no such service; EEXIST. DR and TUN take the service's port, whatever `key.port` says. */
  addServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void;
  /** ESRCH: no such service; ENOENT: no such server. */
  editServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void;
  /** ESRCH: no such service; ENOENT: no such server. What its connections do next is the service's `onServerDown`. */
  deleteServer(service: ServiceKey, key: ServerKey): void;
  /**
   * Makes these the service's servers, in scheduling order, in one step: those that stay keep counters and connections,
   * others are added or deleted. ESRCH; the codes of `addServer`; EEXIST too when one is there twice. All or nothing.
   */
  replaceServers(service: ServiceKey, servers: readonly ServerSpec[]): void;
  /** All services. Connections of what is gone are dealt with by `onServerDown`. */
  flush(): void;
  /** One service (ESRCH), or all. */
  zero(key?: ServiceKey): void;
  services(): readonly ServiceEntry[];
  service(key: ServiceKey): ServiceEntry | undefined;
  connections(): Iterable<ConnectionEntry>;
  timeouts(): Timeouts;
  /** 0 keeps what is. */
  setTimeouts(timeouts: Timeouts): void;
  table(): TableStatus;
}
