/**
 * What the kernel answers: NLMSG_ERROR (an acknowledgement when its error is 0) and NLMSG_DONE, with the extended
 * acknowledgement's text. linux/netlink.h `nlmsgerr`, `nlmsgerr_attrs`.
 */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import {
  type Attribute,
  attributeText,
  attributeU32,
  buildAttributes,
  type NetlinkMessage,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseAttributes,
  textAttribute,
  u32Attribute,
} from "./netlink.ts";

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;
const HEADER_BYTES = 16;

export interface NetlinkAck {
  /** Positive, as in errno(3); 0 for success. */
  readonly errno: number;
  /** The kernel's own words, when it has some. */
  readonly text: string | undefined;
  /** Into the request: the attribute that was refused. */
  readonly offset: number | undefined;
}

/** Undefined when the message is neither NLMSG_ERROR nor NLMSG_DONE, or is too short for an error number. */
export function parseAck(message: NetlinkMessage): NetlinkAck | undefined {
  if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) return undefined;
  const reader = new ByteReader(message.payload);
  const error = reader.hostI32();
  if (reader.truncated) return undefined;
  const attributes = (message.flags & NLM_F_ACK_TLVS) !== 0 ? ackAttributes(message) : [];
  const found = (type: number): Uint8Array | undefined =>
    attributes.find((attribute) => attribute.type === type)?.value;
  const text = found(NLMSGERR_ATTR_MSG);
  const offset = found(NLMSGERR_ATTR_OFFS);
  return {
    errno: Math.abs(error),
    text: text === undefined ? undefined : attributeText(text),
    offset: offset === undefined ? undefined : attributeU32(offset),
  };
}

/** Where they begin depends on how much of the request the kernel sent back. */
function ackAttributes({ type, flags, payload }: NetlinkMessage): readonly Attribute[] {
  if (type === NLMSG_DONE) return parseAttributes(payload, 4) ?? [];
  const requestBytes = (flags & NLM_F_CAPPED) !== 0 ? HEADER_BYTES : new ByteReader(payload, 4).hostU32();
  if (requestBytes > payload.length) return [];
  return parseAttributes(payload, 4 + ((requestBytes + 3) & ~3)) ?? [];
}

/** An answer to the request with this header, as the kernel sends it with NETLINK_CAP_ACK and NETLINK_EXT_ACK. */
export function buildAck(ack: NetlinkAck, request: NetlinkMessage): NetlinkMessage {
  const attributes: Attribute[] = [];
  if (ack.text !== undefined) attributes.push(textAttribute(NLMSGERR_ATTR_MSG, ack.text));
  if (ack.offset !== undefined) attributes.push(u32Attribute(NLMSGERR_ATTR_OFFS, ack.offset));
  const payload = new ByteWriter()
    .hostU32(-ack.errno >>> 0)
    .hostU32(HEADER_BYTES + request.payload.length)
    .hostU16(request.type)
    .hostU16(request.flags)
    .hostU32(request.sequence)
    .hostU32(request.port)
    .put(buildAttributes(attributes))
    .done();
  const flags = NLM_F_CAPPED | (attributes.length > 0 ? NLM_F_ACK_TLVS : 0);
  return { type: NLMSG_ERROR, flags, sequence: request.sequence, port: request.port, payload };
}
