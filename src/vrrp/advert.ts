/** The packet by which a master makes itself known: RFC 3768 §5 and RFC 9568 §5, with the header that keepalived sends. */

import { type IpAddress, isIpv4, isIpv6 } from "../base/ip.ts";
import { inCentiseconds, inSeconds } from "../base/time.ts";
import type { VrrpInstance } from "../config/model/vrrp.ts";
import { encodeIpv4, INTERNETWORK_CONTROL, PROTOCOL_VRRP, withIdentification } from "../wire/ipv4.ts";
import { encodeIpv6 } from "../wire/ipv6.ts";
import { type Advert, AUTH_NONE, AUTH_PASS, authDataOf, encodeAdvert, VRRP_ADVERTISEMENT } from "../wire/vrrp.ts";

/** RFC 9568 §5.1.1.3: a packet with another one has been forwarded. Unicast adverts may have been. */
export const MULTICAST_TTL = 255;

export interface AdvertHeader {
  /** Of the instance's family. */
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** Of an IPv4 header; rises by one an advert. */
  readonly identification: number;
}

/** Made before, without an identification: by priority, source and destination. */
const made = new WeakMap<VrrpInstance, Map<string, string>>();
/** More than the peers of one; a priority that changes all the time must not make it grow. */
const MOST_MADE = 64;

/** The whole IP packet in hexadecimal. A master says the same every second: it is put together when that has changed. */
export function advertDigits(instance: VrrpInstance, priority: number, header: AdvertHeader): string {
  const { source, destination, identification } = header;
  const known = made.get(instance) ?? new Map<string, string>();
  made.set(instance, known);
  const key = `${priority} ${source} ${destination}`;
  let digits = known.get(key);
  if (digits === undefined) {
    digits = advertPacket(instance, priority, { source, destination, identification: 0 }).toHex();
    if (known.size >= MOST_MADE) known.clear();
    known.set(key, digits);
  }
  return isIpv4(source) ? withIdentification(digits, identification) : digits;
}

/** The whole IP packet. */
export function advertPacket(instance: VrrpInstance, priority: number, header: AdvertHeader): Uint8Array {
  const { source, destination, identification } = header;
  const timeToLive = instance.unicastPeers === undefined ? MULTICAST_TTL : instance.unicastTtl;
  const payload = encodeAdvert(
    advertOf(instance, priority),
    instance.checksumWithoutPseudoHeader && instance.family === "ipv4" ? undefined : header,
  );
  if (isIpv6(source) && isIpv6(destination)) {
    return encodeIpv6({
      trafficClass: INTERNETWORK_CONTROL,
      flowLabel: 0,
      nextHeader: PROTOCOL_VRRP,
      hopLimit: timeToLive,
      source,
      destination,
      payload,
    });
  }
  if (!isIpv4(source) || !isIpv4(destination)) throw new TypeError(`${source} and ${destination} are of two families`);
  return encodeIpv4({
    typeOfService: INTERNETWORK_CONTROL,
    identification,
    flagsAndOffset: 0,
    timeToLive,
    protocol: PROTOCOL_VRRP,
    source,
    destination,
    options: new Uint8Array(0),
    payload,
  });
}

function advertOf(instance: VrrpInstance, priority: number): Advert {
  const isOurs = instance.family === "ipv4" ? isIpv4 : isIpv6;
  const common = {
    type: VRRP_ADVERTISEMENT,
    virtualRouterId: instance.virtualRouterId,
    priority,
    addresses: instance.virtualAddresses.map(({ address }) => address).filter((address) => isOurs(address)),
  };
  if (instance.version === 3) {
    return {
      version: 3,
      ...common,
      reserved: 0,
      maxAdvertInterval: Math.round(inCentiseconds(instance.advertInterval)),
    };
  }
  return {
    version: 2,
    ...common,
    authType: instance.authPass === undefined ? AUTH_NONE : AUTH_PASS,
    advertInterval: Math.round(inSeconds(instance.advertInterval)),
    authData: authDataOf(instance.authPass ?? ""),
  };
}
