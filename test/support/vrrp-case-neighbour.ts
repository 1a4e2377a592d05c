/** The neighbours of a case of test/conformance/vrrp: the packets of which its timeline speaks. */

import { seconds } from "../../src/base/time.ts";
import type { VrrpConfiguration, VrrpInstance } from "../../src/config/model/vrrp.ts";
import { advertPacket } from "../../src/vrrp/advert.ts";
import type { Stimulus } from "./vrrp-cases.ts";
import { addressOf, vip } from "./vrrp-configuration.ts";

export interface Said {
  /** The router's instance after which the neighbour is made. */
  readonly instance: VrrpInstance;
  /** A whole IP packet. */
  readonly packet: Uint8Array;
}

/** An advert of a neighbour that is configured as the router is, but for what the timeline says. */
export function packetOf(configuration: VrrpConfiguration, { priority, from, changes }: Stimulus): Said {
  const { instances } = configuration;
  const mine = instances.find(({ name }) => name === (changes.get("instance") ?? instances[0]?.name));
  if (mine === undefined) throw new Error(`no instance ${changes.get("instance")}`);
  let theirs: VrrpInstance = mine;
  const own = mine.family === "ipv4" ? "10.9.0.1" : "fe80::1";
  let to = mine.unicastPeers === undefined ? mine.multicastGroup : addressOf(own);
  let change = (packet: Uint8Array): Uint8Array => packet;
  const header = mine.family === "ipv4" ? 20 : 40;
  for (const [key, value] of changes) {
    switch (key) {
      case "instance":
        break;
      case "vrid":
        theirs = { ...theirs, virtualRouterId: Number(value) };
        break;
      case "version":
        theirs = { ...theirs, version: value === "2" ? 2 : 3 };
        break;
      case "interval":
        theirs = { ...theirs, advertInterval: seconds(Number(value)) };
        break;
      case "auth":
        theirs = { ...theirs, authPass: value === "none" ? undefined : value };
        break;
      case "vips":
        theirs = { ...theirs, virtualAddresses: value === "" ? [] : value.split(",").map((text) => vip(text)) };
        break;
      case "ttl":
        theirs = { ...theirs, unicastPeers: [], unicastTtl: Number(value) };
        break;
      case "to":
        to = addressOf(value);
        break;
      case "checksum":
        if (value === "plain") theirs = { ...theirs, checksumWithoutPseudoHeader: true };
        else if (value === "pseudo") theirs = { ...theirs, checksumWithoutPseudoHeader: false };
        // The reserved bits or the authentication type: what the checksum covers and nobody reads first.
        else change = (packet) => packet.with(packet.length - 1, (packet.at(-1) ?? 0) ^ 1);
        break;
      case "type":
        change = (packet) => withVrrp(packet, header, 0, (theirs.version << 4) | Number(value));
        break;
      case "authtype":
        change = (packet) => withVrrp(packet, header, 4, Number(value));
        break;
      case "cut":
        change = (packet) => resized(packet, header, -Number(value));
        break;
      case "pad":
        change = (packet) => resized(packet, header, Number(value));
        break;
      default:
        throw new Error(`no such change of an advert: ${key}`);
    }
  }
  const packet = change(
    advertPacket(theirs, priority, { source: addressOf(from), destination: to, identification: 1 }),
  );
  return { instance: mine, packet };
}

/** One byte of the advert changed, and the checksum with it: RFC 1624 for a byte at an even place or an odd one. */
function withVrrp(packet: Uint8Array, header: number, at: number, value: number): Uint8Array {
  const weight = at % 2 === 0 ? 256 : 1;
  const before = packet[header + at] ?? 0;
  const was = ((packet[header + 6] ?? 0) << 8) | (packet[header + 7] ?? 0);
  const sum = (~was & 0xffff) + (~(before * weight) & 0xffff) + value * weight;
  const folded = (sum & 0xffff) + (sum >>> 16);
  const checksum = ~((folded & 0xffff) + (folded >>> 16)) & 0xffff;
  return packet
    .with(header + at, value)
    .with(header + 6, checksum >> 8)
    .with(header + 7, checksum & 0xff);
}

/** Bytes fewer or more at the end, which the IP header knows of. */
function resized(packet: Uint8Array, header: number, by: number): Uint8Array {
  const next = new Uint8Array(packet.length + by);
  next.set(packet.subarray(0, next.length));
  const view = new DataView(next.buffer);
  if (header === 40) {
    view.setUint16(4, next.length - header);
    return next;
  }
  view.setUint16(2, next.length);
  view.setUint16(10, 0);
  let sum = 0;
  for (let at = 0; at < header; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(10, ~sum & 0xffff);
  return next;
}
