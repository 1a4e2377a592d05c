/** ARP for IPv4 over Ethernet (RFC 826), and the gratuitous request that announces an address (RFC 5227 §3). */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type Ipv4Address, ipToBytes, ipv4FromBytes } from "../base/ip.ts";
import { BROADCAST_MAC, type MacAddress, macFromBytes, macToBytes } from "../base/mac.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, encodeEthernet } from "./ethernet.ts";

const field = {
  hardwareType: 0,
  protocolType: 2,
  hardwareLength: 4,
  protocolLength: 5,
  operation: 6,
  senderMac: 8,
  senderIp: 14,
  targetMac: 18,
  targetIp: 24,
  end: 28,
} as const;

const HARDWARE_ETHERNET = 1;

export const ARP_REQUEST = 1;

export interface ArpPacket {
  /** 1 is a request, 2 a reply. */
  readonly operation: number;
  readonly senderMac: MacAddress;
  readonly senderIp: Ipv4Address;
  readonly targetMac: MacAddress;
  readonly targetIp: Ipv4Address;
}

/** `not-ipv4-over-ethernet`: other address families have other lengths and are not read. Padding is ignored. */
export function decodeArp(bytes: Uint8Array): Result<ArpPacket, "truncated" | "not-ipv4-over-ethernet"> {
  if (bytes.length < field.end) return fail("truncated");
  const head = new ByteReader(bytes);
  if (head.u16() !== HARDWARE_ETHERNET || head.u16() !== ETHERTYPE_IPV4 || head.u8() !== 6 || head.u8() !== 4) {
    return fail("not-ipv4-over-ethernet");
  }
  return ok({
    operation: head.u16(),
    senderMac: macFromBytes(bytes, field.senderMac),
    senderIp: ipv4FromBytes(bytes, field.senderIp),
    targetMac: macFromBytes(bytes, field.targetMac),
    targetIp: ipv4FromBytes(bytes, field.targetIp),
  });
}

export function encodeArp(packet: ArpPacket): Uint8Array {
  return new ByteWriter(field.end)
    .u16(HARDWARE_ETHERNET)
    .u16(ETHERTYPE_IPV4)
    .u8(6)
    .u8(4)
    .u16(packet.operation)
    .put(macToBytes(packet.senderMac))
    .put(ipToBytes(packet.senderIp))
    .put(macToBytes(packet.targetMac))
    .put(ipToBytes(packet.targetIp))
    .done();
}

/** The whole frame by which `mac` announces that it holds `address`: a broadcast request with sender = target. */
export function gratuitousArpFrame(mac: MacAddress, address: Ipv4Address): Uint8Array {
  return encodeEthernet({
    destination: BROADCAST_MAC,
    source: mac,
    etherType: ETHERTYPE_ARP,
    payload: encodeArp({
      operation: ARP_REQUEST,
      senderMac: mac,
      senderIp: address,
      targetMac: BROADCAST_MAC,
      targetIp: address,
    }),
  });
}
