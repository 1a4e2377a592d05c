/**
 * ICMPv6 (RFC 4443): messages as type, code and bytes, and the neighbour advertisement (RFC 4861 §4.4), above all the
 * unsolicited one that announces an address (§7.2.6). Other options than the target's link-layer address are skipped.
 */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type Ipv6Address, ipToBytes, ipv6FromBytes } from "../base/ip.ts";
import { type MacAddress, macFromBytes, macToBytes } from "../base/mac.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { internetChecksum, pseudoHeaderBytes } from "./checksum.ts";
import { ETHERTYPE_IPV6, encodeEthernet } from "./ethernet.ts";
import { encodeIpv6, type Ipv6Packet } from "./ipv6.ts";

const field = { type: 0, code: 1, checksum: 2, body: 4 } as const;
const advertisement = { flags: 4, target: 8, options: 24 } as const;
const flag = { router: 0x80, solicited: 0x40, override: 0x20 } as const;

export const PROTOCOL_ICMPV6 = 58;
export const NEIGHBOUR_ADVERTISEMENT = 136;
export const ALL_NODES = "ff02::1" as Ipv6Address;
const ALL_NODES_MAC = "33:33:00:00:00:01" as MacAddress;

const OPTION_TARGET_LINK_LAYER = 2;
/** Of an option with an Ethernet address; counted in the eight bytes of §4.6. */
const LINK_LAYER_UNITS = 1;

/** RFC 4861 §7.1.2: one with another hop limit has been forwarded. */
const HOP_LIMIT = 255;

export interface Icmpv6Message {
  readonly type: number;
  readonly code: number;
  /** All after the checksum. */
  readonly body: Uint8Array;
}

export interface NeighbourAdvertisement {
  /** It forwards packets. */
  readonly router: boolean;
  /** Answers a solicitation. */
  readonly solicited: boolean;
  /** Replaces what is cached. */
  readonly override: boolean;
  readonly target: Ipv6Address;
  readonly targetMac: MacAddress | undefined;
}

export type Addresses = Pick<Ipv6Packet, "source" | "destination">;

export function decodeIcmpv6(
  bytes: Uint8Array,
  addresses: Addresses,
): Result<Icmpv6Message & { readonly checksumOk: boolean }, "truncated"> {
  if (bytes.length < field.body) return fail("truncated");
  return ok({
    type: bytes[field.type] ?? 0,
    code: bytes[field.code] ?? 0,
    body: bytes.subarray(field.body),
    checksumOk: checksumOver(bytes, addresses) === 0,
  });
}

export function encodeIcmpv6(message: Icmpv6Message, addresses: Addresses): Uint8Array {
  const writer = new ByteWriter(field.body + message.body.length)
    .u8(message.type)
    .u8(message.code)
    .u16(0)
    .put(message.body);
  writer.setU16(field.checksum, checksumOver(writer.done(), addresses));
  return writer.done();
}

/** `not-an-advertisement`: another type or code. `bad-option`: one of length zero, or longer than the message (§4.6). */
export function asNeighbourAdvertisement(
  message: Icmpv6Message,
): Result<NeighbourAdvertisement, "not-an-advertisement" | "truncated" | "bad-option"> {
  if (message.type !== NEIGHBOUR_ADVERTISEMENT || message.code !== 0) return fail("not-an-advertisement");
  const { body } = message;
  if (body.length < advertisement.options - field.body) return fail("truncated");
  const flags = body[advertisement.flags - field.body] ?? 0;
  let targetMac: MacAddress | undefined;
  const reader = new ByteReader(body, advertisement.options - field.body);
  while (reader.remaining > 0) {
    const start = reader.offset;
    const type = reader.u8();
    const units = reader.u8();
    reader.offset = start;
    const option = reader.take(units * 8);
    if (units === 0 || reader.truncated) return fail("bad-option");
    if (type === OPTION_TARGET_LINK_LAYER && units === LINK_LAYER_UNITS) targetMac ??= macFromBytes(option, 2);
  }
  return ok({
    router: (flags & flag.router) !== 0,
    solicited: (flags & flag.solicited) !== 0,
    override: (flags & flag.override) !== 0,
    target: ipv6FromBytes(body, advertisement.target - field.body),
    targetMac,
  });
}

export function encodeNeighbourAdvertisement(advert: NeighbourAdvertisement, addresses: Addresses): Uint8Array {
  const { router, solicited, override, target, targetMac } = advert;
  const flags = (router ? flag.router : 0) | (solicited ? flag.solicited : 0) | (override ? flag.override : 0);
  const body = new ByteWriter(28).u8(flags).zeros(3).put(ipToBytes(target));
  if (targetMac !== undefined) body.u8(OPTION_TARGET_LINK_LAYER).u8(LINK_LAYER_UNITS).put(macToBytes(targetMac));
  return encodeIcmpv6({ type: NEIGHBOUR_ADVERTISEMENT, code: 0, body: body.done() }, addresses);
}

/** The whole frame by which `mac` announces to all nodes that it holds `address`; `router` when this host forwards. */
export function unsolicitedAdvertisementFrame(mac: MacAddress, address: Ipv6Address, router: boolean): Uint8Array {
  const addresses = { source: address, destination: ALL_NODES };
  const advert = { router, solicited: false, override: true, target: address, targetMac: mac };
  return encodeEthernet({
    destination: ALL_NODES_MAC,
    source: mac,
    etherType: ETHERTYPE_IPV6,
    payload: encodeIpv6({
      trafficClass: 0,
      flowLabel: 0,
      nextHeader: PROTOCOL_ICMPV6,
      hopLimit: HOP_LIMIT,
      ...addresses,
      payload: encodeNeighbourAdvertisement(advert, addresses),
    }),
  });
}

const checksumOver = (bytes: Uint8Array, addresses: Addresses): number =>
  internetChecksum(pseudoHeaderBytes({ ...addresses, protocol: PROTOCOL_ICMPV6, length: bytes.length }), bytes);
