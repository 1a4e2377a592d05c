/** Network interfaces over rtnetlink: RTM_NEWLINK, RTM_DELLINK and their dump. rtnetlink(7), linux/if_link.h. */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type MacAddress, macFromBytes, macToBytes } from "../base/mac.ts";
import {
  type Attribute,
  attributeText,
  attributeU32,
  buildAttributes,
  parseAttributes,
  textAttribute,
  u32Attribute,
} from "./netlink.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTNLGRP_LINK = 1;

export const IFF_UP = 0x1;
/** Operational: up or unknown in the sense of RFC 2863. */
export const IFF_RUNNING = 0x40;
/** The carrier is there. */
export const IFF_LOWER_UP = 0x10000;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_GROUP = 27;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_MACVLAN_MODE = 1;
const MACVLAN_MODE_PRIVATE = 1;

export interface LinkMessage {
  /** AF_UNSPEC; AF_BRIDGE (7) when a bridge reports a port, which is not news of the interface itself. */
  readonly family: number;
  /** ARPHRD_*: 1 Ethernet, 772 loopback. */
  readonly hardwareType: number;
  readonly index: number;
  /** IFF_*. */
  readonly flags: number;
  readonly changeMask: number;
  readonly name: string | undefined;
  /** Undefined also when it has not six bytes. */
  readonly mac: MacAddress | undefined;
  readonly mtu: number | undefined;
  /** The interface that it lies on (macvlan, VLAN) or its peer (veth). */
  readonly lowerIndex: number | undefined;
  /** Of the bridge or bond that it belongs to. */
  readonly masterIndex: number | undefined;
  /** RFC 2863: 0 unknown, 2 down, 3 lower layer down, 6 up. */
  readonly operationalState: number | undefined;
  readonly otherAttributes: readonly Attribute[];
}

/** Undefined when the payload is cut short. */
export function parseLink(payload: Uint8Array): LinkMessage | undefined {
  const reader = new ByteReader(payload);
  const family = reader.u8();
  reader.u8();
  const hardwareType = reader.hostU16();
  const index = reader.hostI32();
  const flags = reader.hostU32();
  const changeMask = reader.hostU32();
  const attributes = reader.truncated ? undefined : parseAttributes(payload, reader.offset);
  if (attributes === undefined) return undefined;
  const link: Writable<LinkMessage> = {
    ...{ family, hardwareType, index, flags, changeMask },
    ...{ name: undefined, mac: undefined, mtu: undefined, lowerIndex: undefined, masterIndex: undefined },
    ...{ operationalState: undefined, otherAttributes: [] },
  };
  link.otherAttributes = attributes.filter((attribute) => !takeAttribute(link, attribute));
  return link;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** False for an attribute without a field, or with a length that the field cannot have. */
function takeAttribute(link: Writable<LinkMessage>, { type, value }: Attribute): boolean {
  switch (type) {
    case IFLA_IFNAME:
      link.name = attributeText(value);
      return true;
    case IFLA_ADDRESS:
      if (value.length === 6) link.mac = macFromBytes(value);
      return value.length === 6;
    case IFLA_MTU:
      link.mtu = attributeU32(value);
      return value.length === 4;
    case IFLA_LINK:
      link.lowerIndex = attributeU32(value);
      return value.length === 4;
    case IFLA_MASTER:
      link.masterIndex = attributeU32(value);
      return value.length === 4;
    case IFLA_OPERSTATE:
      if (value.length === 1) link.operationalState = value[0];
      return value.length === 1;
    default:
      return false;
  }
}

export function buildLink(link: LinkMessage): Uint8Array {
  const attributes: Attribute[] = [];
  if (link.mac !== undefined) attributes.push({ type: IFLA_ADDRESS, value: macToBytes(link.mac) });
  if (link.name !== undefined) attributes.push(textAttribute(IFLA_IFNAME, link.name));
  if (link.mtu !== undefined) attributes.push(u32Attribute(IFLA_MTU, link.mtu));
  if (link.lowerIndex !== undefined) attributes.push(u32Attribute(IFLA_LINK, link.lowerIndex));
  if (link.masterIndex !== undefined) attributes.push(u32Attribute(IFLA_MASTER, link.masterIndex));
  if (link.operationalState !== undefined) {
    attributes.push({ type: IFLA_OPERSTATE, value: Uint8Array.of(link.operationalState) });
  }
  return new ByteWriter(128)
    .u8(link.family)
    .u8(0)
    .hostU16(link.hardwareType)
    .hostU32(link.index >>> 0)
    .hostU32(link.flags)
    .hostU32(link.changeMask)
    .put(buildAttributes([...attributes, ...link.otherAttributes]))
    .done();
}

/** The payload of a dump request. */
export const linkDumpRequest = (): Uint8Array => new Uint8Array(16);

/** `alias`: a remark that `ip link` shows (IFLA_IFALIAS); `kind`: "macvlan", "veth" (IFLA_INFO_KIND). */
export function linkOrigin(link: LinkMessage): {
  readonly alias: string | undefined;
  readonly kind: string | undefined;
} {
  const found = (attributes: readonly Attribute[], type: number) =>
    attributes.find((attribute) => attribute.type === type)?.value;
  const alias = found(link.otherAttributes, IFLA_IFALIAS);
  const kind = found(
    parseAttributes(found(link.otherAttributes, IFLA_LINKINFO) ?? new Uint8Array(0)) ?? [],
    IFLA_INFO_KIND,
  );
  return {
    alias: alias === undefined ? undefined : attributeText(alias),
    kind: kind === undefined ? undefined : attributeText(kind),
  };
}

/** What makes a new link a macvlan in private mode (ip-link(8)). */
export function macvlanAttributes(): readonly Attribute[] {
  const data = buildAttributes([u32Attribute(IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE)]);
  const information = [textAttribute(IFLA_INFO_KIND, "macvlan"), { type: IFLA_INFO_DATA, value: data }];
  return [{ type: IFLA_LINKINFO, value: buildAttributes(information) }];
}

/** A number that links can be removed by together. */
export const groupAttribute = (group: number): Attribute => u32Attribute(IFLA_GROUP, group);

/** A remark on a link that is there; the kernel takes none with a new one. */
export const aliasAttribute = (alias: string): Attribute => textAttribute(IFLA_IFALIAS, alias);
