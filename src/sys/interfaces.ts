/**
 * The machine's network interfaces and their addresses, kept up to date from rtnetlink.
 *
 * When the kernel had to drop events, everything is read again and the differences are reported like events: a listener
 * misses no state that lasts, only steps in between.
 */

import type { NetlinkMessage } from "../wire/netlink.ts";
import {
  addressDumpRequest,
  RTM_GETADDR,
  RTM_NEWADDR,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
} from "../wire/netlink-address.ts";
import { linkDumpRequest, RTM_GETLINK, RTNLGRP_LINK } from "../wire/netlink-link.ts";
import type { SystemError } from "./addon.ts";
import { type InterfaceEvent, InterfaceTable, type NetworkInterface } from "./interface-table.ts";
import { Netlink, NetlinkMonitor } from "./netlink.ts";
import type { FilterInstruction } from "./packet-socket.ts";

export type { InterfaceEvent, NetworkInterface } from "./interface-table.ts";

export interface InterfaceHandlers {
  /** The event has been applied: `interfaces` shows it, and may show later ones of the same batch. */
  onChange(event: InterfaceEvent): void;
  onError(error: SystemError): void;
}

export class Interfaces {
  readonly #table = new InterfaceTable();
  readonly #netlink = new Netlink();
  readonly #monitor: NetlinkMonitor;
  readonly #handlers: InterfaceHandlers;
  /** Where a name was found last: asked for at every packet, with hundreds of interfaces. */
  readonly #indices = new Map<string, number>();
  #open = true;

  /** Everything has been read when the constructor returns; from then on changes are reported. @throws SystemError */
  constructor(handlers: InterfaceHandlers) {
    this.#handlers = handlers;
    // Listening comes first: a change during the dump is then reported, at worst twice.
    const groups = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR];
    this.#monitor = new NetlinkMonitor(groups, {
      onMessages: (messages) => this.#report(messages.flatMap((message) => this.#table.apply(message))),
      onLost: () => this.#report(this.#table.replace(dumpAll(this.#netlink))),
      onError: (error) => handlers.onError(error),
    });
    try {
      this.#table.replace(dumpAll(this.#netlink));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** By index. Changes by itself. */
  get interfaces(): ReadonlyMap<number, NetworkInterface> {
    return this.#table.interfaces;
  }

  byName(name: string): NetworkInterface | undefined {
    const known = this.interfaces.get(this.#indices.get(name) ?? 0);
    if (known?.name === name) return known;
    const found = this.interfaces.values().find((candidate) => candidate.name === name);
    if (found === undefined) this.#indices.delete(name);
    else this.#indices.set(name, found.index);
    return found;
  }

  /**
   * The socket with this port only lengthens the lives of addresses that are there: that is no news, and with hundreds of
   * them a second not even worth waking up for. Only IPv4's news says who asked. @throws SystemError
   */
  overlookRenewalsBy(port: number): void {
    if (this.#open) this.#monitor.filter(allButAdditionsBy(port));
  }

  /** Reports what has changed already, without waiting for its news: what this process itself has just made. @throws SystemError */
  refresh(): void {
    // Older than the dump: it would bring back states that have passed.
    this.#monitor.discard();
    this.#report(this.#table.replace(dumpAll(this.#netlink)));
  }

  /** No change is reported after it. Safe to call twice, and from within a handler. */
  close(): void {
    this.#open = false;
    this.#monitor.close();
    this.#netlink.close();
  }

  #report(events: readonly InterfaceEvent[]): void {
    for (const event of events) {
      if (this.#open) this.#handlers.onChange(event);
    }
  }
}

/** All interfaces, read once. @throws SystemError */
export function readInterfaces(): ReadonlyMap<number, NetworkInterface> {
  const netlink = new Netlink();
  try {
    const table = new InterfaceTable();
    table.replace(dumpAll(netlink));
    return table.interfaces;
  } finally {
    netlink.close();
  }
}

const dumpAll = (netlink: Netlink): readonly NetlinkMessage[] => [
  ...netlink.dump(RTM_GETLINK, linkDumpRequest(), "read the network interfaces"),
  ...netlink.dump(RTM_GETADDR, addressDumpRequest(), "read the addresses of the network interfaces"),
];

/** nlmsg_type and nlmsg_pid as they lie in memory: two and four bytes, the lowest first. */
const TYPE_AT = 4;
const PORT_AT = 12;

/** Classic BPF, linux/filter.h; it loads the highest byte first. */
const allButAdditionsBy = (port: number): FilterInstruction[] => [
  [0x28, 0, 0, TYPE_AT],
  [0x15, 0, 3, swapped16(RTM_NEWADDR)],
  [0x20, 0, 0, PORT_AT],
  [0x15, 0, 1, swapped32(port)],
  [0x06, 0, 0, 0],
  [0x06, 0, 0, 0xffff_ffff],
];

const swapped16 = (value: number): number => ((value & 0xff) << 8) | (value >> 8);
const swapped32 = (value: number): number => new DataView(Uint32Array.of(value).buffer).getUint32(0);
