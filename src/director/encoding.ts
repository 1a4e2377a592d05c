/**
 * Services and real servers as the words of `plane.ts`, and as the numbers of bpf/structs.h. Both ways, without loss.
 *
 * Pure. Where a list lies and what a service's weights come to is for `tables.ts`.
 */

import { type IpAddress, ipToBytes, ipv4FromBytes, ipv6FromBytes } from "../base/ip.ts";
import type { ServerStruct, ServiceKeyStruct, ServiceStruct } from "./layouts.ts";
import type {
  ForwardMethod,
  OnServerDown,
  Protocol,
  ServerKey,
  ServerSettings,
  ServiceKey,
  ServiceSettings,
  Tunnel,
} from "./plane.ts";
import { effectiveLowerThreshold, familyOf, SCHEDULERS } from "./rules.ts";

const PROTOCOL = { tcp: 6, udp: 17 } as const satisfies Record<Protocol, number>;
const METHOD = { nat: 0, tun: 2, dr: 3 } as const satisfies Record<ForwardMethod, number>;
const ON_SERVER_DOWN: readonly OnServerDown[] = ["reset", "move", "keep"];
const TUNNEL: readonly Tunnel["type"][] = ["ipip", "gue", "gre"];
const CHECKSUM: readonly Tunnel["checksum"][] = ["none", "checksum", "remote"];

/** `enum ek_service_flag`. */
const PERSISTENT = 0x1;
const ONE_PACKET = 0x4;
const FALLBACK = 0x8;
const PORT = 0x10;
const FLAG3 = 0x20;
const OF_DAEMON = 0x100;

/** `enum ek_server_flag`. */
export const LIVE = 0x1;
export const GONE = 0x2;
export const DRAINING = 0x4;
export const LOCAL = 0x8;
/** Listings show 0 where no lower threshold was given, as IPVS does, though 3/4 of the upper one is what counts. */
const DEFAULT_LOWER = 0x10;

export function addressBytes(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(ipToBytes(address));
  return bytes;
}

export const addressFrom = (bytes: Uint8Array, family: number): IpAddress =>
  family === 6 ? ipv6FromBytes(bytes) : ipv4FromBytes(bytes);

export function serviceKeyStruct(key: ServiceKey): ServiceKeyStruct {
  if (key.kind === "mark") {
    return { address: new Uint8Array(16), port_be: 0, protocol: 0, family: key.family, mark: key.mark };
  }
  const { address, port, protocol } = key;
  return {
    address: addressBytes(address),
    port_be: port,
    protocol: PROTOCOL[protocol],
    family: familyOf(address),
    mark: 0,
  };
}

export function serviceKeyFrom({ address, port_be, protocol, family, mark }: ServiceKeyStruct): ServiceKey {
  if (mark !== 0) return { kind: "mark", mark, family: family === 6 ? 6 : 4 };
  return {
    kind: "address",
    protocol: protocol === PROTOCOL.udp ? "udp" : "tcp",
    address: addressFrom(address, family),
    port: port_be,
  };
}

/** Names a service among all: equal keys have equal texts. */
export const serviceText = (key: ServiceKey): string =>
  key.kind === "mark" ? `mark ${key.family} ${key.mark}` : `${key.protocol} ${key.address} ${key.port}`;

/** Names a real server within its service. */
export const serverText = (key: ServerKey): string => `${key.address} ${key.port}`;

export type ServiceSettingsStruct = Pick<
  ServiceStruct,
  "scheduler" | "flags" | "persistence_seconds" | "netmask_bits" | "on_server_down"
>;

export function serviceSettingsStruct(settings: ServiceSettings): ServiceSettingsStruct {
  const { flags, persistence, onePacket, owner } = settings;
  return {
    scheduler: SCHEDULERS.indexOf(settings.scheduler),
    flags:
      (persistence === undefined ? 0 : PERSISTENT) |
      (onePacket ? ONE_PACKET : 0) |
      (flags.fallback ? FALLBACK : 0) |
      (flags.port ? PORT : 0) |
      (flags.flag3 ? FLAG3 : 0) |
      (owner === "daemon" ? OF_DAEMON : 0),
    persistence_seconds: persistence ?? 0,
    netmask_bits: settings.netmaskBits,
    on_server_down: ON_SERVER_DOWN.indexOf(settings.onServerDown),
  };
}

export function serviceSettingsFrom(struct: ServiceSettingsStruct): ServiceSettings {
  const { flags } = struct;
  const has = (flag: number) => (flags & flag) !== 0;
  return {
    scheduler: SCHEDULERS[struct.scheduler] ?? "rr",
    persistence: has(PERSISTENT) ? struct.persistence_seconds : undefined,
    netmaskBits: struct.netmask_bits,
    onePacket: has(ONE_PACKET),
    flags: { fallback: has(FALLBACK), port: has(PORT), flag3: has(FLAG3) },
    onServerDown: ON_SERVER_DOWN[struct.on_server_down] ?? "reset",
    owner: has(OF_DAEMON) ? "daemon" : "command",
  };
}

/** A real server as `tables.ts` keeps it in memory. */
export interface ServerRow {
  readonly number: number;
  readonly key: ServerKey;
  settings: ServerSettings;
  /** `ek_service.number`. */
  readonly service: number;
  lastWeight: number;
  /** False: gone, kept while connections refer to it. */
  live: boolean;
  /** When it went, nanoseconds; 0n while it is live. */
  goneNs: bigint;
  /** Its address is one of this machine. */
  local: boolean;
  onServerDown: OnServerDown;
}

export function serverStruct(row: ServerRow): ServerStruct {
  const { key, settings, live } = row;
  const { tunnel } = settings;
  return {
    address: addressBytes(key.address),
    port_be: key.port,
    family: familyOf(key.address),
    method: METHOD[settings.method],
    flags:
      (live ? LIVE : GONE) |
      (settings.draining ? DRAINING : 0) |
      (row.local ? LOCAL : 0) |
      (settings.lowerThreshold === 0 ? DEFAULT_LOWER : 0),
    service: row.service,
    weight: settings.weight,
    last_weight: row.lastWeight,
    upper_threshold: settings.upperThreshold,
    lower_threshold: effectiveLowerThreshold(settings),
    on_server_down: ON_SERVER_DOWN.indexOf(row.onServerDown),
    tunnel_port_be: tunnel.port,
    tunnel: TUNNEL.indexOf(tunnel.type),
    tunnel_flags: CHECKSUM.indexOf(tunnel.checksum),
  };
}

export function serverRowFrom(number: number, struct: ServerStruct, goneNs: bigint): ServerRow {
  const method = struct.method === METHOD.nat ? "nat" : struct.method === METHOD.tun ? "tun" : "dr";
  return {
    number,
    key: { address: addressFrom(struct.address, struct.family), port: struct.port_be },
    settings: {
      method,
      weight: struct.weight,
      upperThreshold: struct.upper_threshold,
      lowerThreshold: (struct.flags & DEFAULT_LOWER) === 0 ? struct.lower_threshold : 0,
      tunnel: {
        type: TUNNEL[struct.tunnel] ?? "ipip",
        port: struct.tunnel_port_be,
        checksum: CHECKSUM[struct.tunnel_flags] ?? "none",
      },
      draining: (struct.flags & DRAINING) !== 0,
    },
    service: struct.service,
    lastWeight: struct.last_weight,
    live: (struct.flags & LIVE) !== 0,
    goneNs,
    local: (struct.flags & LOCAL) !== 0,
    onServerDown: ON_SERVER_DOWN[struct.on_server_down] ?? "reset",
  };
}
