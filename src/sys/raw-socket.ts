/**
 * Raw IPv4 sockets, raw(7): whole IPv4 packets out (IP_HDRINCL) and in, on one interface.
 *
 * For VRRP (protocol 112, RFC 9568 §5.1.1) and ICMP echo. Knows nothing of what the packets carry.
 */

import type { IpAddress, Ipv4Address } from "../base/ip.ts";
import { addon, attempt, constants, type Descriptor, type SystemError } from "./addon.ts";
import { type Received, WatchedSocket } from "./receive.ts";
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
  const { index } = options.interface;
  return openFor(options, {
    domain: constants.AF_INET,
    title: "a raw socket",
    configure: (fd) => configure(fd, options),
    packetOf: ({ bytes, source }) => ({ bytes, source }),
    addressOf: (destination) => inetSockaddr(destination, 0),
    join: (fd, group) => join(fd, group as Ipv4Address, index),
  });
}

/** What the two families do differently. */
export interface RawFamily {
  /** AF_INET or AF_INET6. */
  readonly domain: number;
  readonly title: string;
  readonly configure: (fd: Descriptor) => void;
  /** Undefined: not to be told of. */
  readonly packetOf: (received: Received) => Omit<RawPacket, "interfaceIndex"> | undefined;
  /** A socket address. */
  readonly addressOf: (destination: IpAddress) => Uint8Array;
  readonly join: (fd: Descriptor, group: IpAddress) => void;
}

/** Of either family. @throws SystemError */
export function openFor(options: Omit<RawSocketOptions, "multicastGroup">, family: RawFamily): RawSocket {
  const { name, index } = options.interface;
  const what = `${family.title} for protocol ${options.protocol} on ${name}`;
  const fd = attempt(`open ${what}`, () => addon.socket(family.domain, constants.SOCK_RAW, options.protocol));
  let watched: WatchedSocket;
  try {
    attempt(`set up ${what}`, () => {
      configureAny(fd, options);
      family.configure(fd);
    });
    const packets = (received: readonly Received[]): RawPacket[] =>
      received.flatMap((one) => {
        const packet = family.packetOf(one);
        return packet === undefined ? [] : [{ ...packet, interfaceIndex: one.interfaceIndex || index }];
      });
    watched = new WatchedSocket(
      fd,
      what,
      { slotBytes: LARGEST_PACKET, slots: BATCH },
      { onReceived: (received) => options.onPackets(packets(received)), onError: (error) => options.onError(error) },
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
      if (to?.destination !== destination) to = { destination, address: family.addressOf(destination) };
      const { address } = to;
      attempt(`send to ${destination} on ${name}`, () => addon.send(fd, packet, address));
    },
    join: (group) => attempt(`join ${group} on ${name}`, () => family.join(fd, group)),
    readNow: () => watched.readNow(),
    close: () => watched.close(),
  };
}

function configureAny(fd: Descriptor, options: Pick<RawSocketOptions, "interface" | "receiveBufferBytes">): void {
  const socket = (option: number, value: number | Uint8Array) =>
    addon.setsockopt(fd, constants.SOL_SOCKET, option, value);
  socket(constants.SO_BINDTODEVICE, new TextEncoder().encode(options.interface.name));
  // TC_PRIO_CONTROL: adverts overtake other traffic in the interface's queue.
  socket(constants.SO_PRIORITY, 7);
  if (options.receiveBufferBytes !== undefined) socket(constants.SO_RCVBUF, options.receiveBufferBytes);
}

const join = (fd: Descriptor, group: Ipv4Address, index: number): void =>
  addon.setsockopt(fd, constants.IPPROTO_IP, constants.IP_ADD_MEMBERSHIP, multicastRequest(group, index));

function configure(fd: Descriptor, options: RawSocketOptions): void {
  const { index } = options.interface;
  const ip = (option: number, value: number | Uint8Array) => addon.setsockopt(fd, constants.IPPROTO_IP, option, value);
  ip(constants.IP_HDRINCL, 1);
  ip(constants.IP_PKTINFO, 1);
  ip(constants.IP_MULTICAST_ALL, 0);
  ip(constants.IP_MULTICAST_LOOP, 0);
  ip(constants.IP_MULTICAST_TTL, 255);
  ip(constants.IP_MULTICAST_IF, multicastRequest("0.0.0.0" as Ipv4Address, index));
  if (options.multicastGroup !== undefined) join(fd, options.multicastGroup, index);
}
