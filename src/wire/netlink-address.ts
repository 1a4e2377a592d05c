/** Addresses of interfaces over rtnetlink: RTM_NEWADDR, RTM_DELADDR and their dump. rtnetlink(7), linux/if_addr.h. */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type IpAddress, ipToBytes, ipv4FromBytes, ipv6FromBytes } from "../base/ip.ts";
import {
  type Attribute,
  attributeText,
  attributeU32,
  buildAttributes,
  parseAttributes,
  textAttribute,
  u32Attribute,
} from "./netlink.ts";

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV6_IFADDR = 9;

export const IFA_F_NODAD = 0x02;
export const IFA_F_DADFAILED = 0x08;
export const IFA_F_HOMEADDRESS = 0x10;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;
export const IFA_F_MANAGETEMPADDR = 0x100;
export const IFA_F_NOPREFIXROUTE = 0x200;
export const IFA_F_MCAUTOJOIN = 0x400;

const AF_INET = 2;
const AF_INET6 = 10;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_PROTO = 11;
/** As a lifetime in seconds: never ends. */
const INFINITY_LIFE_TIME = 0xffff_ffff;

/** Seconds, or never ending. */
export type Lifetime = number | "forever";

export interface AddressLifetimes {
  readonly valid: Lifetime;
  readonly preferred: Lifetime;
}

export interface AddressMessage {
  /** AF_INET 2 or AF_INET6 10; others stay representable, without addresses. */
  readonly family: number;
  readonly prefixLength: number;
  /** RT_SCOPE_*: 0 global, 200 site, 253 link, 254 host, 255 nowhere. */
  readonly scope: number;
  readonly interfaceIndex: number;
  /** IFA_F_*, all 32 bits. */
  readonly flags: number;
  /** IFA_LOCAL: the interface's own address. IPv6 mostly has `address` alone. */
  readonly local: IpAddress | undefined;
  /** IFA_ADDRESS: the same, or the other end of a point-to-point link. */
  readonly address: IpAddress | undefined;
  readonly label: string | undefined;
  readonly broadcast: IpAddress | undefined;
  readonly lifetimes: AddressLifetimes | undefined;
  /** IFA_PROTO, who put it there: rt_addrprotos. Kernel 5.18. */
  readonly protocol: number | undefined;
  readonly otherAttributes: readonly Attribute[];
}

/** Undefined when the payload is cut short. */
export function parseAddress(payload: Uint8Array): AddressMessage | undefined {
  const reader = new ByteReader(payload);
  const family = reader.u8();
  const prefixLength = reader.u8();
  const flags = reader.u8();
  const scope = reader.u8();
  const interfaceIndex = reader.hostU32();
  const attributes = reader.truncated ? undefined : parseAttributes(payload, reader.offset);
  if (attributes === undefined) return undefined;
  const message: Writable<AddressMessage> = {
    ...{ family, prefixLength, scope, interfaceIndex, flags },
    ...{ local: undefined, address: undefined, label: undefined, broadcast: undefined },
    ...{ lifetimes: undefined, protocol: undefined, otherAttributes: [] },
  };
  message.otherAttributes = attributes.filter((attribute) => !takeAttribute(message, attribute));
  return message;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** False for an attribute without a field, or with a length that the field cannot have. */
function takeAttribute(message: Writable<AddressMessage>, { type, value }: Attribute): boolean {
  const ip = ipFromBytes(message.family, value);
  switch (type) {
    case IFA_ADDRESS:
      message.address = ip;
      return ip !== undefined;
    case IFA_LOCAL:
      message.local = ip;
      return ip !== undefined;
    case IFA_BROADCAST:
      message.broadcast = ip;
      return ip !== undefined;
    case IFA_LABEL:
      message.label = attributeText(value);
      return true;
    case IFA_FLAGS:
      message.flags = attributeU32(value) ?? message.flags;
      return value.length === 4;
    case IFA_PROTO:
      message.protocol = value.length === 1 ? value[0] : undefined;
      return value.length === 1;
    case IFA_CACHEINFO:
      if (value.length < 8) return false;
      message.lifetimes = lifetimesFromBytes(value);
      return true;
    default:
      return false;
  }
}

export function ipFromBytes(family: number, value: Uint8Array): IpAddress | undefined {
  if (family === AF_INET && value.length === 4) return ipv4FromBytes(value);
  if (family === AF_INET6 && value.length === 16) return ipv6FromBytes(value);
  return undefined;
}

/** struct ifa_cacheinfo: preferred, valid, then two time stamps that say nothing here. */
function lifetimesFromBytes(value: Uint8Array): AddressLifetimes {
  const reader = new ByteReader(value);
  const lifetime = (seconds: number): Lifetime => (seconds === INFINITY_LIFE_TIME ? "forever" : seconds);
  const preferred = lifetime(reader.hostU32());
  return { preferred, valid: lifetime(reader.hostU32()) };
}

export function buildAddress(message: AddressMessage): Uint8Array {
  const attributes: Attribute[] = [];
  const ip = (type: number, address: IpAddress | undefined) => {
    if (address !== undefined) attributes.push({ type, value: ipToBytes(address) });
  };
  ip(IFA_ADDRESS, message.address);
  ip(IFA_LOCAL, message.local);
  ip(IFA_BROADCAST, message.broadcast);
  if (message.label !== undefined) attributes.push(textAttribute(IFA_LABEL, message.label));
  attributes.push(u32Attribute(IFA_FLAGS, message.flags));
  if (message.lifetimes !== undefined) {
    const seconds = (lifetime: Lifetime) => (lifetime === "forever" ? INFINITY_LIFE_TIME : lifetime);
    const { preferred, valid } = message.lifetimes;
    const value = new ByteWriter(16).hostU32(seconds(preferred)).hostU32(seconds(valid)).zeros(8).done();
    attributes.push({ type: IFA_CACHEINFO, value });
  }
  if (message.protocol !== undefined) attributes.push({ type: IFA_PROTO, value: Uint8Array.of(message.protocol) });
  return new ByteWriter(96)
    .u8(message.family)
    .u8(message.prefixLength)
    .u8(message.flags & 0xff)
    .u8(message.scope)
    .hostU32(message.interfaceIndex)
    .put(buildAttributes([...attributes, ...message.otherAttributes]))
    .done();
}

/** The payload of a dump request; family 0 asks for all. */
export const addressDumpRequest = (family = 0): Uint8Array => Uint8Array.of(family, 0, 0, 0, 0, 0, 0, 0);
