/** IPv6 packets (RFC 8200) without extension headers: those stay in the payload, under the number of the first. */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type Ipv6Address, ipToBytes, ipv6FromBytes } from "../base/ip.ts";
import { fail, ok, type Result } from "../base/result.ts";

const HEADER_BYTES = 40;

export interface Ipv6Packet {
  readonly trafficClass: number;
  /** 20 bits. */
  readonly flowLabel: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: Ipv6Address;
  readonly destination: Ipv6Address;
  /** As long as the header says; what follows (Ethernet padding) is left out. */
  readonly payload: Uint8Array;
}

export function decodeIpv6(bytes: Uint8Array): Result<Ipv6Packet, "truncated" | "not-ipv6"> {
  const reader = new ByteReader(bytes);
  const first = reader.u32();
  const length = reader.u16();
  const nextHeader = reader.u8();
  const hopLimit = reader.u8();
  if (bytes.length < HEADER_BYTES + length) return fail("truncated");
  if (first >>> 28 !== 6) return fail("not-ipv6");
  return ok({
    trafficClass: (first >>> 20) & 0xff,
    flowLabel: first & 0xfffff,
    nextHeader,
    hopLimit,
    source: ipv6FromBytes(bytes, 8),
    destination: ipv6FromBytes(bytes, 24),
    payload: bytes.subarray(HEADER_BYTES, HEADER_BYTES + length),
  });
}

export function encodeIpv6(packet: Ipv6Packet): Uint8Array {
  const { trafficClass, flowLabel, payload } = packet;
  return new ByteWriter(HEADER_BYTES + payload.length)
    .u32(((6 << 28) | (trafficClass << 20) | flowLabel) >>> 0)
    .u16(payload.length)
    .u8(packet.nextHeader)
    .u8(packet.hopLimit)
    .put(ipToBytes(packet.source))
    .put(ipToBytes(packet.destination))
    .put(payload)
    .done();
}
