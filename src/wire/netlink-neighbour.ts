/** The neighbour tables (ARP, ND) over rtnetlink: RTM_NEWNEIGH, RTM_DELNEIGH and their dump. linux/neighbour.h. */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type IpAddress, ipToBytes } from "../base/ip.ts";
import { type MacAddress, macFromBytes, macToBytes } from "../base/mac.ts";
import { type Attribute, buildAttributes, parseAttributes } from "./netlink.ts";
import { ipFromBytes } from "./netlink-address.ts";

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
export const RTNLGRP_NEIGH = 3;

const NDA_DST = 1;
const NDA_LLADDR = 2;

export interface NeighbourMessage {
  /** AF_INET 2, AF_INET6 10, or AF_BRIDGE 7 for a forwarding entry. */
  readonly family: number;
  readonly interfaceIndex: number;
  /** NUD_*: 2 reachable, 4 stale, 0x20 failed, 0x80 permanent. */
  readonly state: number;
  /** NTF_*. */
  readonly flags: number;
  /** RTN_*: 1 unicast. */
  readonly type: number;
  readonly address: IpAddress | undefined;
  readonly mac: MacAddress | undefined;
  readonly otherAttributes: readonly Attribute[];
}

/** Undefined when the payload is cut short. */
export function parseNeighbour(payload: Uint8Array): NeighbourMessage | undefined {
  const reader = new ByteReader(payload);
  const family = reader.u8();
  reader.take(3);
  const interfaceIndex = reader.hostI32();
  const state = reader.hostU16();
  const flags = reader.u8();
  const type = reader.u8();
  const attributes = reader.truncated ? undefined : parseAttributes(payload, reader.offset);
  if (attributes === undefined) return undefined;
  let address: IpAddress | undefined;
  let mac: MacAddress | undefined;
  const otherAttributes: Attribute[] = [];
  for (const attribute of attributes) {
    const ip = ipFromBytes(family, attribute.value);
    if (attribute.type === NDA_DST && ip !== undefined) address = ip;
    else if (attribute.type === NDA_LLADDR && attribute.value.length === 6) mac = macFromBytes(attribute.value);
    else otherAttributes.push(attribute);
  }
  return { family, interfaceIndex, state, flags, type, address, mac, otherAttributes };
}

export function buildNeighbour(neighbour: NeighbourMessage): Uint8Array {
  const { address, mac } = neighbour;
  const attributes: Attribute[] = [];
  if (address !== undefined) attributes.push({ type: NDA_DST, value: ipToBytes(address) });
  if (mac !== undefined) attributes.push({ type: NDA_LLADDR, value: macToBytes(mac) });
  return new ByteWriter()
    .u8(neighbour.family)
    .zeros(3)
    .hostU32(neighbour.interfaceIndex >>> 0)
    .hostU16(neighbour.state)
    .u8(neighbour.flags)
    .u8(neighbour.type)
    .put(buildAttributes([...attributes, ...neighbour.otherAttributes]))
    .done();
}

/** The payload of a dump request; family 0 asks for all. */
export const neighbourDumpRequest = (family = 0): Uint8Array => new ByteWriter(12).u8(family).zeros(11).done();
