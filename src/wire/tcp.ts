/** TCP segments (RFC 9293 §3.1) over IPv4 or IPv6, as far as a handshake needs them: header, flags, the MSS option. No data. */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type IpAddress, ipToBytes } from "../base/ip.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { internetChecksum } from "./checksum.ts";

export const PROTOCOL_TCP = 6;

const HEADER_BYTES = 20;
const CHECKSUM_AT = 16;
const MSS = { kind: 2, length: 4 } as const;

export const tcpFlag = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10 } as const;

export interface TcpHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Unsigned 32 bits, as is the acknowledgement. */
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
}

/** `source` and `destination`, of one family, are for the checksum. `maximumSegment`: the MSS option, on a SYN. */
export function encodeTcp(
  source: IpAddress,
  destination: IpAddress,
  header: TcpHeader,
  maximumSegment?: number,
): Uint8Array {
  const length = HEADER_BYTES + (maximumSegment === undefined ? 0 : MSS.length);
  const writer = new ByteWriter(length)
    .u16(header.sourcePort)
    .u16(header.destinationPort)
    .u32(header.sequence)
    .u32(header.acknowledgement)
    .u8((length / 4) << 4)
    .u8(header.flags)
    .u16(header.window)
    .u32(0);
  if (maximumSegment !== undefined) writer.u8(MSS.kind).u8(MSS.length).u16(maximumSegment);
  // RFC 8200 §8.1; the sum over that of IPv4 (RFC 9293 §3.1) is the same.
  const pseudo = new ByteWriter(40).put(ipToBytes(source)).put(ipToBytes(destination)).u32(length).u32(PROTOCOL_TCP);
  writer.setU16(CHECKSUM_AT, internetChecksum(pseudo.done(), writer.done()));
  return writer.done();
}

/** Checks no checksum: what was captured may not have been given one yet. */
export function decodeTcp(bytes: Uint8Array): Result<TcpHeader, "truncated"> {
  const reader = new ByteReader(bytes);
  const sourcePort = reader.u16();
  const destinationPort = reader.u16();
  const sequence = reader.u32();
  const acknowledgement = reader.u32();
  reader.u8();
  const flags = reader.u8();
  const window = reader.u16();
  reader.u32();
  if (reader.truncated) return fail("truncated");
  return ok({ sourcePort, destinationPort, sequence, acknowledgement, flags, window });
}
