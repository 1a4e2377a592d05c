/** A TCP reset as a whole IP packet: RFC 9293 §3.5.2, RFC 791, RFC 8200. Only built. */

import { type IpAddress, ipToBytes, isIpv4 } from "../base/ip.ts";
import { internetChecksum } from "./checksum.ts";

export interface TcpReset {
  readonly source: { readonly address: IpAddress; readonly port: number };
  /** Of the same family. */
  readonly destination: { readonly address: IpAddress; readonly port: number };
  /** What the receiver expects next: it takes no other (RFC 5961 §3.2). */
  readonly sequence: number;
}

const TCP = 6;
const RST = 0x04;
const HEADER_BYTES = 20;
const HOPS = 64;

export function encodeTcpReset({ source, destination, sequence }: TcpReset): Uint8Array {
  const from = ipToBytes(source.address);
  const to = ipToBytes(destination.address);
  const segment = new Uint8Array(HEADER_BYTES);
  const tcp = new DataView(segment.buffer);
  tcp.setUint16(0, source.port);
  tcp.setUint16(2, destination.port);
  tcp.setUint32(4, sequence);
  tcp.setUint8(12, (HEADER_BYTES / 4) << 4);
  tcp.setUint8(13, RST);
  const pseudo = Uint8Array.of(0, TCP, 0, HEADER_BYTES);
  tcp.setUint16(16, internetChecksum(from, to, pseudo, segment));
  return isIpv4(source.address) ? inIpv4(from, to, segment) : inIpv6(from, to, segment);
}

function inIpv4(from: Uint8Array, to: Uint8Array, segment: Uint8Array): Uint8Array {
  const packet = new Uint8Array(20 + segment.length);
  const ip = new DataView(packet.buffer);
  ip.setUint8(0, 0x45);
  ip.setUint16(2, packet.length);
  ip.setUint16(6, 0x4000);
  ip.setUint8(8, HOPS);
  ip.setUint8(9, TCP);
  packet.set(from, 12);
  packet.set(to, 16);
  ip.setUint16(10, internetChecksum(packet.subarray(0, 20)));
  packet.set(segment, 20);
  return packet;
}

function inIpv6(from: Uint8Array, to: Uint8Array, segment: Uint8Array): Uint8Array {
  const packet = new Uint8Array(40 + segment.length);
  const ip = new DataView(packet.buffer);
  ip.setUint8(0, 0x60);
  ip.setUint16(4, segment.length);
  ip.setUint8(6, TCP);
  ip.setUint8(7, HOPS);
  packet.set(from, 8);
  packet.set(to, 24);
  packet.set(segment, 40);
  return packet;
}
