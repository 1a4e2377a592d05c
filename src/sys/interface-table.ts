/**
 * What rtnetlink's messages say about interfaces and their addresses, as a table and the changes to it.
 *
 * Judges "up" as keepalived does: IFF_UP and IFF_RUNNING. Opens nothing; `interfaces.ts` feeds it.
 */

import type { IpAddress } from "../base/ip.ts";
import type { MacAddress } from "../base/mac.ts";
import type { NetlinkMessage } from "../wire/netlink.ts";
import { type Lifetime, parseAddress, RTM_DELADDR, RTM_NEWADDR } from "../wire/netlink-address.ts";
import {
  IFF_RUNNING,
  IFF_UP,
  type LinkMessage,
  linkOrigin,
  parseLink,
  RTM_DELLINK,
  RTM_NEWLINK,
} from "../wire/netlink-link.ts";

export interface NetworkInterface {
  readonly index: number;
  readonly name: string;
  /** Undefined for an interface without an Ethernet address. */
  readonly mac: MacAddress | undefined;
  readonly mtu: number;
  /** IFF_UP and IFF_RUNNING: switched on, and with a carrier. */
  readonly up: boolean;
  /** IFF_*. */
  readonly flags: number;
  /** ARPHRD_*: 1 Ethernet, 772 loopback. */
  readonly hardwareType: number;
  /** Of the bridge or bond that it belongs to. */
  readonly masterIndex: number | undefined;
  /** The interface that it lies on (macvlan, VLAN). */
  readonly lowerIndex: number | undefined;
  /** "macvlan", "veth" …; undefined for what is no virtual kind. */
  readonly kind: string | undefined;
  /** A remark (`ip link set … alias`). */
  readonly alias: string | undefined;
  /** In the order in which they were added. */
  readonly addresses: readonly InterfaceAddress[];
}

export interface InterfaceAddress {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly broadcast: IpAddress | undefined;
  readonly label: string | undefined;
  /** RT_SCOPE_*: 0 global, 253 link, 254 host. */
  readonly scope: number;
  /** IFA_F_*. */
  readonly flags: number;
  /** As it was when the kernel last spoke of it. */
  readonly validLifetime: Lifetime;
  readonly preferredLifetime: Lifetime;
  /** IFA_PROTO. */
  readonly protocol: number | undefined;
}

export type InterfaceEvent =
  /** New (`previous` undefined), or something else than its addresses changed. */
  | { readonly kind: "link"; readonly interface: NetworkInterface; readonly previous: NetworkInterface | undefined }
  /** After `address-removed` for each of its addresses. */
  | { readonly kind: "link-removed"; readonly interface: NetworkInterface }
  /** New (`previous` undefined), or renewed: lifetime, flags, label. */
  | {
      readonly kind: "address";
      readonly interface: NetworkInterface;
      readonly address: InterfaceAddress;
      readonly previous: InterfaceAddress | undefined;
    }
  | {
      readonly kind: "address-removed";
      readonly interface: NetworkInterface;
      readonly address: InterfaceAddress;
      /** Of the netlink socket that asked for it; 0: the kernel's own doing, or (IPv6) it does not tell. */
      readonly port: number;
    };

export class InterfaceTable {
  readonly #byIndex = new Map<number, NetworkInterface>();

  get interfaces(): ReadonlyMap<number, NetworkInterface> {
    return this.#byIndex;
  }

  /** What a multicast message changed, which may be nothing. */
  apply(message: NetlinkMessage): InterfaceEvent[] {
    switch (message.type) {
      case RTM_NEWLINK:
      case RTM_DELLINK: {
        const link = parseLink(message.payload);
        // A message of another family is a bridge speaking of its port.
        if (link === undefined || link.family !== 0) return [];
        return message.type === RTM_NEWLINK ? this.#putLink(link) : this.#removeLink(link.index);
      }
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        const found = readAddress(message.payload);
        if (found === undefined) return [];
        const { index, address } = found;
        return message.type === RTM_NEWADDR
          ? this.#putAddress(index, address)
          : this.#removeAddress(index, address, message.port);
      }
      default:
        return [];
    }
  }

  /** What a complete dump of links and addresses changed. */
  replace(dump: readonly NetlinkMessage[]): InterfaceEvent[] {
    const fresh = new InterfaceTable();
    for (const message of dump) fresh.apply(message);
    const events: InterfaceEvent[] = [];
    for (const { index, addresses } of [...this.#byIndex.values()]) {
      const now = fresh.#byIndex.get(index);
      if (now === undefined) {
        events.push(...this.#removeLink(index));
      } else {
        const gone = addresses.filter((address) => !now.addresses.some((other) => isSame(address, other)));
        for (const address of gone) events.push(...this.#removeAddress(index, address));
      }
    }
    for (const message of dump) events.push(...this.apply(message));
    return events;
  }

  #putLink(link: LinkMessage): InterfaceEvent[] {
    const previous = this.#byIndex.get(link.index);
    const current: NetworkInterface = {
      index: link.index,
      name: link.name ?? previous?.name ?? "",
      mac: link.mac,
      mtu: link.mtu ?? 0,
      up: (link.flags & IFF_UP) !== 0 && (link.flags & IFF_RUNNING) !== 0,
      flags: link.flags,
      hardwareType: link.hardwareType,
      masterIndex: link.masterIndex,
      lowerIndex: link.lowerIndex,
      ...linkOrigin(link),
      addresses: previous?.addresses ?? [],
    };
    if (previous !== undefined && isEqual(previous, current)) return [];
    this.#byIndex.set(link.index, current);
    return [{ kind: "link", interface: current, previous }];
  }

  #removeLink(index: number): InterfaceEvent[] {
    const events: InterfaceEvent[] = [];
    for (const address of this.#byIndex.get(index)?.addresses ?? []) {
      events.push(...this.#removeAddress(index, address));
    }
    const found = this.#byIndex.get(index);
    if (found === undefined) return events;
    this.#byIndex.delete(index);
    return [...events, { kind: "link-removed", interface: found }];
  }

  #putAddress(index: number, address: InterfaceAddress): InterfaceEvent[] {
    const owner = this.#byIndex.get(index);
    if (owner === undefined) return [];
    const previous = owner.addresses.find((other) => isSame(other, address));
    if (previous !== undefined && isEqual(previous, address)) return [];
    const addresses =
      previous === undefined
        ? [...owner.addresses, address]
        : owner.addresses.map((other) => (other === previous ? address : other));
    return [{ kind: "address", interface: this.#withAddresses(owner, addresses), address, previous }];
  }

  #removeAddress(index: number, address: InterfaceAddress, port = 0): InterfaceEvent[] {
    const owner = this.#byIndex.get(index);
    const found = owner?.addresses.find((other) => isSame(other, address));
    if (owner === undefined || found === undefined) return [];
    const addresses = owner.addresses.filter((other) => other !== found);
    return [{ kind: "address-removed", interface: this.#withAddresses(owner, addresses), address: found, port }];
  }

  #withAddresses(owner: NetworkInterface, addresses: readonly InterfaceAddress[]): NetworkInterface {
    const current = { ...owner, addresses };
    this.#byIndex.set(owner.index, current);
    return current;
  }
}

function readAddress(payload: Uint8Array): { index: number; address: InterfaceAddress } | undefined {
  const message = parseAddress(payload);
  // IPv4 says IFA_LOCAL; IPv6 has it on point-to-point links alone.
  const own = message?.local ?? message?.address;
  if (message === undefined || own === undefined) return undefined;
  const { interfaceIndex, prefixLength, broadcast, label, scope, flags, lifetimes, protocol } = message;
  return {
    index: interfaceIndex,
    address: {
      ...{ address: own, prefixLength, broadcast, label, scope, flags, protocol },
      validLifetime: lifetimes?.valid ?? "forever",
      preferredLifetime: lifetimes?.preferred ?? "forever",
    },
  };
}

/** The kernel tells addresses of one interface apart by these two. */
const isSame = (a: InterfaceAddress, b: InterfaceAddress): boolean =>
  a.address === b.address && a.prefixLength === b.prefixLength;

/** Of two records with the same keys and plain values. */
function isEqual<T extends object>(a: T, b: T): boolean {
  return (Object.keys(a) as (keyof T)[]).every((key) => a[key] === b[key]);
}
