/**
 * Lines of `virtual_routes` and `static_routes`: the long words of ip-route(8) that keepalived.conf(5) takes.
 *
 * What cannot be understood leaves the route out, as keepalived does. Metrics of TCP are accepted and not set.
 */

import { type IpAddress, type IpPrefix, isIpv4, parseIp, parseIpPrefix } from "../../base/ip.ts";
import type { VirtualRoute } from "../model/route.ts";
import type { IprouteNames } from "./iproute-names.ts";
import { OptionWords } from "./option-words.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import { integer, interfaceName } from "./values.ts";

export interface RouteContext {
  readonly names: IprouteNames;
  /** `virtual`: its loss can matter to an instance. */
  readonly kind: "static" | "virtual";
  readonly report: Report;
}

type NextHop = VirtualRoute["nextHops"][number];
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const TYPES = ["unicast", "local", "blackhole", "unreachable", "prohibit", "throw"] as const;
const isType = (text: string): text is VirtualRoute["type"] => (TYPES as readonly string[]).includes(text);
const KEEPALIVED_PROTOCOL = 18;
const MAIN_TABLE = 254;

/** With a value, which `lock` may precede; they tune TCP. */
const TUNING: ReadonlySet<string> = new Set([
  ...["hoplimit", "advmss", "rtt", "rttvar", "reordering", "window", "cwnd", "ssthresh", "realms", "rto_min"],
  ...["initcwnd", "initrwnd", "quickack", "congctl", "features", "pref", "expires", "ttl-propagate"],
  ...["fastopen_no_cookie", "as"],
]);

interface Draft {
  family: "ipv4" | "ipv6" | undefined;
  type: VirtualRoute["type"] | undefined;
  destination: IpPrefix | undefined;
  via: IpAddress | undefined;
  interface: string | undefined;
  source: IpAddress | undefined;
  metric: number | undefined;
  table: number;
  scope: number | undefined;
  protocol: number | undefined;
  typeOfService: number;
  mtu: number | undefined;
  onlink: boolean;
  nextHops: NextHop[];
  noTrack: boolean;
}

/** Undefined when the line gives no route that could be set. */
export function readRoute(statement: Statement, context: RouteContext): VirtualRoute | undefined {
  const { report } = context;
  const words = new OptionWords(statement, report);
  const draft: Draft = {
    ...{ family: undefined, type: undefined, destination: undefined, via: undefined, interface: undefined },
    ...{ source: undefined, metric: undefined, table: MAIN_TABLE, scope: undefined, protocol: undefined },
    ...{ typeOfService: 0, mtu: undefined, onlink: false, nextHops: [], noTrack: false },
  };
  for (let word = words.next(); word !== undefined; word = words.next())
    if (!readWord(word, words, draft, context)) return undefined;
  return completed(draft, statement, words.written, context);
}

function completed(draft: Draft, { keyword }: Statement, written: string, context: RouteContext) {
  const { report } = context;
  const { destination, type = "unicast" } = draft;
  if (destination === undefined) {
    report.warning("keepalived/bad-route", keyword, "Route must have a destination", "Begin with it, or with default");
    return undefined;
  }
  let noTrack = draft.noTrack;
  const virtual = context.kind === "virtual";
  if (virtual && !noTrack && draft.interface === undefined) {
    const shown = `${destination.address}/${destination.length}`;
    const message = `Warning - cannot track route ${shown} with no interface specified, not tracking`;
    report.warning("keepalived/untracked-route", keyword, message, "Add dev INTERFACE, or no_track to say it is meant");
    noTrack = true;
  }
  if (virtual && !noTrack && draft.protocol !== undefined && draft.protocol !== KEEPALIVED_PROTOCOL) {
    const message = "Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol";
    report.warning("keepalived/untracked-route", keyword, message, "Leave the protocol away, or add no_track");
    draft.protocol = undefined;
  }
  const family = isIpv4(destination.address) ? ("ipv4" as const) : ("ipv6" as const);
  return { ...draft, family, type, destination, noTrack, written } satisfies VirtualRoute;
}

/** False when the route cannot be set. */
function readWord(word: Word, words: OptionWords, draft: Draft, context: RouteContext): boolean {
  const { names, report } = context;
  const value = (): Word | undefined => words.valueOf(word);
  const numbered = (kind: Parameters<IprouteNames["number"]>[0], problem: (text: string) => string) => {
    const given = value();
    if (given === undefined) return undefined;
    const number = names.number(kind, given.text);
    if (number === undefined)
      report.warning("keepalived/bad-route", given, problem(given.text), "The route is left out");
    return number;
  };
  switch (word.text) {
    case "src":
      draft.source = addressIn(value(), draft, report);
      return draft.source !== undefined;
    case "to":
      return setDestination(value(), draft, report);
    case "via":
    case "gw": {
      if (word.text === "gw") deprecated(word, "via", report);
      draft.via = addressIn(withoutFamily(words, value()), draft, report);
      return draft.via !== undefined;
    }
    case "or": {
      deprecated(word, "nexthop", report);
      const second = addressIn(withoutFamily(words, value()), draft, report);
      if (second === undefined) return false;
      const plain = { interface: undefined, weight: 1, onlink: false };
      if (draft.via !== undefined) draft.nextHops.push({ via: draft.via, ...plain });
      draft.nextHops.push({ via: second, ...plain });
      draft.via = undefined;
      return true;
    }
    case "dev":
    case "oif": {
      const device = value();
      draft.interface = device && interfaceName(device, report);
      return draft.interface !== undefined;
    }
    case "table": {
      const table = numbered("rt_tables", (text) => `Routing table ${text} not found for route`);
      if (table !== undefined) draft.table = table;
      return table !== undefined;
    }
    case "scope": {
      draft.scope = numbered("rt_scopes", (text) => `Scope ${text} not found or invalid for route`);
      return draft.scope !== undefined;
    }
    case "proto":
    case "protocol": {
      draft.protocol = numbered("rt_protos", (text) => `Protocol ${text} not found or invalid for route`);
      return draft.protocol !== undefined;
    }
    case "tos":
    case "dsfield": {
      const field = numbered("rt_dsfield", (text) => `TOS value ${text} is invalid`);
      draft.typeOfService = field ?? 0;
      return field !== undefined;
    }
    case "metric":
    case "priority":
    case "preference": {
      const given = value();
      draft.metric = given && integer(given, 0, 0xffff_ffff, report);
      return draft.metric !== undefined;
    }
    case "mtu": {
      if (words.ahead?.text === "lock") words.next();
      const given = value();
      draft.mtu = given && integer(given, 0, 0xffff_ffff, report);
      return draft.mtu !== undefined;
    }
    case "onlink":
      draft.onlink = true;
      return true;
    case "nexthop":
      return readNextHop(words, draft, report);
    case "no_track":
      draft.noTrack = true;
      return true;
    case "track_group": {
      if (context.kind === "virtual") return setDestination(word, draft, report);
      value();
      const help = "Losing the route changes no state";
      report.warning("keepalived/not-implemented", word, "'track_group' is not implemented yet", help);
      return !words.broken;
    }
    default:
      return readOther(word, words, draft, report);
  }
}

function readOther(word: Word, words: OptionWords, draft: Draft, report: Report): boolean {
  if (isType(word.text) && draft.type === undefined) {
    draft.type = word.text;
    return true;
  }
  if (word.text === "inet" || word.text === "inet6") return true;
  if (TUNING.has(word.text)) {
    if (words.ahead?.text === "lock") words.next();
    if (words.valueOf(word) === undefined) return false;
    const message = `${quote(word.text)} of a route is not implemented yet`;
    report.warning("keepalived/not-implemented", word, message, "The kernel's default holds");
    return true;
  }
  return setDestination(word, draft, report);
}

function deprecated(word: Word, better: string, report: Report): void {
  const message = `"${word.text}" for routes is deprecated. Please use "${better}"`;
  report.warning("keepalived/obsolete", word, message, `Write ${better}`);
}

/** `via inet6 ADDRESS` names the family that the address shows anyway. */
const withoutFamily = (words: OptionWords, word: Word | undefined): Word | undefined =>
  word !== undefined && (word.text === "inet" || word.text === "inet6") ? words.valueOf(word) : word;

function setDestination(word: Word | undefined, draft: Draft, report: Report): boolean {
  if (word === undefined) return false;
  const named = { default: "0.0.0.0/0", default6: "::/0", all: "0.0.0.0/0", any: "0.0.0.0/0" };
  const text = Object.hasOwn(named, word.text) ? named[word.text as keyof typeof named] : word.text;
  const prefix = draft.destination === undefined ? parseIpPrefix(text) : undefined;
  if (prefix === undefined) {
    const message = `unknown route keyword ${quote(word.text)}`;
    report.warning("keepalived/bad-route", word, message, "The route is left out; the words are those of ip-route(8)");
    return false;
  }
  draft.destination = prefix;
  return sameFamily(word, prefix.address, draft, report);
}

function addressIn(word: Word | undefined, draft: Draft, report: Report): IpAddress | undefined {
  if (word === undefined) return undefined;
  const address = parseIp(word.text);
  if (address === undefined) {
    const message = `VRRP parsed invalid IP ${quote(word.text)}. skipping IP...`;
    report.warning("keepalived/bad-route", word, message, "The route is left out");
    return undefined;
  }
  return sameFamily(word, address, draft, report) ? address : undefined;
}

function sameFamily(word: Word, address: IpAddress, draft: Draft, report: Report): boolean {
  const family = isIpv4(address) ? "ipv4" : "ipv6";
  draft.family ??= family;
  if (draft.family === family) return true;
  report.warning("keepalived/bad-route", word, "Cannot mix IPv4 and IPv6 addresses for route", "The route is left out");
  return false;
}

function readNextHop(words: OptionWords, draft: Draft, report: Report): boolean {
  const hop: Mutable<NextHop> = { via: undefined, interface: undefined, weight: 1, onlink: false };
  for (let word = words.ahead; word !== undefined && word.text !== "nexthop"; word = words.ahead) {
    if (!["via", "dev", "weight", "onlink"].includes(word.text)) break;
    words.next();
    if (word.text === "onlink") {
      hop.onlink = true;
      continue;
    }
    const value = words.valueOf(word);
    if (value === undefined) return false;
    if (word.text === "via") hop.via = addressIn(withoutFamily(words, value), draft, report);
    else if (word.text === "dev") hop.interface = interfaceName(value, report);
    else {
      const weight = integer(value, 1, 256, report);
      if (weight === undefined) return false;
      hop.weight = weight;
    }
    if (word.text !== "weight" && (word.text === "via" ? hop.via : hop.interface) === undefined) return false;
  }
  draft.nextHops.push(hop);
  return true;
}
