/**
 * The checks that an advert must pass before it counts: RFC 3768 §7.1, RFC 9568 §7.1, in the order and with the words of
 * keepalived 2.2.7. An advert that fails one does not reset the timer of a backup.
 *
 * A different list of addresses is no reason to refuse since keepalived 2.3.3: two masters while addresses are being
 * added were worse than the difference. Finding the instance that a packet is for is not done here.
 */

import { type IpAddress, isIpv4 } from "../base/ip.ts";
import { centiseconds, type Duration, inSeconds, seconds } from "../base/time.ts";
import type { VrrpInstance } from "../config/model/vrrp.ts";
import { decodeIpv4, PROTOCOL_VRRP } from "../wire/ipv4.ts";
import { decodeIpv6 } from "../wire/ipv6.ts";
import {
  type Advert,
  AUTH_AH,
  AUTH_NONE,
  AUTH_PASS,
  authDataOf,
  type ChecksumVerdict,
  decodeAdvert,
  judgeChecksum,
  VRRP_ADVERTISEMENT,
} from "../wire/vrrp.ts";
import { MULTICAST_TTL } from "./advert.ts";

/** Names of counters. */
export type RejectReason =
  | "packet-length"
  | "ttl"
  | "destination"
  | "unicast-source"
  | "version"
  | "packet-type"
  | "checksum"
  | "auth-type-invalid"
  | "auth-type-mismatch"
  | "auth-failure"
  | "advert-interval";

/** What of an IP packet matters here, whichever family it is of. */
export interface ReceivedPacket {
  readonly family: "ipv4" | "ipv6";
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** Or hop limit. */
  readonly timeToLive: number;
  readonly virtualRouterId: number;
  readonly payload: Uint8Array;
}

/** Undefined for what is no packet of protocol 112, or too short to tell whom it is for. */
export function readPacket(bytes: Uint8Array): ReceivedPacket | undefined {
  if ((bytes[0] ?? 0) >> 4 === 6) {
    const decoded = decodeIpv6(bytes);
    if (!decoded.ok || decoded.value.nextHeader !== PROTOCOL_VRRP) return undefined;
    const { source, destination, hopLimit, payload } = decoded.value;
    const virtualRouterId = payload[1];
    if (virtualRouterId === undefined) return undefined;
    return { family: "ipv6", source, destination, timeToLive: hopLimit, virtualRouterId, payload };
  }
  const decoded = decodeIpv4(bytes);
  if (!decoded.ok || decoded.value.protocol !== PROTOCOL_VRRP) return undefined;
  const { source, destination, timeToLive, payload } = decoded.value;
  const virtualRouterId = payload[1];
  if (virtualRouterId === undefined) return undefined;
  return { family: "ipv4", source, destination, timeToLive, virtualRouterId, payload };
}

export interface AcceptedAdvert {
  readonly from: IpAddress;
  readonly priority: number;
  /** Version 2's equals the own one. */
  readonly advertInterval: Duration;
  /** Version 3 for IPv4 has two styles; the others have one. */
  readonly checksum: Exclude<ChecksumVerdict, "bad">;
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

type Refusal = readonly [RejectReason, string];

/** `packet` is of the instance's family. */
export function judgePacket(instance: VrrpInstance, packet: ReceivedPacket): Verdict {
  const bytes = packet.payload;
  const refuse = (reason: RejectReason, detail: string): Verdict => ({
    ok: false,
    refused: { reason, detail, priority: bytes[2] ?? 0 },
  });

  const way = judgeWay(instance, packet);
  if (way !== undefined) return refuse(...way);
  const decoded = decodeAdvert(bytes, instance.family);
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
  // Both styles of version 3 for IPv4 count: the peers that follow RFC 9568 send the one without pseudo header.
  const checksum = judgeChecksum(bytes, packet);
  if (checksum === "bad") return refuse("checksum", `Invalid VRRPv${advert.version} checksum`);
  const authentication = judgeAuthentication(instance, advert);
  if (authentication !== undefined) return refuse(...authentication);
  if (advert.version === 2 && seconds(advert.advertInterval) !== instance.advertInterval) {
    const own = inSeconds(instance.advertInterval);
    return refuse(
      "advert-interval",
      `advertisement interval mismatch mine=${own} sec rcv'd=${advert.advertInterval} sec`,
    );
  }
  const peer = judgePeer(instance, packet);
  if (peer !== undefined) return refuse(...peer);
  return {
    ok: true,
    advert: {
      from: packet.source,
      priority: advert.priority,
      // RFC 9568 §5.2.7 gives zero no meaning; a timer of zero would make every master down at once.
      advertInterval:
        advert.version === 2 ? seconds(advert.advertInterval) : centiseconds(Math.max(1, advert.maxAdvertInterval)),
      checksum,
      addressListDiffers: addressListDifference(instance, advert),
    },
  };
}

export const isMulticast = (address: IpAddress): boolean =>
  isIpv4(address) ? (Number.parseInt(address, 10) & 0xf0) === 0xe0 : address.startsWith("ff");

/** Multicast instances hear their group from the same link (RFC 9568 §5.1.1.3), unicast ones what is sent to them alone. */
function judgeWay(instance: VrrpInstance, packet: ReceivedPacket): Refusal | undefined {
  const { timeToLive, destination } = packet;
  if (instance.unicastPeers !== undefined) {
    return isMulticast(destination) ? ["destination", "discarding multicast packet on unicast instance"] : undefined;
  }
  if (timeToLive !== MULTICAST_TTL) {
    return ["ttl", `invalid TTL/HL. Received ${timeToLive} and expect ${MULTICAST_TTL}`];
  }
  if (destination === instance.multicastGroup) return undefined;
  if (!isMulticast(destination)) return ["destination", "discarding unicast packet on multicast instance"];
  return ["destination", `discarding packet to group ${destination}, expect ${instance.multicastGroup}`];
}

function judgePeer({ unicastPeers, checkUnicastSource }: VrrpInstance, packet: ReceivedPacket): Refusal | undefined {
  if (unicastPeers === undefined || !checkUnicastSource) return undefined;
  const { source, timeToLive } = packet;
  const peer = unicastPeers.find(({ address }) => address === source);
  if (peer === undefined) return ["unicast-source", `unicast source address ${source} not a unicast peer`];
  if (timeToLive >= peer.minTtl && timeToLive <= peer.maxTtl) return undefined;
  return ["ttl", `TTL/HL ${timeToLive} not in range ${peer.minTtl} - ${peer.maxTtl}`];
}

function judgeAuthentication(instance: VrrpInstance, advert: Advert): Refusal | undefined {
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
