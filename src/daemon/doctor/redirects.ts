/**
 * NAT rules that turn packets for an address into packets for this host (S1: `-j REDIRECT`), out of what `nft -j list ruleset`
 * and `iptables-save -t nat` print. Pure; what it does not understand is no redirect.
 */

import { parseIpPrefix } from "../../base/ip.ts";
import type { Redirect } from "./facts.ts";

/** iptables-save(8), also ip6tables-save. */
export function parseIptablesSave(text: string): Redirect[] {
  return text.split("\n").flatMap((line) => {
    if (!/^-A \S+ /.test(line) || !/ -j REDIRECT( |$)/.test(line)) return [];
    const destination = / (! )?(?:-d|--destination) (\S+)/.exec(line);
    const port = / --dport ([0-9]+)( |$)/.exec(line);
    if (destination?.[1] !== undefined) return [];
    return redirect(destination?.[2], port?.[1]);
  });
}

/** libnftables-json(5). */
export function parseNftRuleset(text: string): Redirect[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return [];
  }
  return list(field(document, "nftables")).flatMap((one) => {
    const expressions = list(field(field(one, "rule"), "expr"));
    if (!expressions.some(isRedirect)) return [];
    return redirect(matched(expressions, ["ip", "ip6"], "daddr"), matched(expressions, ["tcp", "udp", "th"], "dport"));
  });
}

function redirect(address: string | undefined, port: string | undefined): Redirect[] {
  if (address === undefined) return [{ address: undefined, port: port === undefined ? undefined : Number(port) }];
  const prefix = parseIpPrefix(address);
  return prefix === undefined ? [] : [{ address: prefix.address, port: port === undefined ? undefined : Number(port) }];
}

const isRedirect = (expression: unknown): boolean =>
  (typeof expression === "object" && expression !== null && "redirect" in expression) ||
  field(field(expression, "xt"), "name") === "REDIRECT";

function matched(expressions: readonly unknown[], protocols: readonly string[], name: string): string | undefined {
  for (const expression of expressions) {
    const match = field(expression, "match");
    const payload = field(field(match, "left"), "payload");
    const right = field(match, "right");
    if (field(match, "op") !== "==" || field(payload, "field") !== name) continue;
    if (!protocols.includes(String(field(payload, "protocol")))) continue;
    if (typeof right === "string" || typeof right === "number") return String(right);
  }
  return undefined;
}

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
