/**
 * The checks that an advert must pass before it counts: RFC 3768 §7.1, RFC 9568 §7.1, in the order and with the words of
 * keepalived 2.2.7. An advert that fails one does not reset the timer of a backup.
 *
 * A different list of addresses is no reason to refuse since keepalived 2.3.3: two masters while addresses are being
 * added were worse than the difference. Finding the instance that a packet is for is not done here.
 */

import type { Ipv4Address } from "../base/ip.ts";
import { centiseconds, type Duration, inSeconds, seconds } from "../base/time.ts";
import type { VrrpInstance } from "../config/model/vrrp.ts";
import type { Ipv4Packet } from "../wire/ipv4.ts";
import {
  type Advert,
  AUTH_AH,
  AUTH_NONE,
  AUTH_PASS,
  authDataOf,
  decodeAdvert,
  judgeChecksum,
  VRRP_ADVERTISEMENT,
} from "../wire/vrrp.ts";

/** Names of counters. */
export type RejectReason =
  | "packet-length"
  | "ttl"
  | "destination"
  | "version"
  | "packet-type"
  | "checksum"
  | "auth-type-invalid"
  | "auth-type-mismatch"
  | "auth-failure"
  | "advert-interval";

export interface AcceptedAdvert {
  readonly from: Ipv4Address;
  readonly priority: number;
  /** Version 2's equals the own one. */
  readonly advertInterval: Duration;
  /** In the words of the log when the list of addresses is not the own one. */
  readonly addressListDiffers: string | undefined;
}

export interface RefusedPacket {
  readonly reason: RejectReason;
  readonly detail: string;
  /** The byte at its place, 0 when there is none: for the eye, not for decisions. */
  readonly priority: number;
}

export type Verdict =
  | { readonly ok: true; readonly advert: AcceptedAdvert }
  | { readonly ok: false; readonly refused: RefusedPacket };

const MULTICAST_TTL = 255;

export function judgePacket(instance: VrrpInstance, packet: Ipv4Packet, multicastGroup: Ipv4Address): Verdict {
  const bytes = packet.payload;
  const refuse = (reason: RejectReason, detail: string): Verdict => ({
    ok: false,
    refused: { reason, detail, priority: bytes[2] ?? 0 },
  });

  if (packet.timeToLive !== MULTICAST_TTL) {
    return refuse("ttl", `invalid TTL/HL. Received ${packet.timeToLive} and expect ${MULTICAST_TTL}`);
  }
  if (packet.destination !== multicastGroup)
    return refuse("destination", "discarding unicast packet on multicast instance");
  const decoded = decodeAdvert(bytes);
  const version = (bytes[0] ?? 0) >> 4;
  if (version !== instance.version) {
    return refuse("version", `wrong version. Received ${version} and expect ${instance.version}`);
  }
  if (!decoded.ok) {
    const expected = decoded.error.code === "truncated" ? decoded.error.expected : bytes.length;
    return refuse("packet-length", `vrrp packet too short, length ${bytes.length} and expect ${expected}`);
  }
  const { advert, trailing } = decoded.value;
  if (trailing.length > 0) {
    const expected = bytes.length - trailing.length;
    return refuse("packet-length", `vrrp packet too long, length ${bytes.length} and expect ${expected}`);
  }
  if (advert.type !== VRRP_ADVERTISEMENT) {
    return refuse("packet-type", `Invalid packet type. ${advert.type} and expect ${VRRP_ADVERTISEMENT}`);
  }
  // Both styles of version 3 count: the peers that follow RFC 9568 send the one without pseudo header.
  if (judgeChecksum(bytes, packet) === "bad") return refuse("checksum", `Invalid VRRPv${advert.version} checksum`);
  const authentication = judgeAuthentication(instance, advert);
  if (authentication !== undefined) return refuse(...authentication);
  if (advert.version === 2 && seconds(advert.advertInterval) !== instance.advertInterval) {
    const own = inSeconds(instance.advertInterval);
    return refuse(
      "advert-interval",
      `advertisement interval mismatch mine=${own} sec rcv'd=${advert.advertInterval} sec`,
    );
  }
  return {
    ok: true,
    advert: {
      from: packet.source,
      priority: advert.priority,
      // RFC 9568 §5.2.7 gives zero no meaning; a timer of zero would make every master down at once.
      advertInterval:
        advert.version === 2 ? seconds(advert.advertInterval) : centiseconds(Math.max(1, advert.maxAdvertInterval)),
      addressListDiffers: instance.skipCheckAdvAddr ? undefined : addressListDifference(instance, advert),
    },
  };
}

function judgeAuthentication(instance: VrrpInstance, advert: Advert): [RejectReason, string] | undefined {
  if (advert.version !== 2) return undefined;
  const expected = instance.authPass === undefined ? AUTH_NONE : AUTH_PASS;
  if (advert.authType > AUTH_AH) return ["auth-type-invalid", `Invalid auth type: ${advert.authType}`];
  if (advert.authType !== expected) {
    return ["auth-type-mismatch", `received a ${advert.authType} auth, expecting ${expected}!`];
  }
  if (instance.authPass === undefined) return undefined;
  const own = authDataOf(instance.authPass);
  return own.every((byte, at) => byte === advert.authData[at])
    ? undefined
    : ["auth-failure", "received an invalid passwd!"];
}

function addressListDifference(instance: VrrpInstance, advert: Advert): string | undefined {
  const own = instance.virtualAddresses;
  if (advert.addresses.length !== own.length)
    return `expected ${own.length} VIPs but received ${advert.addresses.length}`;
  const missing = own.find(({ address }) => !advert.addresses.some((received) => received === address));
  if (missing === undefined) return undefined;
  return `ip address associated with VRID ${advert.virtualRouterId} not present in MASTER advert: ${missing.address}`;
}
