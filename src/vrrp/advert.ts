/** The packet by which a master makes itself known: RFC 3768 §5 and RFC 9568 §5, with the header that keepalived sends. */

import { type Ipv4Address, isIpv4 } from "../base/ip.ts";
import { inCentiseconds, inSeconds } from "../base/time.ts";
import type { VrrpInstance } from "../config/model/vrrp.ts";
import { encodeIpv4, INTERNETWORK_CONTROL, PROTOCOL_VRRP } from "../wire/ipv4.ts";
import { type Advert, AUTH_NONE, AUTH_PASS, authDataOf, encodeAdvert, VRRP_ADVERTISEMENT } from "../wire/vrrp.ts";

export interface AdvertHeader {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  /** Rises by one an advert. */
  readonly identification: number;
}

/** The whole IPv4 packet. */
export function advertPacket(instance: VrrpInstance, priority: number, header: AdvertHeader): Uint8Array {
  return encodeIpv4({
    typeOfService: INTERNETWORK_CONTROL,
    identification: header.identification,
    flagsAndOffset: 0,
    timeToLive: 255,
    protocol: PROTOCOL_VRRP,
    source: header.source,
    destination: header.destination,
    options: new Uint8Array(0),
    payload: encodeAdvert(advertOf(instance, priority), header),
  });
}

function advertOf(instance: VrrpInstance, priority: number): Advert {
  const common = {
    type: VRRP_ADVERTISEMENT,
    virtualRouterId: instance.virtualRouterId,
    priority,
    addresses: instance.virtualAddresses.map(({ address }) => address).filter(isIpv4),
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
