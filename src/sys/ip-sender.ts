/** Sends whole IP packets, header included, by the routing table: raw(7), ipv6(7) with IPPROTO_RAW. Receives nothing. */

import { type IpAddress, isIpv4 } from "../base/ip.ts";
import { addon, attempt, constants, type Descriptor, SystemError } from "./addon.ts";
import { inetSockaddr } from "./sockaddr.ts";

/** With this protocol a raw socket takes whole packets, and gets none. */
const IPPROTO_RAW = 255;

export class IpSender {
  readonly #sockets = new Map<number, Descriptor>();

  /** False: the queue is full, or there is no way to the destination. @throws SystemError EPERM */
  send(packet: Uint8Array, destination: IpAddress): boolean {
    const family = isIpv4(destination) ? constants.AF_INET : constants.AF_INET6;
    try {
      attempt(`send to ${destination}`, () => addon.send(this.#socket(family), packet, inetSockaddr(destination, 0)));
      return true;
    } catch (error) {
      if (error instanceof SystemError && error.code !== "EPERM" && error.code !== "EACCES") return false;
      throw error;
    }
  }

  /** Safe to call twice. */
  close(): void {
    for (const fd of this.#sockets.values()) addon.close(fd);
    this.#sockets.clear();
  }

  #socket(family: number): Descriptor {
    const open = this.#sockets.get(family);
    if (open !== undefined) return open;
    const fd = attempt("open a raw socket", () => addon.socket(family, constants.SOCK_RAW, IPPROTO_RAW));
    this.#sockets.set(family, fd);
    return fd;
  }
}
