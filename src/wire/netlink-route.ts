/** Routes over rtnetlink: RTM_NEWROUTE, RTM_DELROUTE and their dump. rtnetlink(7), linux/rtnetlink.h. */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type IpAddress, ipToBytes, isIpv4 } from "../base/ip.ts";
import { type Attribute, attributeU32, buildAttributes, parseAttributes, u32Attribute } from "./netlink.ts";
import { ipFromBytes } from "./netlink-address.ts";

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

export const RT_TABLE_MAIN = 254;
export const RTPROT_STATIC = 4;
export const RT_SCOPE_UNIVERSE = 0;
export const RTN_UNICAST = 1;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV6_ROUTE = 11;
/** The gateway is taken to be on the link, whatever the routes say. */
export const RTNH_F_ONLINK = 4;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;

const RTAX_MTU = 2;

export interface RouteMessage {
  readonly family: number;
  readonly destinationLength: number;
  readonly sourceLength: number;
  readonly tos: number;
  /** RT_TABLE_*, all 32 bits. */
  readonly table: number;
  /** RTPROT_*: who put it there. */
  readonly protocol: number;
  /** RT_SCOPE_*. */
  readonly scope: number;
  /** RTN_*. */
  readonly type: number;
  /** RTM_F_* and RTNH_F_*. */
  readonly flags: number;
  /** Undefined for the default route. */
  readonly destination: IpAddress | undefined;
  /** Of either family: IPv4 routes may have an IPv6 gateway (RTA_VIA). */
  readonly gateway: IpAddress | undefined;
  readonly preferredSource: IpAddress | undefined;
  readonly interfaceIndex: number | undefined;
  /** The metric. */
  readonly priority: number | undefined;
  /** Bytes. */
  readonly mtu?: number | undefined;
  /** Of a route over several ways; then there is no gateway and no interface. */
  readonly nextHops?: readonly NextHop[] | undefined;
  readonly otherAttributes: readonly Attribute[];
}

export interface NextHop {
  readonly gateway: IpAddress | undefined;
  /** 0 when the kernel is to find it. */
  readonly interfaceIndex: number;
  /** 1..256. */
  readonly weight: number;
  /** RTNH_F_*. */
  readonly flags: number;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Undefined when the payload is cut short. */
export function parseRoute(payload: Uint8Array): RouteMessage | undefined {
  const reader = new ByteReader(payload);
  const route: Writable<RouteMessage> = {
    family: reader.u8(),
    destinationLength: reader.u8(),
    sourceLength: reader.u8(),
    tos: reader.u8(),
    table: reader.u8(),
    protocol: reader.u8(),
    scope: reader.u8(),
    type: reader.u8(),
    flags: reader.hostU32(),
    ...{ destination: undefined, gateway: undefined, preferredSource: undefined },
    ...{ interfaceIndex: undefined, priority: undefined, otherAttributes: [] },
  };
  const attributes = reader.truncated ? undefined : parseAttributes(payload, reader.offset);
  if (attributes === undefined) return undefined;
  route.otherAttributes = attributes.filter((attribute) => !takeAttribute(route, attribute));
  return route;
}

/** False for an attribute without a field, or with a length that the field cannot have. */
function takeAttribute(route: Writable<RouteMessage>, { type, value }: Attribute): boolean {
  const ip = ipFromBytes(route.family, value);
  const number = attributeU32(value);
  switch (type) {
    case RTA_DST:
      route.destination = ip;
      return ip !== undefined;
    case RTA_GATEWAY:
      route.gateway = ip;
      return ip !== undefined;
    case RTA_VIA:
      route.gateway = viaFromBytes(value);
      return route.gateway !== undefined;
    case RTA_METRICS: {
      const [only, ...others] = parseAttributes(value) ?? [];
      const mtu = only?.type === RTAX_MTU && others.length === 0 ? attributeU32(only.value) : undefined;
      if (mtu !== undefined) route.mtu = mtu;
      return mtu !== undefined;
    }
    case RTA_MULTIPATH: {
      const hops = hopsFromBytes(route.family, value);
      if (hops !== undefined) route.nextHops = hops;
      return hops !== undefined;
    }
    case RTA_PREFSRC:
      route.preferredSource = ip;
      return ip !== undefined;
    case RTA_OIF:
      route.interfaceIndex = number;
      return number !== undefined;
    case RTA_PRIORITY:
      route.priority = number;
      return number !== undefined;
    case RTA_TABLE:
      route.table = number ?? route.table;
      return number !== undefined;
    default:
      return false;
  }
}

export function buildRoute(route: RouteMessage): Uint8Array {
  const attributes: Attribute[] = [];
  const ip = (type: number, address: IpAddress | undefined) => {
    if (address !== undefined) attributes.push({ type, value: ipToBytes(address) });
  };
  ip(RTA_DST, route.destination);
  if (route.gateway !== undefined) attributes.push(gatewayAttribute(route.family, route.gateway));
  ip(RTA_PREFSRC, route.preferredSource);
  attributes.push(u32Attribute(RTA_TABLE, route.table));
  if (route.interfaceIndex !== undefined) attributes.push(u32Attribute(RTA_OIF, route.interfaceIndex));
  if (route.priority !== undefined) attributes.push(u32Attribute(RTA_PRIORITY, route.priority));
  if (route.mtu !== undefined) {
    attributes.push({ type: RTA_METRICS, value: buildAttributes([u32Attribute(RTAX_MTU, route.mtu)]) });
  }
  if (route.nextHops !== undefined) {
    attributes.push({ type: RTA_MULTIPATH, value: hopsToBytes(route.family, route.nextHops) });
  }
  return new ByteWriter()
    .u8(route.family)
    .u8(route.destinationLength)
    .u8(route.sourceLength)
    .u8(route.tos)
    .u8(route.table & 0xff)
    .u8(route.protocol)
    .u8(route.scope)
    .u8(route.type)
    .hostU32(route.flags)
    .put(buildAttributes([...attributes, ...route.otherAttributes]))
    .done();
}

const familyOf = (address: IpAddress): number => (isIpv4(address) ? 2 : 10);

const gatewayAttribute = (family: number, gateway: IpAddress): Attribute =>
  familyOf(gateway) === family
    ? { type: RTA_GATEWAY, value: ipToBytes(gateway) }
    : { type: RTA_VIA, value: new ByteWriter(18).hostU16(familyOf(gateway)).put(ipToBytes(gateway)).done() };

/** struct rtvia. */
const viaFromBytes = (value: Uint8Array): IpAddress | undefined =>
  ipFromBytes(new ByteReader(value).hostU16(), value.subarray(2));

const HOP_BYTES = 8;

/** struct rtnexthop, each with its attributes; undefined when one is cut short. */
function hopsFromBytes(family: number, bytes: Uint8Array): NextHop[] | undefined {
  const hops: NextHop[] = [];
  for (let at = 0; at < bytes.length; ) {
    const reader = new ByteReader(bytes, at);
    const length = reader.hostU16();
    const flags = reader.u8();
    const weight = reader.u8() + 1;
    const interfaceIndex = reader.hostU32();
    if (reader.truncated || length < HOP_BYTES || length > bytes.length - at) return undefined;
    const attributes = parseAttributes(bytes.subarray(at, at + length), HOP_BYTES);
    if (attributes === undefined) return undefined;
    let gateway: IpAddress | undefined;
    for (const { type, value } of attributes) {
      if (type === RTA_GATEWAY) gateway = ipFromBytes(family, value);
      if (type === RTA_VIA) gateway = viaFromBytes(value);
    }
    hops.push({ gateway, interfaceIndex, weight, flags });
    at += (length + 3) & ~3;
  }
  return hops;
}

function hopsToBytes(family: number, hops: readonly NextHop[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { gateway, interfaceIndex, weight, flags } of hops) {
    const attributes = gateway === undefined ? new Uint8Array(0) : buildAttributes([gatewayAttribute(family, gateway)]);
    writer
      .hostU16(HOP_BYTES + attributes.length)
      .u8(flags)
      .u8(weight - 1)
      .hostU32(interfaceIndex)
      .put(attributes);
  }
  return writer.done();
}

/** The payload of a dump request; family 0 asks for all. */
export const routeDumpRequest = (family = 0): Uint8Array => new ByteWriter(12).u8(family).zeros(11).done();
