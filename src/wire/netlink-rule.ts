/** Routing policy rules over rtnetlink: RTM_NEWRULE, RTM_DELRULE. ip-rule(8), linux/fib_rules.h. Only built, not parsed. */

import { ByteWriter } from "../base/bytes.ts";
import { buildAttributes, u32Attribute } from "./netlink.ts";

export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;

export const RT_TABLE_LOCAL = 255;
export const RTPROT_KERNEL = 2;

const FR_ACT_TO_TABLE = 1;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_PROTOCOL = 21;

/** "Packets with this mark look into this table." */
export interface RuleMessage {
  /** AF_INET 2, AF_INET6 10. */
  readonly family: number;
  readonly priority: number;
  readonly table: number;
  /** All packets when missing. */
  readonly mark?: number | undefined;
  /** RTPROT_*: who put it there. A removal without it takes any. */
  readonly protocol?: number | undefined;
}

export function buildRule({ family, priority, table, mark, protocol }: RuleMessage): Uint8Array {
  const marked = mark === undefined ? [] : [u32Attribute(FRA_FWMARK, mark), u32Attribute(FRA_FWMASK, 0xffff_ffff)];
  const by = protocol === undefined ? [] : [{ type: FRA_PROTOCOL, value: Uint8Array.of(protocol) }];
  return new ByteWriter()
    .u8(family)
    .zeros(3)
    .u8(table < 256 ? table : 0)
    .zeros(2)
    .u8(FR_ACT_TO_TABLE)
    .hostU32(0)
    .put(buildAttributes([u32Attribute(FRA_PRIORITY, priority), u32Attribute(FRA_TABLE, table), ...marked, ...by]))
    .done();
}
