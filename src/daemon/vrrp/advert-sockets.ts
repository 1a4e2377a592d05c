/** The sockets that adverts come in and go out by, one an interface. Decides nothing and logs nothing. */

import type { Ipv4Address } from "../../base/ip.ts";
import type { SystemError } from "../../sys/addon.ts";
import { openRawSocket, type RawSocket } from "../../sys/raw-socket.ts";

const IPPROTO_VRRP = 112;

interface OpenSocket {
  readonly index: number;
  readonly group: Ipv4Address;
  readonly socket: RawSocket;
}

export interface AdvertHandlers {
  /** From the IPv4 header on, untrusted. */
  onPacket(interfaceName: string, packet: Uint8Array): void;
  onError(interfaceName: string, error: SystemError): void;
}

export class AdvertSockets {
  readonly #handlers: AdvertHandlers;
  readonly #open = new Map<string, OpenSocket>();

  constructor(handlers: AdvertHandlers) {
    this.#handlers = handlers;
  }

  /** Interfaces with a socket. */
  names(): string[] {
    return [...this.#open.keys()];
  }

  /**
   * Joins `group` on the interface, with a new socket when the name has another index or group now.
   * @returns the new socket's descriptor; undefined when the one that is open will do
   * @throws SystemError
   */
  open(on: { readonly name: string; readonly index: number }, group: Ipv4Address): number | undefined {
    const { name, index } = on;
    const known = this.#open.get(name);
    if (known?.index === index && known.group === group) return undefined;
    this.close(name);
    const socket = openRawSocket({
      protocol: IPPROTO_VRRP,
      interface: on,
      multicastGroup: group,
      onPackets: (packets) => {
        for (const { bytes } of packets) this.#handlers.onPacket(name, bytes);
      },
      onError: (error) => this.#handlers.onError(name, error),
    });
    this.#open.set(name, { index, group, socket });
    return socket.fd;
  }

  /** Does nothing without a socket. @throws SystemError */
  send(name: string, destination: Ipv4Address, packet: Uint8Array): void {
    this.#open.get(name)?.socket.send(packet, destination);
  }

  close(name: string): void {
    this.#open.get(name)?.socket.close();
    this.#open.delete(name);
  }
}
