/**
 * Raw IPv4 sockets, raw(7): whole IPv4 packets out (IP_HDRINCL) and in, on one interface.
 *
 * For VRRP (protocol 112, RFC 9568 §5.1.1) and ICMP echo. Knows nothing of what the packets carry.
 */

import type { IpAddress, Ipv4Address } from "../base/ip.ts";
import { addon, attempt, constants, type Descriptor, type SystemError } from "./addon.ts";
import { WatchedSocket } from "./receive.ts";
import { inetSockaddr, multicastRequest } from "./sockaddr.ts";

export interface RawSocketOptions {
  /** IP protocol number received, 1..254: 112 for VRRP, 1 for ICMP. */
  readonly protocol: number;
  /** Bound to it (SO_BINDTODEVICE); multicast leaves by it. Index 0 and an empty name: to none, the kernel routes. */
  readonly interface: { readonly index: number; readonly name: string };
  /** Joined on the interface by index, which works without an address there. */
  readonly multicastGroup?: Ipv4Address | undefined;
  /** Wished-for receive buffer, bytes. */
  readonly receiveBufferBytes?: number | undefined;
  /** Packets that came in together, in order. */
  onPackets(packets: readonly RawPacket[]): void;
  /** Receiving failed for now (ENETDOWN); the socket goes on. */
  onError(error: SystemError): void;
}

export interface RawPacket {
  /** From the IPv4 header on, as received: untrusted, possibly cut short. */
  readonly bytes: Uint8Array;
  readonly source: IpAddress | undefined;
  readonly interfaceIndex: number;
}

export interface RawSocket {
  readonly fd: Descriptor;
  /**
   * Sends a packet that begins with its IPv4 header. The kernel fills in the header checksum, the total length and,
   * when they are zero, the source address and the identification.
   * @throws SystemError ENETDOWN, ENETUNREACH, ENOBUFS, EMSGSIZE, EAGAIN (queue full)
   */
  send(packet: Uint8Array, destination: IpAddress): void;
  /** Another group on the same interface. @throws SystemError EADDRINUSE when it is joined already */
  join(group: IpAddress): void;
  /** Calls back with what waits, before the main loop gets to it. */
  readNow(): void;
  /** Leaves the group and closes; safe to call twice. */
  close(): void;
}

const LARGEST_PACKET = 2048;
const BATCH = 32;

/**
 * Opens it: multicast leaves with TTL 255 and is not looped back to this host (RFC 9568 §5.1.1.3); of multicast only the
 * joined group comes in.
 * @throws SystemError EPERM without CAP_NET_RAW, ENODEV when the interface is gone
 */
export function openRawSocket(options: RawSocketOptions): RawSocket {
  const { name, index } = options.interface;
  const what = `a raw socket for protocol ${options.protocol} on ${name}`;
  const fd = attempt(`open ${what}`, () => addon.socket(constants.AF_INET, constants.SOCK_RAW, options.protocol));
  let watched: WatchedSocket;
  try {
    attempt(`set up ${what}`, () => configure(fd, options));
    watched = new WatchedSocket(
      fd,
      what,
      { slotBytes: LARGEST_PACKET, slots: BATCH },
      {
        onReceived: (received) =>
          options.onPackets(
            received.map(({ bytes, source, interfaceIndex }) => ({
              bytes,
              source,
              interfaceIndex: interfaceIndex === 0 ? index : interfaceIndex,
            })),
          ),
        onError: (error) => options.onError(error),
      },
    );
  } catch (error) {
    addon.close(fd);
    throw error;
  }
  // Where the last one went: mostly the next goes there too.
  let to: { readonly destination: IpAddress; readonly address: Uint8Array } | undefined;
  return {
    fd,
    send(packet, destination) {
      if (to?.destination !== destination) to = { destination, address: inetSockaddr(destination, 0) };
      const { address } = to;
      attempt(`send to ${destination} on ${name}`, () => addon.send(fd, packet, address));
    },
    join: (group) => attempt(`join ${group} on ${name}`, () => join(fd, group as Ipv4Address, index)),
    readNow: () => watched.readNow(),
    close: () => watched.close(),
  };
}

const join = (fd: Descriptor, group: Ipv4Address, index: number): void =>
  addon.setsockopt(fd, constants.IPPROTO_IP, constants.IP_ADD_MEMBERSHIP, multicastRequest(group, index));

function configure(fd: Descriptor, options: RawSocketOptions): void {
  const { name, index } = options.interface;
  const ip = (option: number, value: number | Uint8Array) => addon.setsockopt(fd, constants.IPPROTO_IP, option, value);
  addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_BINDTODEVICE, new TextEncoder().encode(name));
  ip(constants.IP_HDRINCL, 1);
  ip(constants.IP_PKTINFO, 1);
  ip(constants.IP_MULTICAST_ALL, 0);
  ip(constants.IP_MULTICAST_LOOP, 0);
  ip(constants.IP_MULTICAST_TTL, 255);
  ip(constants.IP_MULTICAST_IF, multicastRequest("0.0.0.0" as Ipv4Address, index));
  // TC_PRIO_CONTROL: adverts overtake other traffic in the interface's queue.
  addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_PRIORITY, 7);
  if (options.receiveBufferBytes !== undefined) {
    addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_RCVBUF, options.receiveBufferBytes);
  }
  if (options.multicastGroup !== undefined) join(fd, options.multicastGroup, index);
}
