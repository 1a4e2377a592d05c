/** IPv4 packets (RFC 791). Does not reassemble fragments and does not verify the header checksum: it shows it. */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type Ipv4Address, ipToBytes, ipv4FromBytes } from "../base/ip.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { internetChecksum } from "./checksum.ts";

const field = {
  versionAndLength: 0,
  typeOfService: 1,
  totalLength: 2,
  identification: 4,
  flagsAndOffset: 6,
  timeToLive: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
  options: 20,
} as const;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_VRRP = 112;

/** Type of service of routing protocols: precedence 6, internetwork control. */
export const INTERNETWORK_CONTROL = 0xc0;

export interface Ipv4Packet {
  readonly typeOfService: number;
  /** 16 bits. */
  readonly identification: number;
  /** Three flag bits and thirteen of fragment offset, as on the wire; 0x4000 is "don't fragment". */
  readonly flagsAndOffset: number;
  readonly timeToLive: number;
  readonly protocol: number;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  /** A multiple of four bytes. */
  readonly options: Uint8Array;
  /** As long as the total length says; what follows (Ethernet padding) is left out. */
  readonly payload: Uint8Array;
}

export type Ipv4Error = "truncated" | "not-ipv4" | "bad-header-length";

export function decodeIpv4(bytes: Uint8Array): Result<Ipv4Packet & { readonly checksum: number }, Ipv4Error> {
  if (bytes.length < field.options) return fail("truncated");
  const reader = new ByteReader(bytes);
  const versionAndLength = reader.u8();
  if (versionAndLength >> 4 !== 4) return fail("not-ipv4");
  const headerLength = (versionAndLength & 0x0f) * 4;
  const typeOfService = reader.u8();
  const totalLength = reader.u16();
  if (headerLength < field.options || headerLength > totalLength) return fail("bad-header-length");
  if (totalLength > bytes.length) return fail("truncated");
  return ok({
    typeOfService,
    identification: reader.u16(),
    flagsAndOffset: reader.u16(),
    timeToLive: reader.u8(),
    protocol: reader.u8(),
    checksum: reader.u16(),
    source: ipv4FromBytes(bytes, field.source),
    destination: ipv4FromBytes(bytes, field.destination),
    options: bytes.subarray(field.options, headerLength),
    payload: bytes.subarray(headerLength, totalLength),
  });
}

export function encodeIpv4(packet: Ipv4Packet): Uint8Array {
  const headerLength = field.options + packet.options.length;
  const writer = new ByteWriter(headerLength + packet.payload.length)
    .u8(0x40 | (headerLength / 4))
    .u8(packet.typeOfService)
    .u16(headerLength + packet.payload.length)
    .u16(packet.identification)
    .u16(packet.flagsAndOffset)
    .u8(packet.timeToLive)
    .u8(packet.protocol)
    .u16(0)
    .put(ipToBytes(packet.source))
    .put(ipToBytes(packet.destination))
    .put(packet.options);
  writer.setU16(field.checksum, internetChecksum(writer.done()));
  return writer.put(packet.payload).done();
}

/** A packet in hexadecimal that was encoded with the identification 0, with another one and the checksum put right (RFC 1624). */
export function withIdentification(digits: string, identification: number): string {
  const at = (offset: number) => offset * 2;
  const checksum = Number.parseInt(digits.slice(at(field.checksum), at(field.source)), 16);
  let sum = (checksum ^ 0xffff) + identification;
  if (sum > 0xffff) sum -= 0xffff;
  return (
    digits.slice(0, at(field.identification)) +
    fourDigits(identification) +
    digits.slice(at(field.flagsAndOffset), at(field.checksum)) +
    fourDigits(sum ^ 0xffff) +
    digits.slice(at(field.source))
  );
}

const fourDigits = (value: number): string => value.toString(16).padStart(4, "0");
