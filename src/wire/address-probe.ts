/**
 * Frames that ask who has an address without saying that we have it: the ARP probe (RFC 5227 §2.1.1) and the neighbour
 * solicitation of duplicate address detection (RFC 4862 §5.4.2). Whoever has the address answers.
 */

import { ByteWriter } from "../base/bytes.ts";
import { type IpAddress, type Ipv4Address, type Ipv6Address, ipToBytes, ipv6FromBytes, isIpv4 } from "../base/ip.ts";
import { BROADCAST_MAC, type MacAddress, macFromBytes } from "../base/mac.ts";
import { ARP_REQUEST, encodeArp } from "./arp.ts";
import { internetChecksum } from "./checksum.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV6, encodeEthernet } from "./ethernet.ts";
import { encodeIpv6 } from "./ipv6.ts";

const ICMPV6 = 58;
const NEIGHBOUR_SOLICITATION = 135;
const NO_MAC = "00:00:00:00:00:00" as MacAddress;

/** The whole frame, from `mac` to everybody whom it concerns. */
export const addressProbeFrame = (mac: MacAddress, address: IpAddress): Uint8Array =>
  isIpv4(address) ? arpProbe(mac, address) : solicitation(mac, address);

const arpProbe = (mac: MacAddress, address: Ipv4Address): Uint8Array =>
  encodeEthernet({
    destination: BROADCAST_MAC,
    source: mac,
    etherType: ETHERTYPE_ARP,
    payload: encodeArp({
      operation: ARP_REQUEST,
      senderMac: mac,
      senderIp: "0.0.0.0" as Ipv4Address,
      targetMac: NO_MAC,
      targetIp: address,
    }),
  });

function solicitation(mac: MacAddress, address: Ipv6Address): Uint8Array {
  const target = ipToBytes(address);
  const last = target.subarray(13);
  // RFC 4291 §2.7.1 and RFC 2464 §7.
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...last);
  const message = new ByteWriter(24).u8(NEIGHBOUR_SOLICITATION).u8(0).u16(0).u32(0).put(target);
  const pseudoHeader = new ByteWriter(40).zeros(16).put(group).u32(message.length).u32(ICMPV6);
  message.setU16(2, internetChecksum(pseudoHeader.done(), message.done()));
  return encodeEthernet({
    destination: macFromBytes(Uint8Array.of(0x33, 0x33, 0xff, ...last)),
    source: mac,
    etherType: ETHERTYPE_IPV6,
    payload: encodeIpv6({
      trafficClass: 0,
      flowLabel: 0,
      nextHeader: ICMPV6,
      hopLimit: 255,
      source: "::" as Ipv6Address,
      destination: ipv6FromBytes(group),
      payload: message.done(),
    }),
  });
}
