/**
 * Raw IPv6 sockets, ipv6(7): whole IPv6 packets out (IPV6_HDRINCL) and in, on one interface.
 *
 * The kernel keeps the header of what comes in to itself: it is built again from what it says about the packet, without
 * traffic class, flow label and extension headers.
 */

import type { IpAddress, Ipv6Address } from "../base/ip.ts";
import { encodeIpv6 } from "../wire/ipv6.ts";
import { addon, attempt, constants, type Descriptor } from "./addon.ts";
import type { RawPacket, RawSocket, RawSocketOptions } from "./raw-socket.ts";
import { type Received, WatchedSocket } from "./receive.ts";
import { inetSockaddr, multicastRequest6 } from "./sockaddr.ts";

const LARGEST_PACKET = 2048;
const BATCH = 32;

/**
 * As `openRawSocket`: multicast is not looped back to this host, and of multicast only the groups that were joined come in.
 * Destinations on the link are those of this interface.
 * @throws SystemError EPERM without CAP_NET_RAW, ENODEV when the interface is gone, EAFNOSUPPORT without IPv6
 */
export function openRawSocket6(options: Omit<RawSocketOptions, "multicastGroup">): RawSocket {
  const { name, index } = options.interface;
  const what = `a raw IPv6 socket for protocol ${options.protocol} on ${name}`;
  const fd = attempt(`open ${what}`, () => addon.socket(constants.AF_INET6, constants.SOCK_RAW, options.protocol));
  let watched: WatchedSocket;
  try {
    attempt(`set up ${what}`, () => configure(fd, options));
    watched = new WatchedSocket(
      fd,
      what,
      { slotBytes: LARGEST_PACKET, slots: BATCH },
      {
        onReceived: (received) =>
          options.onPackets(received.flatMap((one) => withHeader(one, options.protocol, index) ?? [])),
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
      if (to?.destination !== destination) to = { destination, address: inetSockaddr(destination, 0, index) };
      const { address } = to;
      attempt(`send to ${destination} on ${name}`, () => addon.send(fd, packet, address));
    },
    join(group) {
      const request = multicastRequest6(group as Ipv6Address, index);
      attempt(`join ${group} on ${name}`, () =>
        addon.setsockopt(fd, constants.IPPROTO_IPV6, constants.IPV6_JOIN_GROUP, request),
      );
    },
    readNow: () => watched.readNow(),
    close: () => watched.close(),
  };
}

/** Undefined when the kernel did not say from whom or to whom it is. */
function withHeader(received: Received, nextHeader: number, index: number): RawPacket | undefined {
  const { bytes, source, destination, ttl, interfaceIndex } = received;
  if (source === undefined || destination === undefined) return undefined;
  const packet = encodeIpv6({
    ...{ trafficClass: 0, flowLabel: 0, nextHeader, hopLimit: ttl ?? 0, payload: bytes },
    ...{ source: source as Ipv6Address, destination: destination as Ipv6Address },
  });
  return { bytes: packet, source, interfaceIndex: interfaceIndex === 0 ? index : interfaceIndex };
}

function configure(fd: Descriptor, options: Omit<RawSocketOptions, "multicastGroup">): void {
  const { name, index } = options.interface;
  const ipv6 = (option: number, value: number) => addon.setsockopt(fd, constants.IPPROTO_IPV6, option, value);
  addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_BINDTODEVICE, new TextEncoder().encode(name));
  ipv6(constants.IPV6_HDRINCL, 1);
  ipv6(constants.IPV6_RECVPKTINFO, 1);
  ipv6(constants.IPV6_RECVHOPLIMIT, 1);
  ipv6(constants.IPV6_MULTICAST_ALL, 0);
  ipv6(constants.IPV6_MULTICAST_LOOP, 0);
  ipv6(constants.IPV6_MULTICAST_IF, index);
  // TC_PRIO_CONTROL: adverts overtake other traffic in the interface's queue.
  addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_PRIORITY, 7);
  if (options.receiveBufferBytes !== undefined) {
    addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_RCVBUF, options.receiveBufferBytes);
  }
}
