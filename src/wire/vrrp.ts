/**
 * VRRP advertisements: version 2 for IPv4 (RFC 3768 §5, with the authentication data that RFC 2338 §5.3 defined and that
 * keepalived always sends) and version 3 for IPv4 and IPv6 (RFC 5798 and RFC 9568 §5).
 *
 * Judges nothing: a wrong version, type, checksum or interval is shown, and `vrrp/receive` decides.
 */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type IpAddress, ipToBytes, ipv4FromBytes, ipv6FromBytes, isIpv4 } from "../base/ip.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { internetChecksum, pseudoHeaderBytes } from "./checksum.ts";
import { PROTOCOL_VRRP } from "./ipv4.ts";

const field = {
  versionAndType: 0,
  virtualRouterId: 1,
  priority: 2,
  addressCount: 3,
  /** Version 2: authentication type, then seconds. Version 3: four reserved bits and twelve of centiseconds. */
  interval: 4,
  checksum: 6,
  addresses: 8,
} as const;

export const VRRP_ADVERTISEMENT = 1;
export const AUTH_NONE = 0;
export const AUTH_PASS = 1;
export const AUTH_AH = 2;
export const AUTH_DATA_BYTES = 8;

interface AdvertCommon {
  /** 1 is an advertisement; four bits. */
  readonly type: number;
  readonly virtualRouterId: number;
  readonly priority: number;
  /** All of the family of the packet. */
  readonly addresses: readonly IpAddress[];
}

export interface AdvertV2 extends AdvertCommon {
  readonly version: 2;
  readonly authType: number;
  /** Seconds, eight bits. */
  readonly advertInterval: number;
  /** Always eight bytes. */
  readonly authData: Uint8Array;
}

export interface AdvertV3 extends AdvertCommon {
  readonly version: 3;
  /** Four bits, zero. */
  readonly reserved: number;
  /** Centiseconds, twelve bits. */
  readonly maxAdvertInterval: number;
}

export type Advert = AdvertV2 | AdvertV3;

/** What came in: the advert, the checksum that it carried and the bytes that nothing accounts for. */
export interface Received {
  readonly advert: Advert;
  readonly checksum: number;
  readonly trailing: Uint8Array;
}

export type VrrpError =
  | { readonly code: "truncated"; readonly length: number; readonly expected: number }
  /** Everything after the first two bytes may mean something else. */
  | { readonly code: "unknown-version"; readonly version: number; readonly virtualRouterId: number };

/** `family` is that of the IP packet around it; version 2 is for IPv4 alone. */
export function decodeAdvert(bytes: Uint8Array, family: "ipv4" | "ipv6" = "ipv4"): Result<Received, VrrpError> {
  const truncated = (expected: number) => fail({ code: "truncated" as const, length: bytes.length, expected });
  if (bytes.length < field.addresses) return truncated(field.addresses);
  const reader = new ByteReader(bytes);
  const versionAndType = reader.u8();
  const version = versionAndType >> 4;
  const type = versionAndType & 0x0f;
  const virtualRouterId = reader.u8();
  if (version !== 3 && (version !== 2 || family === "ipv6"))
    return fail({ code: "unknown-version", version, virtualRouterId });
  const priority = reader.u8();
  const count = reader.u8();
  const interval = reader.u16();
  const checksum = reader.u16();
  const size = family === "ipv4" ? 4 : 16;
  const expected = field.addresses + size * count + (version === 2 ? AUTH_DATA_BYTES : 0);
  if (bytes.length < expected) return truncated(expected);
  const addresses = Array.from({ length: count }, () =>
    family === "ipv4" ? ipv4FromBytes(reader.take(size)) : ipv6FromBytes(reader.take(size)),
  );
  const common = { type, virtualRouterId, priority, addresses };
  const advert: Advert =
    version === 2
      ? {
          version,
          ...common,
          authType: interval >> 8,
          advertInterval: interval & 0xff,
          authData: reader.take(AUTH_DATA_BYTES),
        }
      : { version, ...common, reserved: interval >> 12, maxAdvertInterval: interval & 0x0fff };
  return ok({ advert, checksum, trailing: bytes.subarray(expected) });
}

/** Who speaks to whom, both of one family: version 3 adds this to its checksum (RFC 5798 §5.2.8, for IPv6 RFC 8200 §8.1). */
export interface PseudoHeader {
  readonly source: IpAddress;
  readonly destination: IpAddress;
}

/**
 * With the checksum of its version. Without a `pseudoHeader` version 3 gets the one over the message alone, as RFC 9568
 * §5.2.8 has it for IPv4, and as Cisco, Juniper and keepalived's `v3_checksum_as_v2` send it.
 */
export function encodeAdvert(advert: Advert, pseudoHeader: PseudoHeader | undefined): Uint8Array {
  const writer = new ByteWriter()
    .u8((advert.version << 4) | advert.type)
    .u8(advert.virtualRouterId)
    .u8(advert.priority)
    .u8(advert.addresses.length)
    .u16(
      advert.version === 2
        ? (advert.authType << 8) | advert.advertInterval
        : (advert.reserved << 12) | advert.maxAdvertInterval,
    )
    .u16(0);
  for (const address of advert.addresses) writer.put(ipToBytes(address));
  if (advert.version === 2) writer.put(advert.authData);
  const bytes = writer.done();
  writer.setU16(field.checksum, checksumOver(bytes, advert.version === 3 ? pseudoHeader : undefined));
  return bytes;
}

export type ChecksumVerdict = "valid" | "valid-without-pseudo-header" | "bad";

/**
 * Of a whole message as received, its version taken from its first byte. Version 2 never has a pseudo header, IPv6 always
 * (RFC 9568 §5.2.8).
 */
export function judgeChecksum(bytes: Uint8Array, pseudoHeader: PseudoHeader): ChecksumVerdict {
  const version = (bytes[field.versionAndType] ?? 0) >> 4;
  if (version === 2) return checksumOver(bytes, undefined) === 0 ? "valid" : "bad";
  if (checksumOver(bytes, pseudoHeader) === 0) return "valid";
  if (!isIpv4(pseudoHeader.source)) return "bad";
  return checksumOver(bytes, undefined) === 0 ? "valid-without-pseudo-header" : "bad";
}

/** A password as authentication data: cut to eight bytes, padded with zeros. */
export function authDataOf(password: string): Uint8Array {
  const data = new Uint8Array(AUTH_DATA_BYTES);
  data.set(new TextEncoder().encode(password).subarray(0, AUTH_DATA_BYTES));
  return data;
}

function checksumOver(bytes: Uint8Array, pseudoHeader: PseudoHeader | undefined): number {
  return pseudoHeader === undefined
    ? internetChecksum(bytes)
    : internetChecksum(pseudoHeaderBytes({ ...pseudoHeader, protocol: PROTOCOL_VRRP, length: bytes.length }), bytes);
}
