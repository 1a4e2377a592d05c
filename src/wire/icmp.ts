/** ICMP for IPv4 (RFC 792): echo in full, every other message as type, code and bytes. */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { internetChecksum } from "./checksum.ts";

const field = { type: 0, code: 1, checksum: 2, rest: 4, data: 8 } as const;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_ECHO_REQUEST = 8;

export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  /** Bytes 4 to 7: of an echo the identifier (high half) and the sequence number (low half). Unsigned. */
  readonly rest: number;
  readonly data: Uint8Array;
}

export interface IcmpEcho {
  readonly kind: "request" | "reply";
  /** 16 bits. */
  readonly identifier: number;
  /** 16 bits. */
  readonly sequence: number;
  readonly data: Uint8Array;
}

export function decodeIcmp(bytes: Uint8Array): Result<IcmpMessage & { readonly checksumOk: boolean }, "truncated"> {
  if (bytes.length < field.data) return fail("truncated");
  const reader = new ByteReader(bytes);
  const type = reader.u8();
  const code = reader.u8();
  reader.u16();
  return ok({
    type,
    code,
    rest: reader.u32(),
    data: bytes.subarray(field.data),
    checksumOk: internetChecksum(bytes) === 0,
  });
}

export function encodeIcmp(message: IcmpMessage): Uint8Array {
  const writer = new ByteWriter(field.data + message.data.length)
    .u8(message.type)
    .u8(message.code)
    .u16(0)
    .u32(message.rest)
    .put(message.data);
  writer.setU16(field.checksum, internetChecksum(writer.done()));
  return writer.done();
}

/** Undefined when the message is not an echo. */
export function asEcho(message: IcmpMessage): IcmpEcho | undefined {
  if (message.type !== ICMP_ECHO_REQUEST && message.type !== ICMP_ECHO_REPLY) return undefined;
  return {
    kind: message.type === ICMP_ECHO_REQUEST ? "request" : "reply",
    identifier: message.rest >>> 16,
    sequence: message.rest & 0xffff,
    data: message.data,
  };
}

export const encodeEcho = (echo: IcmpEcho): Uint8Array =>
  encodeIcmp({
    type: echo.kind === "request" ? ICMP_ECHO_REQUEST : ICMP_ECHO_REPLY,
    code: 0,
    rest: ((echo.identifier << 16) | echo.sequence) >>> 0,
    data: echo.data,
  });
