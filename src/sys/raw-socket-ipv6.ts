/**
 * Raw IPv6 sockets, ipv6(7): whole IPv6 packets out (IPV6_HDRINCL) and in, on one interface.
 *
 * The kernel keeps the header of what comes in to itself: it is built again from what it says about the packet, without
 * traffic class, flow label and extension headers.
 */

import type { Ipv6Address } from "../base/ip.ts";
import { encodeIpv6 } from "../wire/ipv6.ts";
import { addon, constants, type Descriptor } from "./addon.ts";
import { openFor, type RawFamily, type RawSocket, type RawSocketOptions } from "./raw-socket.ts";
import type { Received } from "./receive.ts";
import { inetSockaddr, multicastRequest6 } from "./sockaddr.ts";

/**
 * As `openRawSocket`: multicast is not looped back to this host, and of multicast only the groups that were joined come in.
 * Destinations on the link are those of this interface.
 * @throws SystemError EPERM without CAP_NET_RAW, ENODEV when the interface is gone, EAFNOSUPPORT without IPv6
 */
export function openRawSocket6(options: Omit<RawSocketOptions, "multicastGroup">): RawSocket {
  const { index } = options.interface;
  return openFor(options, {
    domain: constants.AF_INET6,
    title: "a raw IPv6 socket",
    configure: (fd) => configure(fd, index),
    packetOf: (received) => withHeader(received, options.protocol),
    addressOf: (destination) => inetSockaddr(destination, 0, index),
    join: (fd, group) => {
      const request = multicastRequest6(group as Ipv6Address, index);
      addon.setsockopt(fd, constants.IPPROTO_IPV6, constants.IPV6_JOIN_GROUP, request);
    },
  });
}

/** Undefined when the kernel did not say from whom or to whom it is. */
function withHeader(received: Received, nextHeader: number): ReturnType<RawFamily["packetOf"]> {
  const { bytes, source, destination, ttl } = received;
  if (source === undefined || destination === undefined) return undefined;
  const packet = encodeIpv6({
    ...{ trafficClass: 0, flowLabel: 0, nextHeader, hopLimit: ttl ?? 0, payload: bytes },
    ...{ source: source as Ipv6Address, destination: destination as Ipv6Address },
  });
  return { bytes: packet, source };
}

function configure(fd: Descriptor, index: number): void {
  const ipv6 = (option: number, value: number) => addon.setsockopt(fd, constants.IPPROTO_IPV6, option, value);
  ipv6(constants.IPV6_HDRINCL, 1);
  ipv6(constants.IPV6_RECVPKTINFO, 1);
  ipv6(constants.IPV6_RECVHOPLIMIT, 1);
  ipv6(constants.IPV6_MULTICAST_ALL, 0);
  ipv6(constants.IPV6_MULTICAST_LOOP, 0);
  ipv6(constants.IPV6_MULTICAST_IF, index);
}
