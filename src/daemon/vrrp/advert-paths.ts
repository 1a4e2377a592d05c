/**
 * Ways of adverts: raw sockets of the interfaces, and whole frames for virtual routers with an own MAC address.
 *
 * Such a router hears adverts from its own virtual MAC address on the macvlan, and all others by the socket of the base. The
 * macvlan joins no group: no IGMP or MLD report makes a switch believe that the virtual MAC address is at a backup.
 */

import { type IpAddress, ipToBytes, isIpv4 } from "../../base/ip.ts";
import { type MacAddress, macFromBytes } from "../../base/mac.ts";
import { NO_INTERFACE, type VrrpConfiguration, type VrrpInstance } from "../../config/model/vrrp.ts";
import type { NetworkInterface } from "../../sys/interfaces.ts";
import type { PacketSocket } from "../../sys/packet-socket.ts";
import type { Input } from "../../vrrp/messages.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, encodeEthernet } from "../../wire/ethernet.ts";
import type { Log } from "../log/log.ts";
import { AdvertSockets, type Family, type Listening } from "./advert-sockets.ts";
import type { Complaints } from "./complaints.ts";

export interface AdvertPathsOptions {
  readonly log: Log;
  readonly complaints: Complaints;
  readonly frames: PacketSocket;
  readonly interfaceNamed: (name: string) => NetworkInterface | undefined;
  readonly handle: (input: Input) => void;
}

export class AdvertPaths {
  readonly #options: AdvertPathsOptions;
  readonly #sockets: AdvertSockets;
  /** By base interface. */
  #wanted = new Map<string, Listening[]>();
  /** The macvlan by family, base interface and virtual router id. */
  #macvlans = new Map<string, string>();
  /** By macvlan; also those of the configuration before, until `settle`. */
  readonly #bases = new Map<string, { readonly base: string; readonly family: Family; readonly onBase: boolean }>();
  #instances: readonly VrrpInstance[] = [];

  constructor(options: AdvertPathsOptions) {
    this.#options = options;
    this.#sockets = new AdvertSockets({
      onPacket: (name, packet) =>
        options.handle({ type: "packet", interface: this.#receiver(name, packet), packet: packet.toHex() }),
      onError: (name, error) => options.complaints.say(`receive ${name}`, error.message),
    });
  }

  /** `listen` does as this configuration says from now on. What only the one before needs stays until `settle`. */
  prepare({ instances }: VrrpConfiguration): void {
    this.#instances = instances;
    this.#wanted = wantedBy(instances);
    this.#macvlans = new Map();
    for (const instance of instances) {
      const { vmac, family, interface: base, virtualRouterId } = instance;
      if (vmac === undefined) continue;
      this.#bases.set(vmac.interface, { base, family, onBase: vmac.transmitOnBase });
      if (!vmac.transmitOnBase) this.#macvlans.set(`${family} ${base} ${virtualRouterId}`, vmac.interface);
    }
  }

  /** Those that no interface brings: unicast by the routing table. */
  listenAnywhere(): void {
    this.#listenAt({ name: NO_INTERFACE, index: 0 });
  }

  settle(): void {
    for (const { interface: name, family } of this.#sockets.listening()) {
      if (!(this.#wanted.get(name) ?? []).some((one) => one.family === family)) this.#sockets.close(name, family);
    }
    const macvlans = new Set(this.#instances.map(({ vmac }) => vmac?.interface));
    for (const name of this.#bases.keys()) {
      if (macvlans.has(name)) continue;
      this.#sockets.closeMacvlan(name);
      this.#bases.delete(name);
    }
  }

  listen(found: NetworkInterface): void {
    const macvlan = this.#bases.get(found.name);
    if (macvlan !== undefined) {
      const open = () => this.#sockets.openMacvlan(found, macvlan.family);
      this.#options.complaints.try(`listen for adverts on ${found.name}`, open);
    }
    this.#listenAt(found);
  }

  #listenAt(found: { readonly name: string; readonly index: number }): void {
    for (const wanted of this.#wanted.get(found.name) ?? []) {
      this.#options.complaints.try(`listen for adverts on ${found.name || "any interface"}`, () => {
        const fd = this.#sockets.open(wanted, found.index);
        if (fd === undefined) return;
        const family = wanted.family === "ipv4" ? "IPv4" : "IPv6";
        const how = wanted.groups.length === 0 ? "unicast" : `multicast, address(${wanted.groups.join(",")})`;
        const where = `ifindex(${String(found.index).padStart(3)}), family(${family}), proto(112), fd(${fd})`;
        this.#options.log.write("info", `VRRP sockpool: [${where} ${how}]`);
      });
    }
  }

  vanished(name: string): void {
    this.#sockets.close(name);
    this.#sockets.closeMacvlan(name);
  }

  send(name: string, destination: IpAddress, packet: Uint8Array): void {
    const base = this.#bases.get(name)?.base;
    this.#options.complaints.try(`send an advert on ${name}`, () => {
      const group = base === undefined ? undefined : multicastMac(destination);
      if (group === undefined) this.#sockets.send(base ?? name, destination, packet);
      else this.#sendFrame(name, group, packet);
    });
  }

  /** Hands in the adverts that have come and not been read. */
  readNow(): void {
    this.#sockets.readNow();
  }

  close(): void {
    this.#sockets.closeAll();
  }

  #sendFrame(name: string, destination: MacAddress, payload: Uint8Array): void {
    const found = this.#options.interfaceNamed(name);
    if (found?.mac === undefined) return;
    const etherType = (payload[0] ?? 0) >> 4 === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
    this.#options.frames.send(encodeEthernet({ destination, source: found.mac, etherType, payload }), found.index);
  }

  /** The interface where the router hears it: its macvlan, its base with `vmac_xmit_base`, or the one where it came in. */
  #receiver(name: string, packet: Uint8Array): string {
    const macvlan = this.#bases.get(name);
    if (macvlan !== undefined) return macvlan.onBase ? macvlan.base : name;
    if (this.#macvlans.size === 0) return name;
    const first = packet[0] ?? 0;
    const isV4 = first >> 4 === 4;
    const virtualRouterId = packet[(isV4 ? (first & 0x0f) * 4 : 40) + 1] ?? 0;
    return this.#macvlans.get(`${isV4 ? "ipv4" : "ipv6"} ${name} ${virtualRouterId}`) ?? name;
  }
}

function wantedBy(instances: readonly VrrpInstance[]): Map<string, Listening[]> {
  const wanted = new Map<string, { interface: string; family: Family; groups: IpAddress[] }[]>();
  for (const { interface: name, family, unicastPeers, multicastGroup } of instances) {
    const here = wanted.getOrInsertComputed(name, () => []);
    const listening = here.find((one) => one.family === family) ?? { interface: name, family, groups: [] };
    if (!here.includes(listening)) here.push(listening);
    if (unicastPeers === undefined && !listening.groups.includes(multicastGroup)) listening.groups.push(multicastGroup);
  }
  return wanted;
}

/** RFC 1112 §6.4, RFC 2464 §7; undefined for a unicast address. */
function multicastMac(address: IpAddress): MacAddress | undefined {
  const bytes = ipToBytes(address);
  if (isIpv4(address)) {
    const [a = 0, b = 0, c = 0, d = 0] = bytes;
    return a >> 4 === 0xe ? macFromBytes(Uint8Array.of(1, 0, 0x5e, b & 0x7f, c, d)) : undefined;
  }
  return bytes[0] === 0xff ? macFromBytes(Uint8Array.of(0x33, 0x33, ...bytes.subarray(12))) : undefined;
}
