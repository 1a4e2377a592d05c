/** What the machine of a host remembers. Plain JSON. Lists follow the configuration's order. */

import { type IpAddress, type IpPrefix, type Ipv6Address, isIpv4, isIpv6, prefixContains } from "../base/ip.ts";
import type { Instant } from "../base/time.ts";
import type { SyncGroup, VrrpConfiguration, VrrpInstance } from "../config/model/vrrp.ts";
import { indexOf } from "./configuration-index.ts";
import type { AnnouncementQueue } from "./garp.ts";
import type { LinkLack, StateName } from "./messages.ts";
import type { RouterState } from "./router-state.ts";
import type { ScriptState } from "./scripts.ts";

export interface InterfaceState {
  readonly name: string;
  readonly up: boolean;
  /** What it lacks when it is not up, if the driver has said so. */
  readonly lack?: LinkLack | undefined;
  /** It has been up since this process began: what is missing was lost. */
  readonly wasUp?: boolean | undefined;
  readonly addresses: readonly IpAddress[];
  /** Taken away by this machine; the report that they are gone is still to come. */
  readonly removing: readonly IpAddress[];
}

export interface GroupState {
  readonly name: string;
  readonly state: StateName;
  /** Why its members last changed. */
  readonly cause: string;
}

/** Of a `track_file`. One that has not been reported counts as 0, as a file that is not there does. */
export interface FileState {
  readonly name: string;
  readonly value: number;
}

/** Of a `vrrp_track_process`. One that has not been reported holds back a start when it decides alone. */
export interface ProcessState {
  readonly name: string;
  readonly count: number;
}

/** Of `track_proxy` and `track_service`. Not reported yet: as with a process. */
export interface ServiceState {
  readonly kind: "proxy" | "service";
  readonly name: string;
  /** null: nobody can say any more. */
  readonly up: boolean | null;
  /** Why, in words and root first. */
  readonly cause: string;
}

export interface HostState {
  readonly phase: "new" | "running" | "stopping" | "stopped";
  readonly configuration: VrrpConfiguration;
  readonly interfaces: readonly InterfaceState[];
  readonly routers: readonly RouterState[];
  readonly groups: readonly GroupState[];
  readonly scripts: readonly ScriptState[];
  readonly files: readonly FileState[];
  readonly processes: readonly ProcessState[];
  readonly services: readonly ServiceState[];
  readonly announcements: readonly AnnouncementQueue[];
  readonly unknownVrid: number;
  /** Lines about them in the second that began then. */
  readonly unknownSaid: { readonly since: Instant; readonly lines: number } | null;
  readonly malformed: number;
}

/**
 * A copy that one call of `transition` works on. The lists in it are replaced, never changed, but for `routers`: with
 * hundreds of them, a new list for each that has changed is most of what the machine would do.
 */
export type Draft = { -readonly [K in keyof HostState]: HostState[K] } & { routers: RouterState[] };

export function instanceNamed({ configuration }: HostState, name: string): VrrpInstance | undefined {
  const position = indexOf(configuration).positions.get(name);
  return position === undefined ? undefined : configuration.instances[position];
}

/** Undefined: there is none. While a new configuration is taken, routers are not in its order. */
export function routerPosition({ configuration, routers }: HostState, name: string): number | undefined {
  const expected = indexOf(configuration).positions.get(name);
  if (expected !== undefined && routers[expected]?.name === name) return expected;
  const position = routers.findIndex((router) => router.name === name);
  return position < 0 ? undefined : position;
}

export function routerNamed(host: HostState, name: string): RouterState | undefined {
  const position = routerPosition(host, name);
  return position === undefined ? undefined : host.routers[position];
}

export const groupOf = ({ configuration }: HostState, instance: string): SyncGroup | undefined =>
  indexOf(configuration).groups.get(instance);

/** Those of the group that exist. */
export const membersOf = (host: HostState, group: SyncGroup): readonly RouterState[] =>
  group.members.flatMap((name) => routerNamed(host, name) ?? []);

export const interfaceNamed = (host: HostState, name: string): InterfaceState =>
  host.interfaces.find((candidate) => candidate.name === name) ?? { name, up: false, addresses: [], removing: [] };

export function putInterface(draft: Draft, state: InterfaceState): void {
  const known = draft.interfaces.some(({ name }) => name === state.name);
  draft.interfaces = known
    ? draft.interfaces.map((old) => (old.name === state.name ? state : old))
    : [...draft.interfaces, state];
}

export const isVirtual = ({ configuration }: HostState, address: string): boolean =>
  indexOf(configuration).virtualAddresses.has(address);

const LINK_LOCAL: IpPrefix = { address: "fe80::" as Ipv6Address, length: 10 };

/**
 * Where the adverts of an instance come from: `mcast_src_ip` or `unicast_src_ip`, or else the first address of its
 * interface that is not a virtual one; for IPv6 the first link-local one (RFC 9568 §5.1.2.1).
 */
export function sourceOf(host: HostState, instance: VrrpInstance): IpAddress | null {
  const isFit =
    instance.family === "ipv4"
      ? isIpv4
      : (address: IpAddress) => isIpv6(address) && prefixContains(LINK_LOCAL, address);
  const { sourceAddress } = instance;
  if (sourceAddress !== undefined && isIpv4(sourceAddress) === (instance.family === "ipv4")) return sourceAddress;
  const { addresses, removing } = interfaceNamed(host, instance.interface);
  const found = addresses.find((address) => isFit(address) && !isVirtual(host, address) && !removing.includes(address));
  return found ?? null;
}

/** By which its adverts leave. */
export const advertInterface = ({ vmac, interface: base }: VrrpInstance): string =>
  vmac === undefined || vmac.transmitOnBase ? base : vmac.interface;
