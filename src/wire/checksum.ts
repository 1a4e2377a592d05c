/** The Internet checksum (RFC 1071): the one's complement of the one's complement sum of 16-bit words. */

import { ByteWriter } from "../base/bytes.ts";
import { type IpAddress, ipToBytes, isIpv4 } from "../base/ip.ts";

/**
 * Over the parts one after another, as if they were one piece; an odd length is padded with a zero byte at the very end
 * only, so every part but the last must have an even length. Over bytes that hold their own right checksum it is 0.
 */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const bytes of parts) {
    for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum ^ 0xffff;
}

/** What upper layers sum with their message: RFC 793 §3.1 for IPv4, RFC 8200 §8.1 for IPv6. Both addresses are of one family. */
export function pseudoHeaderBytes(of: {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  /** Of the message, in bytes. */
  readonly length: number;
}): Uint8Array {
  const writer = new ByteWriter(40).put(ipToBytes(of.source)).put(ipToBytes(of.destination));
  return isIpv4(of.source)
    ? writer.u8(0).u8(of.protocol).u16(of.length).done()
    : writer.u32(of.length).u32(of.protocol).done();
}
