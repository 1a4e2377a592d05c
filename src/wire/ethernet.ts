/** Ethernet II frames (RFC 894): no preamble, no frame check sequence. Padding stays in the payload. */

import { ByteWriter } from "../base/bytes.ts";
import { type MacAddress, macFromBytes, macToBytes } from "../base/mac.ts";
import { fail, ok, type Result } from "../base/result.ts";

const field = { destination: 0, source: 6, etherType: 12, payload: 14 } as const;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;

export interface EthernetFrame {
  readonly destination: MacAddress;
  readonly source: MacAddress;
  readonly etherType: number;
  /** A view of the frame that was decoded. */
  readonly payload: Uint8Array;
}

export function decodeEthernet(bytes: Uint8Array): Result<EthernetFrame, "truncated"> {
  if (bytes.length < field.payload) return fail("truncated");
  return ok({
    destination: macFromBytes(bytes, field.destination),
    source: macFromBytes(bytes, field.source),
    etherType: ((bytes[field.etherType] ?? 0) << 8) | (bytes[field.etherType + 1] ?? 0),
    payload: bytes.subarray(field.payload),
  });
}

export function encodeEthernet(frame: EthernetFrame): Uint8Array {
  return new ByteWriter(field.payload + frame.payload.length)
    .put(macToBytes(frame.destination))
    .put(macToBytes(frame.source))
    .u16(frame.etherType)
    .put(frame.payload)
    .done();
}
