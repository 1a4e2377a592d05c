/**
 * The sockets that adverts come in and go out by: one an interface and family, whatever the number of virtual routers.
 *
 * Decides nothing and logs nothing.
 */

import type { IpAddress } from "../../base/ip.ts";
import { isIpv4 } from "../../base/ip.ts";
import type { SystemError } from "../../sys/addon.ts";
import { openRawSocket, type RawSocket } from "../../sys/raw-socket.ts";
import { openRawSocket6 } from "../../sys/raw-socket-ipv6.ts";
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

  /** Does nothing without a socket. @throws SystemError */
  send(name: string, destination: IpAddress, packet: Uint8Array): void {
    this.#open.get(keyOf(name, isIpv4(destination) ? "ipv4" : "ipv6"))?.socket.send(packet, destination);
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
  }

  #join(open: OpenSocket, groups: readonly IpAddress[]): void {
    for (const group of groups) {
      if (open.groups.has(group)) continue;
      open.socket.join(group);
      open.groups.add(group);
    }
  }
}

const keyOf = (name: string, family: Family): string => `${family} ${name}`;
