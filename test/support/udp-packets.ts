/** Bytes of UDP packets as a client would send them, for tests that play the balancer by hand. IPv4 and IPv6. */

import { type IpAddress, ipToBytes, isIpv4 } from "../../src/base/ip.ts";
import { type MacAddress, macToBytes } from "../../src/base/mac.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";

const u16 = (value: number) => [value >> 8, value & 0xff];
export const joined = (...parts: (Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

export interface Addressed {
  readonly source: IpAddress;
  readonly destination: IpAddress;
}

/** An IP packet without options; TTL 64, don't fragment. */
export function ipPacket(protocol: number, { source, destination }: Addressed, payload: Uint8Array): Uint8Array {
  const addresses = joined(ipToBytes(source), ipToBytes(destination));
  if (!isIpv4(source)) return joined([0x60, 0, 0, 0], u16(payload.length), [protocol, 64], addresses, payload);
  const header = joined([0x45, 0], u16(20 + payload.length), [0, 0, 0x40, 0, 64, protocol, 0, 0], addresses);
  header.set(u16(internetChecksum(header)), 10);
  return joined(header, payload);
}

/** What goes before a segment when its checksum is computed (RFC 768, RFC 8200 §8.1). */
export function pseudoHeader(protocol: number, { source, destination }: Addressed, length: number): Uint8Array {
  const addresses = [ipToBytes(source), ipToBytes(destination)] as const;
  return isIpv4(source)
    ? joined(...addresses, [0, protocol], u16(length))
    : joined(...addresses, [0, 0], u16(length), [0, 0, 0, protocol]);
}

export function udpPacket(
  { source, destination, sourcePort, port }: Addressed & { readonly sourcePort: number; readonly port: number },
  text: string,
): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const datagram = joined(u16(sourcePort), u16(port), u16(8 + payload.length), [0, 0], payload);
  const pseudo = pseudoHeader(17, { source, destination }, datagram.length);
  datagram.set(u16(internetChecksum(pseudo, datagram)), 6);
  return ipPacket(17, { source, destination }, datagram);
}

/** IP in IP, of whatever families. */
export const tunnelled = (outer: Addressed, inner: Uint8Array): Uint8Array =>
  ipPacket((inner[0] ?? 0) >> 4 === 4 ? 4 : 41, outer, inner);

export const ethernet = (destination: MacAddress, source: MacAddress, packet: Uint8Array): Uint8Array =>
  joined(macToBytes(destination), macToBytes(source), (packet[0] ?? 0) >> 4 === 4 ? [0x08, 0] : [0x86, 0xdd], packet);
