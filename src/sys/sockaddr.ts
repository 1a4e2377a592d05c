/**
 * The kernel's socket addresses as bytes: sockaddr_in, sockaddr_in6, sockaddr_un, sockaddr_ll, sockaddr_nl, and the
 * membership structures. ip(7), ipv6(7), unix(7), packet(7), netlink(7).
 *
 * Integers are in host order (little-endian) except where the manual says network order.
 */

import { ByteWriter } from "../base/bytes.ts";
import { type IpAddress, type Ipv4Address, type Ipv6Address, ipToBytes, isIpv4 } from "../base/ip.ts";
import { constants } from "./addon.ts";

/** sockaddr_in or sockaddr_in6, by the address. */
export function inetSockaddr(address: IpAddress, port: number, scopeId = 0): Uint8Array {
  const writer = new ByteWriter(28);
  if (isIpv4(address)) {
    return writer.hostU16(constants.AF_INET).u16(port).put(ipToBytes(address)).zeros(8).done();
  }
  return writer.hostU16(constants.AF_INET6).u16(port).u32(0).put(ipToBytes(address)).hostU32(scopeId).done();
}

/** sockaddr_un with a path in the file system, at most 107 bytes of UTF-8, or an abstract name as `@name` (unix(7)). */
export function unixSockaddr(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  if (path.startsWith("@") && name.length > 1 && name.length <= 108 && !name.includes(0))
    return new ByteWriter(110).hostU16(constants.AF_UNIX).u8(0).put(name.subarray(1)).done();
  if (name.length === 0 || name.length > 107 || name.includes(0)) {
    throw new RangeError(`a socket's path has 1 to 107 bytes and no NUL: ${JSON.stringify(path)}`);
  }
  return new ByteWriter(110).hostU16(constants.AF_UNIX).put(name).u8(0).done();
}

/** sockaddr_ll. `protocol` is an EtherType in the usual notation (0x0806); index 0 is every interface. */
export function packetSockaddr(interfaceIndex: number, protocol: number): Uint8Array {
  const writer = new ByteWriter(20).hostU16(constants.AF_PACKET).u16(protocol).hostU32(interfaceIndex);
  return writer.zeros(12).done();
}

/** sockaddr_nl of the kernel, and for bind: let the kernel choose the port. */
export const netlinkSockaddr = (): Uint8Array =>
  new ByteWriter(12).hostU16(constants.AF_NETLINK).zeros(2).hostU32(0).hostU32(0).done();

/** struct ip_mreqn: by interface index, never by address. */
export const multicastRequest = (group: Ipv4Address, interfaceIndex: number): Uint8Array =>
  new ByteWriter(12).put(ipToBytes(group)).zeros(4).hostU32(interfaceIndex).done();

/** struct ipv6_mreq. */
export const multicastRequest6 = (group: Ipv6Address, interfaceIndex: number): Uint8Array =>
  new ByteWriter(20).put(ipToBytes(group)).hostU32(interfaceIndex).done();

/** struct packet_mreq without an address. */
export const packetMembership = (interfaceIndex: number, type: number): Uint8Array =>
  new ByteWriter(16).hostU32(interfaceIndex).hostU16(type).hostU16(0).zeros(8).done();
