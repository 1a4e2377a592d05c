/**
 * The host's network as the VRRP machine needs it: what interfaces and addresses do, and adverts, addresses and
 * gratuitous ARP going out.
 *
 * Only interfaces that the configuration names are reported. An interface that does not exist (yet) is one that is down.
 */

import { type IpAddress, type Ipv4Address, type Ipv6Address, isIpv4 } from "../../base/ip.ts";
import { after, type Duration, type Instant, inSeconds, seconds } from "../../base/time.ts";
import type { VirtualRoute, VirtualRule } from "../../config/model/route.ts";
import type { VirtualAddress, VrrpConfiguration } from "../../config/model/vrrp.ts";
import { SystemError } from "../../sys/addon.ts";
import { putAddress, removeAddress } from "../../sys/addresses.ts";
import { monotonicNow } from "../../sys/clock.ts";
import { type InterfaceEvent, Interfaces, type NetworkInterface } from "../../sys/interfaces.ts";
import { Netlink } from "../../sys/netlink.ts";
import { openPacketSocket, type PacketSocket } from "../../sys/packet-socket.ts";
import type { Input, InterfaceReport } from "../../vrrp/messages.ts";
import { gratuitousArpFrame } from "../../wire/arp.ts";
import type { Log } from "../log/log.ts";
import { AdvertSockets } from "./advert-sockets.ts";

/** IFA_PROTO of our addresses, the number that RTPROT_KEEPALIVED has for routes: `ip addr` shows who put them there. */
const ADDRESS_PROTOCOL = 18;
/** The same failure of the same thing is logged once in this time. */
const REPEAT_AFTER = seconds(10);
/** RT_SCOPE_*, linux/rtnetlink.h. */
const SCOPES = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;

/** What the machine has been told of an interface. */
interface Told {
  up: boolean;
  addresses: readonly Ipv4Address[];
}

export class HostNetwork {
  readonly #log: Log;
  readonly #handle: (input: Input) => void;
  readonly #netlink = new Netlink();
  readonly #frames: PacketSocket = openPacketSocket();
  readonly #sockets: AdvertSockets;
  /** By name. Also names that the configuration had before a reload: the machine remembers them too. */
  readonly #told = new Map<string, Told>();
  readonly #quietUntil = new Map<string, Instant>();
  readonly #interfaces: Interfaces;
  #names: ReadonlySet<string>;
  #configuration: VrrpConfiguration;

  /** `handle` is told of changes from now on. @throws SystemError without CAP_NET_ADMIN and CAP_NET_RAW */
  constructor(configuration: VrrpConfiguration, log: Log, handle: (input: Input) => void) {
    this.#log = log;
    this.#handle = handle;
    this.#configuration = configuration;
    this.#names = namesIn(configuration);
    this.#sockets = new AdvertSockets({
      onPacket: (name, packet) => handle({ type: "packet", interface: name, packet: packet.toHex() }),
      onError: (name, error) => this.#complain(`receive ${name}`, error.message),
    });
    this.#interfaces = new Interfaces({
      onChange: (event) => this.#changed(event),
      onError: (error) => this.#complain("netlink", error.message),
    });
    for (const name of this.#names) {
      const found = this.#interfaces.byName(name);
      this.#told.set(name, { up: found?.up ?? false, addresses: found === undefined ? [] : ipv4Of(found) });
      if (found !== undefined) this.#listen(found);
    }
  }

  /** Of the whole machine, by index. Changes by itself. */
  get interfaces(): ReadonlyMap<number, NetworkInterface> {
    return this.#interfaces.interfaces;
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

  /**
   * Before the machine takes a new configuration: reports the interfaces that only this one names, and listens on them.
   * Where only the old one listened stays open, as its last adverts are still to be sent: `settle` closes it.
   */
  prepare(configuration: VrrpConfiguration): void {
    this.#configuration = configuration;
    this.#names = namesIn(configuration);
    for (const name of this.#names) {
      if (!this.#told.has(name)) this.#told.set(name, { up: false, addresses: [] });
      const found = this.#interfaces.byName(name);
      if (found !== undefined) this.#appears(found);
    }
  }

  /** After the machine has taken it. */
  settle(): void {
    for (const name of this.#sockets.names()) if (this.#groupOf(name) === undefined) this.#sockets.close(name);
  }

  /** A whole IP packet, to a multicast group or, by the routing table, to a unicast peer. */
  sendAdvert(interfaceName: string, destination: IpAddress, packet: Uint8Array): void {
    // Nobody would hear it; the kernel refuses or drops it.
    if (this.#told.get(interfaceName)?.up !== true) return;
    if (!isIpv4(destination)) return;
    this.#try(`send an advert on ${interfaceName}`, () => this.#sockets.send(interfaceName, destination, packet));
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

  /** One unsolicited neighbour advertisement: the same for IPv6. */
  sendNeighbourAdvertisement(_interfaceName: string, _address: Ipv6Address): void {}

  /** Replaces what differs. `route-lost` is handed in when somebody else takes it away, until it is removed here. */
  addRoute(_instance: string, _route: VirtualRoute): void {}

  /** No error when it is not there; leaves a route of the same kind that somebody else made. */
  removeRoute(_instance: string, _route: VirtualRoute): void {}

  addRule(_instance: string, _rule: VirtualRule): void {}

  removeRule(_instance: string, _rule: VirtualRule): void {}

  close(): void {
    for (const name of this.#sockets.names()) this.#sockets.close(name);
    this.#frames.close();
    this.#interfaces.close();
    this.#netlink.close();
  }

  #changed(event: InterfaceEvent): void {
    const { interface: found } = event;
    switch (event.kind) {
      case "link":
        if (event.previous !== undefined && event.previous.name !== found.name) this.#vanishes(event.previous.name);
        this.#appears(found);
        break;
      case "link-removed":
        this.#vanishes(found.name);
        break;
      case "address":
      case "address-removed":
        this.#tell(found.name, { up: this.#told.get(found.name)?.up ?? false, addresses: ipv4Of(found) });
        break;
      default:
        event satisfies never;
    }
  }

  /** Is there, under this name, as it is now. */
  #appears(found: NetworkInterface): void {
    if (this.#names.has(found.name)) this.#listen(found);
    this.#tell(found.name, { up: found.up, addresses: ipv4Of(found) });
  }

  /** Removed, or called otherwise from now on. */
  #vanishes(name: string): void {
    this.#sockets.close(name);
    this.#tell(name, { up: false, addresses: [] });
  }

  /** Hands in what is new: a refreshed lifetime is news to the kernel's listeners, and none to the machine. */
  #tell(name: string, now: Told): void {
    const before = this.#told.get(name);
    if (before === undefined) return;
    this.#told.set(name, now);
    // A machine that is told first that the interface is down does not wonder where its addresses have gone.
    if (before.up && !now.up) this.#handle({ type: "link", interface: name, up: false });
    for (const address of before.addresses.filter((one) => !now.addresses.includes(one)))
      this.#handle({ type: "address", interface: name, address, present: false });
    for (const address of now.addresses.filter((one) => !before.addresses.includes(one)))
      this.#handle({ type: "address", interface: name, address, present: true });
    if (!before.up && now.up) this.#handle({ type: "link", interface: name, up: true });
  }

  #listen(found: NetworkInterface): void {
    const group = this.#groupOf(found.name);
    if (group === undefined) return;
    this.#try(`listen for adverts on ${found.name}`, () => {
      const fd = this.#sockets.open(found, group);
      if (fd === undefined) return;
      const where = `ifindex(${String(found.index).padStart(3)}), family(IPv4), proto(112), fd(${fd}) multicast`;
      this.#log.write("info", `VRRP sockpool: [${where}, address(${group})]`);
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
    const now = monotonicNow();
    if (now < (this.#quietUntil.get(key) ?? now)) return;
    this.#quietUntil.set(key, after(now, REPEAT_AFTER));
    this.#log.write("err", message);
  }
}

function namesIn(configuration: VrrpConfiguration): Set<string> {
  const tracked = [...configuration.instances, ...configuration.syncGroups].flatMap((one) => one.trackInterfaces);
  const addresses = configuration.instances.flatMap((one) => [...one.virtualAddresses, ...one.excludedAddresses]);
  return new Set([...configuration.instances, ...tracked, ...addresses].map((one) => one.interface));
}

/** Each once, also when the interface has it with several prefix lengths. */
const ipv4Of = (found: NetworkInterface): Ipv4Address[] => [
  ...new Set(found.addresses.map((one) => one.address).filter(isIpv4)),
];
