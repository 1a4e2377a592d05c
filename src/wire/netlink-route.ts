/** Routes over rtnetlink: RTM_NEWROUTE, RTM_DELROUTE and their dump. rtnetlink(7), linux/rtnetlink.h. */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type IpAddress, ipToBytes } from "../base/ip.ts";
import { type Attribute, attributeU32, buildAttributes, parseAttributes, u32Attribute } from "./netlink.ts";
import { ipFromBytes } from "./netlink-address.ts";

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

export const RT_TABLE_MAIN = 254;
export const RTPROT_STATIC = 4;
export const RT_SCOPE_UNIVERSE = 0;
export const RTN_UNICAST = 1;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;

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
  readonly gateway: IpAddress | undefined;
  readonly preferredSource: IpAddress | undefined;
  readonly interfaceIndex: number | undefined;
  /** The metric. */
  readonly priority: number | undefined;
  readonly otherAttributes: readonly Attribute[];
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
  ip(RTA_GATEWAY, route.gateway);
  ip(RTA_PREFSRC, route.preferredSource);
  attributes.push(u32Attribute(RTA_TABLE, route.table));
  if (route.interfaceIndex !== undefined) attributes.push(u32Attribute(RTA_OIF, route.interfaceIndex));
  if (route.priority !== undefined) attributes.push(u32Attribute(RTA_PRIORITY, route.priority));
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

/** The payload of a dump request; family 0 asks for all. */
export const routeDumpRequest = (family = 0): Uint8Array => new ByteWriter(12).u8(family).zeros(11).done();
