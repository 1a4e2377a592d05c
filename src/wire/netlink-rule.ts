/** Routing policy rules over rtnetlink: RTM_NEWRULE, RTM_DELRULE and their dump. ip-rule(8), linux/fib_rules.h. */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type IpPrefix, ipToBytes } from "../base/ip.ts";
import {
  type Attribute,
  attributeText,
  attributeU32,
  buildAttributes,
  parseAttributes,
  textAttribute,
  u32Attribute,
} from "./netlink.ts";
import { ipFromBytes } from "./netlink-address.ts";

export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;
export const RTNLGRP_IPV4_RULE = 8;
export const RTNLGRP_IPV6_RULE = 19;

export const RT_TABLE_LOCAL = 255;
export const RTPROT_KERNEL = 2;

export const FR_ACT_TO_TABLE = 1;
export const FR_ACT_GOTO = 2;
export const FR_ACT_NOP = 3;
export const FR_ACT_BLACKHOLE = 6;
export const FR_ACT_UNREACHABLE = 7;
export const FR_ACT_PROHIBIT = 8;

const FIB_RULE_INVERT = 2;

const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_GOTO = 4;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_PROTOCOL = 21;

const ALL_BITS = 0xffff_ffff;

/** "Packets like this look into this table." What is missing says nothing about the packet. */
export interface RuleMessage {
  /** AF_INET 2, AF_INET6 10. */
  readonly family: number;
  /** The kernel chooses when it is missing. */
  readonly priority?: number | undefined;
  /** RT_TABLE_*; 0 when the action is another. */
  readonly table: number;
  readonly mark?: number | undefined;
  /** Bits of the mark that count; all when missing. */
  readonly mask?: number | undefined;
  /** RTPROT_*: who put it there. A removal without it takes any. */
  readonly protocol?: number | undefined;
  readonly from?: IpPrefix | undefined;
  readonly to?: IpPrefix | undefined;
  readonly incomingInterface?: string | undefined;
  readonly outgoingInterface?: string | undefined;
  readonly tos?: number | undefined;
  /** Packets that are not like this. */
  readonly not?: boolean | undefined;
  /** FR_ACT_*; a table when missing. */
  readonly action?: number | undefined;
  /** Of FR_ACT_GOTO: the preference where it goes on. */
  readonly goto?: number | undefined;
}

export function buildRule(rule: RuleMessage): Uint8Array {
  const { priority, table, mark, protocol, from, to } = rule;
  const attributes: Attribute[] = [];
  const number = (type: number, value: number | undefined) => {
    if (value !== undefined) attributes.push(u32Attribute(type, value));
  };
  const text = (type: number, value: string | undefined) => {
    if (value !== undefined) attributes.push(textAttribute(type, value));
  };
  number(FRA_PRIORITY, priority);
  number(FRA_TABLE, table);
  number(FRA_FWMARK, mark);
  number(FRA_FWMASK, mark === undefined ? undefined : (rule.mask ?? ALL_BITS));
  number(FRA_GOTO, rule.goto);
  if (from !== undefined && from.length > 0) attributes.push({ type: FRA_SRC, value: ipToBytes(from.address) });
  if (to !== undefined && to.length > 0) attributes.push({ type: FRA_DST, value: ipToBytes(to.address) });
  text(FRA_IIFNAME, rule.incomingInterface);
  text(FRA_OIFNAME, rule.outgoingInterface);
  if (protocol !== undefined) attributes.push({ type: FRA_PROTOCOL, value: Uint8Array.of(protocol) });
  return new ByteWriter()
    .u8(rule.family)
    .u8(to?.length ?? 0)
    .u8(from?.length ?? 0)
    .u8(rule.tos ?? 0)
    .u8(table < 256 ? table : 0)
    .zeros(2)
    .u8(rule.action ?? FR_ACT_TO_TABLE)
    .hostU32(rule.not === true ? FIB_RULE_INVERT : 0)
    .put(buildAttributes(attributes))
    .done();
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Attributes without a field here are passed over. Undefined when the payload is cut short. */
export function parseRule(payload: Uint8Array): RuleMessage | undefined {
  const reader = new ByteReader(payload);
  const family = reader.u8();
  const [toLength, fromLength, tos, shortTable] = [reader.u8(), reader.u8(), reader.u8(), reader.u8()];
  reader.take(2);
  const action = reader.u8();
  const flags = reader.hostU32();
  const attributes = reader.truncated ? undefined : parseAttributes(payload, reader.offset);
  if (attributes === undefined) return undefined;
  // The kernel leaves the preference 0 out.
  const rule: Writable<RuleMessage> = { family, priority: 0, table: shortTable, tos, action };
  rule.not = (flags & FIB_RULE_INVERT) !== 0;
  for (const { type, value } of attributes) {
    const ip = ipFromBytes(family, value);
    const number = attributeU32(value);
    if (type === FRA_SRC && ip !== undefined) rule.from = { address: ip, length: fromLength };
    if (type === FRA_DST && ip !== undefined) rule.to = { address: ip, length: toLength };
    if (type === FRA_IIFNAME) rule.incomingInterface = attributeText(value);
    if (type === FRA_OIFNAME) rule.outgoingInterface = attributeText(value);
    if (type === FRA_GOTO) rule.goto = number;
    if (type === FRA_PRIORITY) rule.priority = number ?? 0;
    if (type === FRA_FWMARK) rule.mark = number;
    if (type === FRA_FWMASK) rule.mask = number;
    if (type === FRA_TABLE) rule.table = number ?? shortTable;
    if (type === FRA_PROTOCOL && value.length === 1) rule.protocol = value[0];
  }
  return rule;
}

/** The payload of a dump request; family 0 asks for all. */
export const ruleDumpRequest = (family = 0): Uint8Array => new ByteWriter(12).u8(family).zeros(11).done();
