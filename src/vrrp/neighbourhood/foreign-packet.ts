/**
 * A VRRP packet of somebody else, of any version and however wrong, as far as it can be read: RFC 3768 §5, RFC 9568 §5, and
 * the authentication header that RFC 2338 §5.3.6.3 allowed before it (RFC 4302 §2).
 *
 * For finding out what a neighbour meant; whether it counts as an advert is decided in `receive.ts`, which is stricter.
 */

import { ByteReader } from "../../base/bytes.ts";
import { type IpAddress, ipv4FromBytes, ipv6FromBytes } from "../../base/ip.ts";
import { centiseconds, type Duration, seconds } from "../../base/time.ts";
import { decodeIpv4, PROTOCOL_VRRP } from "../../wire/ipv4.ts";
import { decodeIpv6 } from "../../wire/ipv6.ts";
import { AUTH_DATA_BYTES, type ChecksumVerdict, judgeChecksum } from "../../wire/vrrp.ts";

export const PROTOCOL_AH = 51;

export interface ForeignAdvert {
  readonly family: "ipv4" | "ipv6";
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** Hop limit in IPv6. */
  readonly timeToLive: number;
  /** An authentication header stood before it. */
  readonly authenticated: boolean;
  /** Four bits: 2 and 3 are known. */
  readonly version: number;
  readonly virtualRouterId: number;
  readonly priority: number;
  /** Undefined where the version has none, or the bytes have ended. */
  readonly authType: number | undefined;
  readonly authData: Uint8Array | undefined;
  readonly advertInterval: Duration;
  readonly addresses: readonly IpAddress[];
  /** Bytes that are missing (negative) or too many, by its own count. */
  readonly excessBytes: number;
  readonly checksum: ChecksumVerdict;
}

/** @param digits from the IP header on, hexadecimal. Undefined when it is no VRRP, or too short to tell for whom it is. */
export function readForeign(digits: string): ForeignAdvert | undefined {
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) return undefined;
  const envelope = open(Uint8Array.fromHex(digits));
  if (envelope === undefined || envelope.payload.length < 8) return undefined;
  const { payload, ...header } = envelope;
  const reader = new ByteReader(payload);
  const version = reader.u8() >> 4;
  const virtualRouterId = reader.u8();
  const priority = reader.u8();
  const count = reader.u8();
  const interval = reader.u16();
  reader.u16();
  const size = header.family === "ipv4" ? 4 : 16;
  const read = header.family === "ipv4" ? ipv4FromBytes : ipv6FromBytes;
  const present = Math.min(count, Math.floor(reader.remaining / size));
  const addresses = Array.from({ length: present }, () => read(reader.take(size)));
  const expected = 8 + size * count + (version === 2 ? AUTH_DATA_BYTES : 0);
  const { source, destination } = header;
  return {
    ...header,
    version,
    virtualRouterId,
    priority,
    authType: version === 2 ? interval >> 8 : undefined,
    authData: version === 2 && reader.remaining >= AUTH_DATA_BYTES ? reader.take(AUTH_DATA_BYTES) : undefined,
    advertInterval: version === 2 ? seconds(interval & 0xff) : centiseconds(interval & 0x0fff),
    addresses,
    excessBytes: payload.length - expected,
    checksum: judgeChecksum(payload, { source, destination }),
  };
}

type Envelope = Pick<ForeignAdvert, "family" | "source" | "destination" | "timeToLive" | "authenticated"> & {
  readonly payload: Uint8Array;
};

function open(bytes: Uint8Array): Envelope | undefined {
  if ((bytes[0] ?? 0) >> 4 === 6) {
    const packet = decodeIpv6(bytes);
    if (!packet.ok) return undefined;
    const { source, destination, hopLimit, nextHeader, payload } = packet.value;
    return inner({ family: "ipv6", source, destination, timeToLive: hopLimit, payload }, nextHeader);
  }
  const packet = decodeIpv4(bytes);
  if (!packet.ok) return undefined;
  const { source, destination, timeToLive, protocol, payload } = packet.value;
  return inner({ family: "ipv4", source, destination, timeToLive, payload }, protocol);
}

function inner(outer: Omit<Envelope, "authenticated">, protocol: number): Envelope | undefined {
  if (protocol === PROTOCOL_VRRP) return { ...outer, authenticated: false };
  const [next, words = 0] = outer.payload;
  if (protocol !== PROTOCOL_AH || next !== PROTOCOL_VRRP) return undefined;
  return { ...outer, authenticated: true, payload: outer.payload.subarray((words + 2) * 4) };
}
