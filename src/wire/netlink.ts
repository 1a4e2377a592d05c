/**
 * Netlink messages and attributes: linux/netlink.h, netlink(7). The frame that rtnetlink's messages share.
 *
 * Pure codec: takes bytes apart and builds them. Does not judge types or attributes; unknown ones stay representable.
 */

import { ByteReader, ByteWriter } from "../base/bytes.ts";

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x01;
export const NLM_F_ACK = 0x04;
/** The dump was interrupted by a change and may be inconsistent. */
export const NLM_F_DUMP_INTR = 0x10;
/** NLM_F_ROOT | NLM_F_MATCH. */
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** On NLMSG_ERROR: the request in it is its header alone. */
export const NLM_F_CAPPED = 0x100;
/** On NLMSG_ERROR and NLMSG_DONE: attributes follow. */
export const NLM_F_ACK_TLVS = 0x200;

const HEADER_BYTES = 16;
const NLA_TYPE_MASK = 0x3fff;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Of the socket: who asked, or 0 for the kernel. */
  readonly port: number;
  /** After the header, without padding. */
  readonly payload: Uint8Array;
}

/** Why the rest of a datagram could not be read. */
export type NetlinkProblem = "truncated" | "bad-length";

export interface NetlinkDatagram {
  /** Those before the problem, if there is one. */
  readonly messages: readonly NetlinkMessage[];
  readonly problem: NetlinkProblem | undefined;
}

/** Takes a datagram apart into its messages. */
export function parseNetlink(bytes: Uint8Array): NetlinkDatagram {
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at < bytes.length) {
    const reader = new ByteReader(bytes, at);
    const length = reader.hostU32();
    const type = reader.hostU16();
    const flags = reader.hostU16();
    const sequence = reader.hostU32();
    const port = reader.hostU32();
    if (reader.truncated) return { messages, problem: "truncated" };
    if (length < HEADER_BYTES) return { messages, problem: "bad-length" };
    if (length > bytes.length - at) return { messages, problem: "truncated" };
    messages.push({ type, flags, sequence, port, payload: reader.take(length - HEADER_BYTES) });
    at += align4(length);
  }
  return { messages, problem: undefined };
}

export function buildNetlink(message: NetlinkMessage): Uint8Array {
  return new ByteWriter(HEADER_BYTES + align4(message.payload.length))
    .hostU32(HEADER_BYTES + message.payload.length)
    .hostU16(message.type)
    .hostU16(message.flags)
    .hostU32(message.sequence)
    .hostU32(message.port)
    .put(message.payload)
    .zeros(align4(message.payload.length) - message.payload.length)
    .done();
}

export interface Attribute {
  /** Without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
  readonly type: number;
  readonly value: Uint8Array;
}

/** The attributes from `offset` on; undefined when one of them is cut short. Trailing padding is ignored. */
export function parseAttributes(bytes: Uint8Array, offset = 0): readonly Attribute[] | undefined {
  const attributes: Attribute[] = [];
  let at = offset;
  while (bytes.length - at >= 4) {
    const reader = new ByteReader(bytes, at);
    const length = reader.hostU16();
    const type = reader.hostU16() & NLA_TYPE_MASK;
    if (length < 4 || length > bytes.length - at) return undefined;
    attributes.push({ type, value: reader.take(length - 4) });
    at += align4(length);
  }
  return attributes;
}

/** Attributes as bytes, each padded to four. */
export function buildAttributes(attributes: readonly Attribute[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { type, value } of attributes) {
    writer
      .hostU16(4 + value.length)
      .hostU16(type)
      .put(value)
      .zeros(align4(value.length) - value.length);
  }
  return writer.done();
}

/** A 32-bit attribute in host order; undefined when it has another length. */
export function attributeU32(value: Uint8Array): number | undefined {
  return value.length === 4 ? new ByteReader(value).hostU32() : undefined;
}

/** Text up to the first NUL. */
export function attributeText(value: Uint8Array): string {
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

export const u32Attribute = (type: number, value: number): Attribute => ({
  type,
  value: new ByteWriter(4).hostU32(value).done(),
});

/** NUL-terminated. */
export const textAttribute = (type: number, text: string): Attribute => ({
  type,
  value: new ByteWriter(16).put(new TextEncoder().encode(text)).u8(0).done(),
});

const align4 = (length: number): number => (length + 3) & ~3;
