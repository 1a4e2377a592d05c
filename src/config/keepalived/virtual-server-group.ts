/**
 * `virtual_server_group NAME { … }`: addresses, ranges and firewall marks that virtual servers share (keepalived.conf(5)).
 *
 * Ranges are written out here, up to a number that no group needs.
 */

import { type IpAddress, ipToBytes, ipv4FromBytes, ipv6FromBytes, isIpv4, parseIp } from "../../base/ip.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import { integer } from "./values.ts";

/** Addresses of one group, ranges written out. */
export const MAX_GROUP_ADDRESSES = 4_096;
export const GREATEST_MARK = 4_294_967_295;

export type GroupMember =
  | { readonly kind: "address"; readonly address: IpAddress; readonly port: number }
  | { readonly kind: "mark"; readonly mark: number; readonly family: 4 | 6 | undefined };

export interface ServerGroup {
  readonly name: string;
  /** In file order, each once. */
  readonly members: readonly GroupMember[];
  readonly families: ReadonlySet<4 | 6>;
}

/** Undefined when nothing of it can be used. */
export function readServerGroup(statement: Statement, name: Word, report: Report): ServerGroup | undefined {
  const members = new Map<string, GroupMember>();
  for (const line of statement.block ?? []) {
    for (const member of membersOf(line, name, report)) {
      const key = JSON.stringify(member);
      if (members.has(key)) continue;
      if (members.size >= MAX_GROUP_ADDRESSES) {
        const message = `virtual server group ${quote(name.text)} has more than ${MAX_GROUP_ADDRESSES} addresses`;
        report.error("keepalived/group-limit", line.keyword, message, "Use a firewall mark instead: fwmark N");
        return undefined;
      }
      members.set(key, member);
    }
  }
  const all = [...members.values()];
  const families = new Set(all.map(familyOf).filter((family) => family !== undefined));
  if (all.length === 0) {
    const message = `virtual server group ${quote(name.text)} has no entries - removing`;
    report.warning("keepalived/empty-group", name, message, "List IP PORT, ranges or fwmark N, one a line");
    return undefined;
  }
  if (families.size > 1 && all.some((member) => familyOf(member) === undefined)) {
    const message = `virtual server group ${quote(name.text)} cannot have IPv4, IPv6 and fwmark without family - removing`;
    report.warning("keepalived/mixed-families", name, message, "Write fwmark N inet or fwmark N inet6");
    return undefined;
  }
  return { name: name.text, members: all, families };
}

const familyOf = (member: GroupMember): 4 | 6 | undefined =>
  member.kind === "mark" ? member.family : isIpv4(member.address) ? 4 : 6;

function membersOf({ keyword, words: [second, third] }: Statement, group: Word, report: Report): GroupMember[] {
  if (keyword.text === "fwmark") return markOf(keyword, second, third, group, report);
  const port = second === undefined ? 0 : integer(second, 0, 65_535, report);
  const range = rangeOf(keyword, report);
  if (range === undefined || port === undefined) return [];
  const [first, count] = range;
  if (count > MAX_GROUP_ADDRESSES) {
    const message = `${quote(keyword.text)} stands for more than ${MAX_GROUP_ADDRESSES} addresses - skipping`;
    report.error("keepalived/group-limit", keyword, message, "Use a firewall mark instead: fwmark N");
    return [];
  }
  return Array.from({ length: count }, (_, index) => ({ kind: "address", address: plus(first, index), port }) as const);
}

function markOf(keyword: Word, number: Word | undefined, family: Word | undefined, group: Word, report: Report) {
  if (number === undefined) {
    report.warning("keepalived/missing-value", keyword, "fwmark without a number - ignoring", "Write fwmark N");
    return [];
  }
  const mark = integer(number, 1, GREATEST_MARK, report);
  if (mark === undefined) return [];
  if (family === undefined) return [{ kind: "mark", mark, family: undefined } as const];
  if (family.text === "inet" || family.text === "inet6")
    return [{ kind: "mark", mark, family: family.text === "inet" ? 4 : 6 } as const];
  const message = `(${group.text}): fwmark ${quote(number.text)} family ${quote(family.text)} unknown - ignoring`;
  report.warning("keepalived/unknown-option", family, message, "Write inet or inet6");
  return [];
}

/** The first address and how many; a count past `MAX_GROUP_ADDRESSES` may be any greater number. */
function rangeOf(word: Word, report: Report): readonly [IpAddress, number] | undefined {
  const [, head = "", sign, tail = ""] = /^([^-/]*)(?:([-/])(.*))?$/.exec(word.text) ?? [];
  const address = parseIp(head);
  const bad = (problem: string): undefined => {
    const help = "Write ADDRESS, ADDRESS-LAST, ADDRESS-ADDRESS or ADDRESS/LENGTH, then the port";
    report.warning("keepalived/bad-range", word, problem, help);
  };
  if (address === undefined) return bad(`Invalid virtual server group IP address ${quote(word.text)} - skipping`);
  if (sign === undefined) return [address, 1];
  if (sign === "/") return networkOf(address, tail, word, bad);
  const last = lastOf(address, tail);
  if (last === undefined) return bad(`Virtual server group range ${quote(word.text)} has no possible end - skipping`);
  const count = last - numberOf(address) + 1n;
  if (count < 2n)
    return bad(`Address range end is not greater than address range start - ${quote(word.text)} - skipping`);
  return [address, Number(count)];
}

function networkOf(address: IpAddress, length: string, word: Word, bad: (problem: string) => undefined) {
  const longest = isIpv4(address) ? 32 : 128;
  if (!/^[0-9]{1,3}$/.test(length) || Number(length) > longest || Number(length) === 0)
    return bad(`Invalid netmask - ${quote(word.text)} - skipping`);
  const count = 2n ** BigInt(longest - Number(length));
  if (numberOf(address) % count !== 0n) return bad(`Address mask bits not empty - ${quote(word.text)} - skipping`);
  return [address, Number(count)] as const;
}

/** `10` replaces the last byte of an IPv4 address, `ff` the last word of an IPv6 one. */
function lastOf(first: IpAddress, text: string): bigint | undefined {
  const whole = parseIp(text);
  if (whole !== undefined) return isIpv4(whole) === isIpv4(first) ? numberOf(whole) : undefined;
  const [digits, radix, size] = isIpv4(first) ? [/^[0-9]{1,3}$/, 10, 256n] : [/^[0-9A-Fa-f]{1,4}$/, 16, 65_536n];
  if (!digits.test(text)) return undefined;
  const last = BigInt(Number.parseInt(text, radix as number));
  const start = numberOf(first);
  return last < size ? start - (start % size) + last : undefined;
}

const numberOf = (address: IpAddress): bigint =>
  ipToBytes(address).reduce((value, byte) => value * 256n + BigInt(byte), 0n);

function plus(address: IpAddress, count: number): IpAddress {
  const bytes = ipToBytes(address);
  let carry = count;
  for (let at = bytes.length - 1; at >= 0 && carry > 0; at--) {
    carry += bytes[at] ?? 0;
    bytes[at] = carry & 0xff;
    carry = Math.floor(carry / 256);
  }
  return isIpv4(address) ? ipv4FromBytes(bytes) : ipv6FromBytes(bytes);
}
