/**
 * The host's network as the VRRP machine needs it: what interfaces and addresses do, and adverts, addresses, routes, rules,
 * gratuitous ARP and neighbour advertisements going out. And what is in place besides the machine: macvlans, static things,
 * drops for `no_accept`.
 *
 * Only interfaces that the configuration names are reported. An interface that does not exist (yet) is one that is down.
 */

import { type IpAddress, type Ipv4Address, type Ipv6Address, isIpv4, isIpv6 } from "../../base/ip.ts";
import type { MacAddress } from "../../base/mac.ts";
import type { Duration } from "../../base/time.ts";
import type { VirtualRoute, VirtualRule } from "../../config/model/route.ts";
import { NO_INTERFACE, type VirtualAddress, type VrrpConfiguration } from "../../config/model/vrrp.ts";
import { addon } from "../../sys/addon.ts";
import { putAddress, removeAddress } from "../../sys/addresses.ts";
import { type InterfaceEvent, Interfaces, type NetworkInterface } from "../../sys/interfaces.ts";
import { Netlink } from "../../sys/netlink.ts";
import { openPacketSocket, type PacketSocket } from "../../sys/packet-socket.ts";
import { readSysctl } from "../../sys/sysctl.ts";
import type { Input, InterfaceReport, LinkLack } from "../../vrrp/messages.ts";
import { gratuitousArpFrame } from "../../wire/arp.ts";
import { unsolicitedAdvertisementFrame } from "../../wire/icmpv6.ts";
import { IFA_F_DADFAILED, IFA_F_TENTATIVE } from "../../wire/netlink-address.ts";
import { IFF_UP } from "../../wire/netlink-link.ts";
import type { EventBody } from "../events.ts";
import type { Log } from "../log/log.ts";
import { AdvertPaths } from "./advert-paths.ts";
import { Complaints } from "./complaints.ts";
import { type DropReport, DropTable } from "./drop-table.ts";
import { HostRoutes } from "./host-routes.ts";
import { virtualAssignment } from "./kernel-requests.ts";
import { removeLeftovers } from "./leftovers.ts";
import { Macvlans } from "./macvlans.ts";
import { othersHere, othersWarning, showOurselves } from "./others-here.ts";
import { hintAbout, programOfPort } from "./remover.ts";
import { Renewals } from "./renewals.ts";
import { SavedSettings } from "./saved-settings.ts";
import { StaticThings } from "./statics.ts";

/** What the machine has been told of an interface. */
interface Told {
  up: boolean;
  /** Only of one that is not up. */
  lack?: LinkLack | undefined;
  addresses: readonly IpAddress[];
}

export class HostNetwork {
  readonly #log: Log;
  readonly #handle: (input: Input) => void;
  readonly #complaints: Complaints;
  readonly #netlink = new Netlink();
  readonly #frames: PacketSocket = openPacketSocket();
  readonly #self = showOurselves();
  readonly #interfaces: Interfaces;
  readonly #settings: SavedSettings;
  readonly #adverts: AdvertPaths;
  readonly #macvlans: Macvlans;
  readonly #routes: HostRoutes;
  readonly #statics: StaticThings;
  readonly #drops: DropTable;
  /** By name. Also names that the configuration had before a reload: the machine remembers them too. */
  readonly #told = new Map<string, Told>();
  /** Virtual addresses that are ours now, by interface and address. */
  readonly #held = new Map<string, VirtualAddress>();
  readonly #renewals: Renewals;
  /** Looked up for every address every second. An interface with other addresses is another object. */
  readonly #addresses = new WeakMap<NetworkInterface, ReadonlySet<IpAddress>>();
  readonly #hinted = new Set<string>();
  #names: ReadonlySet<string>;
  #configuration: VrrpConfiguration;

  /**
   * `handle` is told of changes from now on; `publish` of what does not concern the machine.
   * @throws SystemError without CAP_NET_ADMIN and CAP_NET_RAW
   */
  constructor(
    configuration: VrrpConfiguration,
    log: Log,
    handle: (input: Input) => void,
    publish: (event: EventBody) => void,
  ) {
    this.#log = log;
    this.#handle = handle;
    this.#configuration = configuration;
    this.#names = namesIn(configuration);
    this.#complaints = new Complaints(log);
    this.#settings = new SavedSettings(this.#complaints);
    this.#interfaces = new Interfaces({
      onChange: (event) => this.#changed(event),
      onError: (error) => this.#complaints.say("netlink", error.message),
    });
    this.#renewals = new Renewals({
      complaints: this.#complaints,
      isHeld: (address) => this.#held.has(heldKey(address)),
      outlived: (address) => this.dropAddress(address),
      portKnown: (port) => this.#complaints.try("overlook renewals", () => this.#interfaces.overlookRenewalsBy(port)),
    });
    const interfaceNamed = (name: string) => this.#interfaces.byName(name);
    const indexOf = (name: string) => interfaceNamed(name)?.index;
    const shared = { netlink: this.#netlink, complaints: this.#complaints, log, interfaceNamed };
    this.#adverts = new AdvertPaths({ ...shared, frames: this.#frames, handle });
    this.#macvlans = new Macvlans({ ...shared, settings: this.#settings });
    this.#statics = new StaticThings(shared);
    this.#routes = new HostRoutes({
      ...{ netlink: this.#netlink, complaints: this.#complaints, indexOf },
      onLost: (instance, what, port) => handle({ type: "route-lost", instance, what, ...this.#byWhom(port) }),
    });
    this.#drops = new DropTable(log, (tables) => publish({ kind: "drops-restored", tables }));
    const others = othersHere();
    if (others.length === 0) {
      this.#settings.restoreLeftovers(log);
      removeLeftovers(configuration, this.#names, shared);
    } else log.write("warning", othersWarning(others));
    this.#makeMacvlans();
    this.#statics.apply(configuration.statics);
    this.#routes.watch(configuration);
    this.#adverts.prepare(configuration);
    this.#adverts.listenAnywhere();
    for (const name of this.#names) {
      const found = this.#interfaces.byName(name);
      this.#told.set(name, { ...linkOf(found), addresses: found === undefined ? [] : usableOf(found) });
      if (found !== undefined) this.#equip(found);
    }
  }

  /** All interfaces of the host, by index. Changes by itself. */
  get interfaces(): ReadonlyMap<number, NetworkInterface> {
    return this.#interfaces.interfaces;
  }

  /** Every interface that the configuration names and that exists. */
  reports(): InterfaceReport[] {
    return [...this.#names].flatMap((name) => {
      const found = this.#interfaces.byName(name);
      if (found === undefined) return [];
      const { up, lack } = linkOf(found);
      return [{ name, up, addresses: usableOf(found), ...(lack && { lack }) }];
    });
  }

  /** Names that the configuration has and the machine has not. */
  missing(): string[] {
    return [...this.#names].filter((name) => this.#interfaces.byName(name) === undefined);
  }

  /** Puts the drops of `no_accept` in place; before a virtual address of this configuration is. Never rejects. */
  async guard(configuration: VrrpConfiguration): Promise<void> {
    await this.#drops.apply(configuration);
  }

  get drops(): DropReport | undefined {
    return this.#drops.report;
  }

  /** The drops of an earlier run, where this configuration has none. May be left to itself. */
  async removeOldDrops(): Promise<void> {
    const { global, instances } = this.#configuration;
    if (instances.every(({ accept }) => accept) && othersHere().length === 0)
      await this.#drops.removeLeftover(global.nftables.table);
  }

  /**
   * Before the machine takes a new configuration: reports the interfaces that only this one names, and listens on them.
   * Where only the old one listened stays open, as its last adverts are still to be sent: `settle` closes it.
   */
  prepare(configuration: VrrpConfiguration): void {
    this.#configuration = configuration;
    this.#names = namesIn(configuration);
    this.#makeMacvlans();
    this.#statics.apply(configuration.statics);
    this.#routes.watch(configuration);
    this.#adverts.prepare(configuration);
    this.#adverts.listenAnywhere();
    for (const name of this.#names) {
      if (!this.#told.has(name)) this.#told.set(name, { ...linkOf(undefined), addresses: [] });
      const found = this.#interfaces.byName(name);
      if (found !== undefined) this.#appears(found);
    }
  }

  /** After the machine has taken it. */
  settle(): void {
    this.#adverts.settle();
    this.#macvlans.retire();
  }

  /** A whole IP packet, to a multicast group or, by the routing table, to a unicast peer. */
  sendAdvert(interfaceName: string, destination: IpAddress, packet: Uint8Array): void {
    // Nobody would hear it; the kernel refuses or drops it.
    if (interfaceName !== NO_INTERFACE && this.#told.get(interfaceName)?.up !== true) return;
    this.#adverts.send(interfaceName, destination, packet);
  }

  /** Hands in the adverts that have come and not been read. */
  readAdverts(): void {
    this.#adverts.readNow();
  }

  /** Adds the address, or lengthens its life. */
  holdAddress(address: VirtualAddress, lifetime: Duration): void {
    const found = this.#interfaces.byName(address.interface);
    if (found === undefined) {
      this.#complaints.say(address.address, `${address.address}: no interface ${address.interface}`);
      return;
    }
    this.#held.set(heldKey(address), address);
    this.#complaints.try(`hold ${address.address}`, () =>
      putAddress(this.#netlink, virtualAssignment(address, found.index, lifetime)),
    );
  }

  /** Lengthens the life of one that is held, without waiting for it. */
  renewAddress(address: VirtualAddress, lifetime: Duration): void {
    const found = this.#interfaces.byName(address.interface);
    if (found !== undefined && this.#has(found, address.address)) this.#renewals.renew(address, found.index, lifetime);
    else this.holdAddress(address, lifetime);
  }

  /** No renewal is under way. */
  async renewed(): Promise<void> {
    await this.#renewals.idle();
  }

  #has(found: NetworkInterface, address: IpAddress): boolean {
    let addresses = this.#addresses.get(found);
    if (addresses === undefined) {
      addresses = new Set(found.addresses.map((one) => one.address));
      this.#addresses.set(found, addresses);
    }
    return addresses.has(address);
  }

  dropAddress(address: VirtualAddress): void {
    this.#held.delete(heldKey(address));
    // A renewal that comes after the removal would add it again: what outlives it is removed then.
    if (this.#renewals.isUnderWay(address)) return;
    const found = this.#interfaces.byName(address.interface);
    if (found === undefined) return;
    const { address: ip, prefixLength, peer } = address;
    this.#complaints.try(
      `remove ${ip}`,
      () => void removeAddress(this.#netlink, { interfaceIndex: found.index, address: ip, prefixLength, peer }),
    );
  }

  sendGratuitousArp(interfaceName: string, address: Ipv4Address): void {
    this.#sendFrame("gratuitous ARP", interfaceName, (mac) => gratuitousArpFrame(mac, address));
  }

  /** One unsolicited neighbour advertisement: the same for IPv6. */
  sendNeighbourAdvertisement(interfaceName: string, address: Ipv6Address): void {
    const isRouter = readSysctl(`net/ipv6/conf/${interfaceName}/forwarding`) === "1";
    this.#sendFrame("a neighbour advertisement", interfaceName, (mac) =>
      unsolicitedAdvertisementFrame(mac, address, isRouter),
    );
  }

  /** `route-lost` is handed in when somebody else takes it away. */
  addRoute(instance: string, route: VirtualRoute): void {
    this.#routes.addRoute(instance, route);
  }

  /** No error when it is not there; leaves a route of the same kind that somebody else made. */
  removeRoute(instance: string, route: VirtualRoute): void {
    this.#routes.removeRoute(instance, route);
  }

  addRule(instance: string, rule: VirtualRule): void {
    this.#routes.addRule(instance, rule);
  }

  removeRule(instance: string, rule: VirtualRule): void {
    this.#routes.removeRule(instance, rule);
  }

  /** Takes away all that is there besides the machine's addresses, routes and rules. */
  async close(): Promise<void> {
    await this.#renewals.close();
    this.#adverts.close();
    this.#routes.close();
    this.#interfaces.close();
    this.#statics.close();
    this.#macvlans.close();
    this.#settings.restore();
    this.#frames.close();
    this.#netlink.close();
    addon.close(this.#self);
    await this.#drops.remove();
  }

  #makeMacvlans(): void {
    if (!this.#macvlans.prepare(this.#configuration)) return;
    this.#complaints.try("look at the macvlans", () => this.#interfaces.refresh());
  }

  #sendFrame(what: string, interfaceName: string, build: (mac: MacAddress) => Uint8Array): void {
    const found = this.#interfaces.byName(interfaceName);
    const mac = found?.mac;
    if (found === undefined || mac === undefined) return;
    this.#complaints.try(`send ${what} on ${interfaceName}`, () => this.#frames.send(build(mac), found.index));
  }

  #changed(event: InterfaceEvent): void {
    const { interface: found } = event;
    switch (event.kind) {
      case "link":
        if (event.previous !== undefined && event.previous.name !== found.name) this.#vanishes(event.previous.name);
        this.#appears(found);
        if (event.previous?.up !== found.up) this.#statics.restore(found);
        if (event.previous?.mac !== undefined && event.previous.mac !== found.mac) this.#announceAgain(found.name);
        break;
      case "link-removed":
        this.#vanishes(found.name);
        break;
      case "address":
        this.#tell(found.name, { ...this.#linkTold(found.name), addresses: usableOf(found) });
        if (event.previous === undefined) this.#statics.addressAdded();
        break;
      case "address-removed": {
        this.#tell(found.name, { ...this.#linkTold(found.name), addresses: usableOf(found) }, event.port);
        break;
      }
      default:
        event satisfies never;
    }
  }

  /** Is there, under this name, as it is now. */
  #appears(found: NetworkInterface): void {
    if (this.#names.has(found.name)) {
      this.#macvlans.baseAppeared(found.name);
      this.#equip(found);
    }
    this.#tell(found.name, { ...linkOf(found), addresses: usableOf(found) });
  }

  #equip(found: NetworkInterface): void {
    this.#adverts.listen(found);
    if (this.#configuration.instances.some((one) => one.promoteSecondaries && one.interface === found.name))
      this.#settings.set([`net/ipv4/conf/${found.name}/promote_secondaries`, "1"]);
  }

  /** Removed, or called otherwise from now on. */
  #vanishes(name: string): void {
    this.#adverts.vanished(name);
    this.#macvlans.vanished(name);
    this.#tell(name, { up: false, lack: "interface", addresses: [] });
  }

  /** Others know our virtual addresses by a hardware address that is no longer there. */
  #announceAgain(name: string): void {
    for (const { address, interface: where } of this.#held.values()) {
      if (where !== name) continue;
      if (isIpv4(address)) this.sendGratuitousArp(name, address);
      if (isIpv6(address)) this.sendNeighbourAdvertisement(name, address);
    }
  }

  #linkTold(name: string): Pick<Told, "up" | "lack"> {
    const { up, lack } = this.#told.get(name) ?? linkOf(undefined);
    return { up, lack };
  }

  /** Hands in what is new: a refreshed lifetime is news to the kernel's listeners, and none to the machine. */
  #tell(name: string, now: Told, port = 0): void {
    const before = this.#told.get(name);
    if (before === undefined) return;
    this.#told.set(name, now);
    // A machine that is told first that the interface is down does not wonder where its addresses have gone.
    // What is deleted was set down a moment before.
    if (!now.up && (before.up || before.lack !== now.lack))
      this.#handle({ type: "link", interface: name, up: false, ...(now.lack && { lack: now.lack }) });
    const [old, current] = [new Set(before.addresses), new Set(now.addresses)];
    for (const address of old.difference(current)) {
      const by = this.#held.has(heldKey({ address, interface: name })) ? this.#byWhom(port) : {};
      this.#handle({ type: "address", interface: name, address, present: false, ...by });
    }
    for (const address of current.difference(old))
      this.#handle({ type: "address", interface: name, address, present: true });
    if (!before.up && now.up) this.#handle({ type: "link", interface: name, up: true });
  }

  /** Who did it, if it was not this process and can be told; and how to keep it from doing so, once. */
  #byWhom(port: number): { by?: string } {
    const by = port === this.#netlink.port ? undefined : programOfPort(port);
    if (by === undefined) return {};
    const hint = hintAbout(by);
    if (hint !== undefined && !this.#hinted.has(by)) this.#log.write("warning", `${by} took something away: ${hint}`);
    this.#hinted.add(by);
    return { by };
  }
}

function linkOf(found: NetworkInterface | undefined): Pick<Told, "up" | "lack"> {
  if (found?.up === true) return { up: true };
  return { up: false, lack: found === undefined ? "interface" : (found.flags & IFF_UP) === 0 ? "up" : "carrier" };
}

function namesIn(configuration: VrrpConfiguration): Set<string> {
  const { instances, syncGroups, statics } = configuration;
  const tracked = [...instances, ...syncGroups].flatMap((one) => one.trackInterfaces);
  const addresses = instances.flatMap((one) => [...one.virtualAddresses, ...one.excludedAddresses]);
  const macvlans = instances.flatMap(({ vmac }) => vmac ?? []);
  const all = [...instances, ...macvlans, ...tracked, ...addresses, ...statics.addresses];
  return new Set(all.map((one) => one.interface).filter((name) => name !== NO_INTERFACE));
}

const heldKey = ({ address, interface: name }: Pick<VirtualAddress, "address" | "interface">): string =>
  `${name} ${address}`;

/** Not those that another host may have: duplicate address detection runs, or has found one. */
const UNUSABLE = IFA_F_TENTATIVE | IFA_F_DADFAILED;

/** Each once, also when the interface has it with several prefix lengths. */
const usableOf = (found: NetworkInterface): IpAddress[] => [
  ...new Set(found.addresses.filter(({ flags }) => (flags & UNUSABLE) === 0).map((one) => one.address)),
];
