/** Ethernet frames with TCP or UDP for tests of the data plane: built with right checksums, and taken apart again. */

import { type IpAddress, ipToBytes, isIpv6 } from "../../src/base/ip.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";

const ETHERNET_BYTES = 14;
const ICMP = { 4: 1, 6: 58 } as const;
const TCP = 6;
const UDP = 17;

export interface Flow {
  readonly protocol: "tcp" | "udp";
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
}

export interface FrameOptions {
  /** Byte 13 of the TCP header. */
  readonly flags?: number;
  readonly ttl?: number;
  readonly payloadBytes?: number;
  readonly acknowledged?: number;
  readonly hardwareDestination?: Uint8Array;
  /** UDP over IPv4 may go without. */
  readonly checksum?: boolean;
  readonly dontFragment?: boolean;
  /** How much an ICMP error quotes; 60 when missing. */
  readonly quotedBytes?: number;
}

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const ACK = 0x10;

/** The frame of one packet. */
export function frame(flow: Flow, options: FrameOptions = {}): Uint8Array {
  const transport = transportSegment(flow, options);
  const protocol = flow.protocol === "tcp" ? TCP : UDP;
  if (options.checksum !== false) {
    const offset = flow.protocol === "tcp" ? 16 : 6;
    const pseudo = pseudoHeader(ipToBytes(flow.source), ipToBytes(flow.destination), protocol, transport.length);
    new DataView(transport.buffer).setUint16(offset, internetChecksum(pseudo, transport));
  }
  return wrap(flow, protocol, transport, options);
}

/** An ICMP error that quotes the beginning of `quoted`, a frame. `rest`: the second word of its header. */
export function icmpError(
  ends: Pick<Flow, "source" | "destination">,
  [type, code, rest]: readonly [type: number, code: number, rest: number],
  quoted: Uint8Array,
  options: FrameOptions = {},
): Uint8Array {
  const version = isIpv6(ends.destination) ? 6 : 4;
  const message = concatenate(
    new Uint8Array(8),
    quoted.subarray(ETHERNET_BYTES, ETHERNET_BYTES + (options.quotedBytes ?? 60)),
  );
  const view = new DataView(message.buffer);
  message.set([type, code]);
  view.setUint32(4, rest);
  const pseudo = pseudoHeader(ipToBytes(ends.source), ipToBytes(ends.destination), ICMP[6], message.length);
  view.setUint16(2, internetChecksum(version === 6 ? pseudo : new Uint8Array(), message));
  return wrap(ends, ICMP[version], message, options);
}

function wrap(
  ends: Pick<Flow, "source" | "destination">,
  protocol: number,
  transport: Uint8Array,
  options: FrameOptions,
): Uint8Array {
  const source = ipToBytes(ends.source);
  const destination = ipToBytes(ends.destination);
  const ip = isIpv6(ends.destination) ? ipv6Header(transport.length) : ipv4Header(transport.length);
  return concatenate(
    options.hardwareDestination ?? new Uint8Array(6),
    Uint8Array.of(2, 0, 0, 0, 0, 9),
    isIpv6(ends.destination) ? Uint8Array.of(0x86, 0xdd) : Uint8Array.of(0x08, 0x00),
    ip,
    transport,
  );

  function ipv4Header(length: number): Uint8Array {
    const header = new Uint8Array(20);
    const view = new DataView(header.buffer);
    header[0] = 0x45;
    view.setUint16(2, 20 + length);
    view.setUint16(6, options.dontFragment === false ? 0 : 0x4000);
    header[8] = options.ttl ?? 64;
    header[9] = protocol;
    header.set(source, 12);
    header.set(destination, 16);
    view.setUint16(10, internetChecksum(header));
    return header;
  }

  function ipv6Header(length: number): Uint8Array {
    const header = new Uint8Array(40);
    header[0] = 0x60;
    new DataView(header.buffer).setUint16(4, length);
    header[6] = protocol;
    header[7] = options.ttl ?? 64;
    header.set(source, 8);
    header.set(destination, 24);
    return header;
  }
}

function transportSegment(flow: Flow, { flags = ACK, payloadBytes = 0, acknowledged = 0 }: FrameOptions): Uint8Array {
  const header = flow.protocol === "tcp" ? 20 : 8;
  const bytes = new Uint8Array(header + payloadBytes).fill(0x5a, header);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, flow.sourcePort);
  view.setUint16(2, flow.destinationPort);
  if (flow.protocol === "tcp") {
    view.setUint32(4, 1000);
    view.setUint32(8, acknowledged);
    bytes[12] = 0x50;
    bytes[13] = flags;
  } else {
    view.setUint16(4, bytes.length);
  }
  return bytes;
}

function pseudoHeader(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): Uint8Array {
  const end = new Uint8Array(8);
  const view = new DataView(end.buffer);
  view.setUint32(0, length);
  view.setUint32(4, protocol);
  return concatenate(source, destination, end);
}

/** What is compared: outer header's fields, and whether the checksums are right. Tunnels: `inner`. */
export interface SeenFrame {
  readonly family: 4 | 6;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly headerRight: boolean;
  /** Of the transport header, checked with the pseudo header; a UDP checksum of 0 counts as right. */
  readonly transportRight: boolean;
  readonly payload: Uint8Array;
}

/** @throws RangeError what is neither IPv4 without options nor IPv6 without extension headers */
export function seeFrame(bytes: Uint8Array): SeenFrame {
  return seePacket(bytes.subarray(ETHERNET_BYTES));
}

export function seePacket(ip: Uint8Array): SeenFrame {
  const version = (ip[0] ?? 0) >> 4;
  if (version !== 6 && ip[0] !== 0x45) throw new RangeError(`an IP header that begins with ${ip[0]}`);
  const six = version === 6;
  const view = new DataView(ip.buffer, ip.byteOffset, ip.byteLength);
  const total = six ? 40 + view.getUint16(4) : view.getUint16(2);
  const payload = ip.slice(six ? 40 : 20, total);
  const protocol = ip[six ? 6 : 9] ?? 0;
  const source = six ? ip.slice(8, 24) : ip.slice(12, 16);
  const destination = six ? ip.slice(24, 40) : ip.slice(16, 20);
  const pseudo = protocol === ICMP[4] ? new Uint8Array() : pseudoHeader(source, destination, protocol, payload.length);
  const none = protocol === UDP && payload[6] === 0 && payload[7] === 0;
  return {
    family: six ? 6 : 4,
    ttl: ip[six ? 7 : 8] ?? 0,
    protocol,
    source,
    destination,
    headerRight: six || internetChecksum(ip.subarray(0, 20)) === 0,
    transportRight: none || internetChecksum(pseudo, payload) === 0,
    payload,
  };
}

function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
