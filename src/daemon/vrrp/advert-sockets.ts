/**
 * The sockets that adverts come in and go out by: one an interface and family, whatever the number of virtual routers.
 *
 * Decides nothing and logs nothing.
 */

import type { IpAddress } from "../../base/ip.ts";
import { isIpv4 } from "../../base/ip.ts";
import type { SystemError } from "../../sys/addon.ts";
import { type FilterInstruction, openPacketSocket, type PacketSocket } from "../../sys/packet-socket.ts";
import { openRawSocket, type RawSocket } from "../../sys/raw-socket.ts";
import { openRawSocket6 } from "../../sys/raw-socket-ipv6.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../wire/ethernet.ts";
import { PROTOCOL_VRRP } from "../../wire/ipv4.ts";

export type Family = "ipv4" | "ipv6";

interface OpenSocket {
  readonly interface: string;
  readonly index: number;
  readonly family: Family;
  readonly groups: Set<IpAddress>;
  readonly socket: RawSocket;
}

/** Who listens where: several virtual routers may share it. */
export interface Listening {
  readonly interface: string;
  readonly family: Family;
  /** Multicast groups; none when all of them speak unicast. */
  readonly groups: readonly IpAddress[];
}

export interface AdvertHandlers {
  /** From the IP header on, untrusted. */
  onPacket(interfaceName: string, packet: Uint8Array): void;
  onError(interfaceName: string, error: SystemError): void;
}

export class AdvertSockets {
  readonly #handlers: AdvertHandlers;
  readonly #open = new Map<string, OpenSocket>();
  /** The macvlans that are looked at, by interface index, and the socket of each family that does so. */
  readonly #macvlans = new Map<number, { readonly name: string; readonly family: Family }>();
  readonly #macvlanSockets = new Map<Family, PacketSocket>();

  constructor(handlers: AdvertHandlers) {
    this.#handlers = handlers;
  }

  /** Where there is a socket. */
  listening(): Listening[] {
    return this.#open
      .values()
      .map(({ interface: name, family, groups }) => ({ interface: name, family, groups: [...groups] }))
      .toArray();
  }

  /**
   * Joins the groups, with a new socket when the name has another index now or a group is wanted no longer.
   * @returns the new socket's descriptor; undefined when the one that is open will do
   * @throws SystemError
   */
  open(wanted: Listening, index: number): number | undefined {
    const { interface: name, family } = wanted;
    const key = keyOf(name, family);
    const known = this.#open.get(key);
    if (known?.index === index && known.groups.isSubsetOf(new Set(wanted.groups))) {
      this.#join(known, wanted.groups);
      return undefined;
    }
    this.close(name, family);
    const socket = (family === "ipv4" ? openRawSocket : openRawSocket6)({
      protocol: PROTOCOL_VRRP,
      interface: { name, index },
      onPackets: (packets) => {
        for (const { bytes } of packets) this.#handlers.onPacket(name, bytes);
      },
      onError: (error) => this.#handlers.onError(name, error),
    });
    const open = { interface: name, index, family, groups: new Set<IpAddress>(), socket };
    this.#open.set(key, open);
    this.#join(open, wanted.groups);
    return socket.fd;
  }

  /**
   * Looks at what a macvlan gets. A frame from the MAC address that it has itself, as every other router of the virtual
   * router sends it, comes to it alone and not to its base (private mode), and needs no group for that.
   *
   * One socket for all of them: the kernel takes tens of milliseconds to close one.
   * @throws SystemError
   */
  openMacvlan({ name, index }: { readonly name: string; readonly index: number }, family: Family): void {
    if (this.#macvlans.has(index)) return;
    this.closeMacvlan(name);
    this.#macvlans.set(index, { name, family });
    if (this.#macvlanSockets.has(family)) return;
    const socket = openPacketSocket({
      interfaceIndex: 0,
      protocol: family === "ipv4" ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6,
      filter: onlyVrrp(family),
      snapLength: 2_048,
      onFrames: (frames) => {
        for (const { bytes, interfaceIndex } of frames) {
          const macvlan = this.#macvlans.get(interfaceIndex);
          if (macvlan !== undefined) this.#handlers.onPacket(macvlan.name, bytes.subarray(ETHERNET_BYTES));
        }
      },
      onError: (error) => this.#handlers.onError("macvlans", error),
    });
    this.#macvlanSockets.set(family, socket);
  }

  closeMacvlan(name: string): void {
    for (const [index, macvlan] of this.#macvlans) if (macvlan.name === name) this.#macvlans.delete(index);
    for (const [family, socket] of this.#macvlanSockets) {
      if (this.#macvlans.values().some((one) => one.family === family)) continue;
      socket.close();
      this.#macvlanSockets.delete(family);
    }
  }

  /** Does nothing without a socket. @throws SystemError */
  send(name: string, destination: IpAddress, packet: Uint8Array): void {
    this.#open.get(keyOf(name, isIpv4(destination) ? "ipv4" : "ipv6"))?.socket.send(packet, destination);
  }

  /** Hands on what lies in the sockets. */
  readNow(): void {
    for (const { socket } of [...this.#open.values()]) socket.readNow();
    for (const socket of [...this.#macvlanSockets.values()]) socket.readNow();
  }

  /** Of one family, or of both. */
  close(name: string, family?: Family): void {
    for (const each of family === undefined ? (["ipv4", "ipv6"] as const) : [family]) {
      this.#open.get(keyOf(name, each))?.socket.close();
      this.#open.delete(keyOf(name, each));
    }
  }

  closeAll(): void {
    for (const { interface: name } of this.listening()) this.close(name);
    for (const { name } of [...this.#macvlans.values()]) this.closeMacvlan(name);
  }

  #join(open: OpenSocket, groups: readonly IpAddress[]): void {
    for (const group of groups) {
      if (open.groups.has(group)) continue;
      open.socket.join(group);
      open.groups.add(group);
    }
  }
}

const ETHERNET_BYTES = 14;

/** Classic BPF: the protocol number at its place in the header of the family. */
const onlyVrrp = (family: Family): FilterInstruction[] => [
  [0x30, 0, 0, ETHERNET_BYTES + (family === "ipv4" ? 9 : 6)],
  [0x15, 0, 1, PROTOCOL_VRRP],
  [0x06, 0, 0, 0xffff],
  [0x06, 0, 0, 0],
];

const keyOf = (name: string, family: Family): string => `${family} ${name}`;
