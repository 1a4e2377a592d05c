/**
 * The host's network as the VRRP machine needs it: what interfaces and addresses do, and adverts, addresses and
 * gratuitous ARP going out.
 *
 * Only interfaces that the configuration names are reported. An interface that does not exist (yet) is one that is down.
 */

import { type Ipv4Address, isIpv4 } from "../../base/ip.ts";
import { type Duration, inSeconds } from "../../base/time.ts";
import type { VirtualAddress, VrrpConfiguration } from "../../config/model/vrrp.ts";
import { SystemError } from "../../sys/addon.ts";
import { putAddress, removeAddress } from "../../sys/addresses.ts";
import { type InterfaceEvent, Interfaces, type NetworkInterface } from "../../sys/interfaces.ts";
import { Netlink } from "../../sys/netlink.ts";
import { openPacketSocket, type PacketSocket } from "../../sys/packet-socket.ts";
import { openRawSocket, type RawSocket } from "../../sys/raw-socket.ts";
import type { Input, InterfaceReport } from "../../vrrp/messages.ts";
import { gratuitousArpFrame } from "../../wire/arp.ts";
import type { Log } from "../log/log.ts";

const IPPROTO_VRRP = 112;
/** IFA_PROTO of our addresses, the number that RTPROT_KEEPALIVED has for routes: `ip addr` shows who put them there. */
const ADDRESS_PROTOCOL = 18;
/** The same failure of the same thing is logged once in this time, milliseconds. */
const REPEAT_AFTER_MS = 10_000;
/** RT_SCOPE_*, linux/rtnetlink.h. */
const SCOPES = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;

interface OpenSocket {
  readonly index: number;
  readonly group: Ipv4Address;
  readonly socket: RawSocket;
}

export class HostNetwork {
  readonly #log: Log;
  readonly #handle: (input: Input) => void;
  readonly #netlink = new Netlink();
  readonly #frames: PacketSocket = openPacketSocket();
  readonly #sockets = new Map<string, OpenSocket>();
  readonly #addresses = new Map<string, Set<Ipv4Address>>();
  readonly #complaints = new Map<string, number>();
  readonly #interfaces: Interfaces;
  #names: ReadonlySet<string>;
  #configuration: VrrpConfiguration;

  /** `handle` is told of changes from now on. @throws SystemError without CAP_NET_ADMIN and CAP_NET_RAW */
  constructor(configuration: VrrpConfiguration, log: Log, handle: (input: Input) => void) {
    this.#log = log;
    this.#handle = handle;
    this.#configuration = configuration;
    this.#names = namesIn(configuration);
    this.#interfaces = new Interfaces({
      onChange: (event) => this.#changed(event),
      onError: (error) => this.#complain("netlink", error.message),
    });
    for (const name of this.#names) this.#adopt(name);
  }

  /** Every interface that the configuration names and that exists. */
  reports(): InterfaceReport[] {
    return [...this.#names].flatMap((name) => {
      const found = this.#interfaces.byName(name);
      return found === undefined ? [] : [{ name, up: found.up, addresses: ipv4Of(found) }];
    });
  }

  /** Names that the configuration has and the machine has not. */
  missing(): string[] {
    return [...this.#names].filter((name) => this.#interfaces.byName(name) === undefined);
  }

  /** Reports what only the new configuration names, and closes what it no longer needs. */
  reconfigure(configuration: VrrpConfiguration): void {
    const before = this.#names;
    this.#configuration = configuration;
    this.#names = namesIn(configuration);
    for (const [name, open] of this.#sockets) {
      if (this.#groupOf(name) === open.group) continue;
      open.socket.close();
      this.#sockets.delete(name);
    }
    for (const name of this.#names) {
      this.#adopt(name);
      const found = this.#interfaces.byName(name);
      if (before.has(name) || found === undefined) continue;
      this.#handle({ type: "link", interface: name, up: found.up });
      for (const address of ipv4Of(found)) this.#handle({ type: "address", interface: name, address, present: true });
    }
  }

  sendAdvert(interfaceName: string, destination: Ipv4Address, packet: Uint8Array): void {
    this.#try(`send an advert on ${interfaceName}`, () =>
      this.#sockets.get(interfaceName)?.socket.send(packet, destination),
    );
  }

  /** Adds the address, or lengthens its life. */
  holdAddress(address: VirtualAddress, lifetime: Duration): void {
    const found = this.#interfaces.byName(address.interface);
    if (found === undefined) {
      this.#complain(address.address, `${address.address}: no interface ${address.interface}`);
      return;
    }
    this.#try(`hold ${address.address}`, () =>
      putAddress(this.#netlink, {
        interfaceIndex: found.index,
        address: address.address,
        prefixLength: address.prefixLength,
        label: address.label,
        broadcast: address.broadcast,
        scope: typeof address.scope === "number" ? address.scope : SCOPES[address.scope],
        validLifetime: Math.ceil(inSeconds(lifetime)),
        protocol: ADDRESS_PROTOCOL,
      }),
    );
  }

  dropAddress(address: VirtualAddress): void {
    const found = this.#interfaces.byName(address.interface);
    if (found === undefined) return;
    const { prefixLength } = address;
    this.#try(`remove ${address.address}`, () =>
      removeAddress(this.#netlink, { interfaceIndex: found.index, address: address.address, prefixLength }),
    );
  }

  sendGratuitousArp(interfaceName: string, address: Ipv4Address): void {
    const found = this.#interfaces.byName(interfaceName);
    const mac = found?.mac;
    if (found === undefined || mac === undefined) return;
    this.#try(`send gratuitous ARP on ${interfaceName}`, () =>
      this.#frames.send(gratuitousArpFrame(mac, address), found.index),
    );
  }

  close(): void {
    for (const { socket } of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    this.#frames.close();
    this.#interfaces.close();
    this.#netlink.close();
  }

  #changed(event: InterfaceEvent): void {
    const { name } = event.interface;
    if (!this.#names.has(name)) return;
    switch (event.kind) {
      case "link":
        this.#adopt(name);
        if (event.previous?.up !== event.interface.up)
          this.#handle({ type: "link", interface: name, up: event.interface.up });
        break;
      case "link-removed":
        this.#sockets.get(name)?.socket.close();
        this.#sockets.delete(name);
        this.#handle({ type: "link", interface: name, up: false });
        break;
      case "address":
      case "address-removed": {
        const { address } = event.address;
        if (!isIpv4(address)) break;
        const known = this.#addresses.get(name) ?? new Set();
        this.#addresses.set(name, known);
        const present = event.kind === "address";
        // A refreshed lifetime is news to the kernel's listeners, and none to the machine.
        if (known.has(address) === present) break;
        if (present) known.add(address);
        else known.delete(address);
        this.#handle({ type: "address", interface: name, address, present });
        break;
      }
      default:
        event satisfies never;
    }
  }

  /** Opens the VRRP socket of an interface that exists; again when it came back under another index. */
  #adopt(name: string): void {
    const found = this.#interfaces.byName(name);
    if (found === undefined) return;
    if (!this.#addresses.has(name)) this.#addresses.set(name, new Set(ipv4Of(found)));
    const group = this.#groupOf(name);
    const open = this.#sockets.get(name);
    if (group === undefined || open?.index === found.index) return;
    open?.socket.close();
    this.#sockets.delete(name);
    this.#try(`listen for adverts on ${name}`, () => {
      const socket = openRawSocket({
        protocol: IPPROTO_VRRP,
        interface: found,
        multicastGroup: group,
        onPackets: (packets) => {
          for (const { bytes } of packets) this.#handle({ type: "packet", interface: name, packet: bytes.toHex() });
        },
        onError: (error) => this.#complain(`receive ${name}`, error.message),
      });
      this.#sockets.set(name, { index: found.index, group, socket });
      this.#log.write(
        "info",
        `VRRP sockpool: [ifindex(${String(found.index).padStart(3)}), family(IPv4), proto(112), fd(${socket.fd}) multicast, address(${group})]`,
      );
    });
  }

  /** The group that instances on this interface speak to; undefined when there is none. */
  #groupOf(name: string): Ipv4Address | undefined {
    return this.#configuration.instances.some((one) => one.interface === name)
      ? this.#configuration.global.mcastGroup4
      : undefined;
  }

  #try(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#complain(`${what} ${error.code}`, error.message);
    }
  }

  #complain(key: string, message: string): void {
    const now = Date.now();
    if (now - (this.#complaints.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_AFTER_MS) return;
    this.#complaints.set(key, now);
    this.#log.write("err", message);
  }
}

function namesIn(configuration: VrrpConfiguration): Set<string> {
  const tracked = [...configuration.instances, ...configuration.syncGroups].flatMap((one) => one.trackInterfaces);
  const addresses = configuration.instances.flatMap((one) => [...one.virtualAddresses, ...one.excludedAddresses]);
  return new Set([...configuration.instances, ...tracked, ...addresses].map((one) => one.interface));
}

const ipv4Of = (found: NetworkInterface): Ipv4Address[] => found.addresses.map((one) => one.address).filter(isIpv4);
