/** Addresses, routes and rules of the configuration in the kernel's terms (rtnetlink). Sends nothing. */

import { type IpAddress, isIpv4 } from "../../base/ip.ts";
import { type Duration, inSeconds } from "../../base/time.ts";
import type { VirtualRoute, VirtualRule } from "../../config/model/route.ts";
import type { VirtualAddress } from "../../config/model/vrrp.ts";
import type { AddressAssignment } from "../../sys/addresses.ts";
import {
  IFA_F_HOMEADDRESS,
  IFA_F_MANAGETEMPADDR,
  IFA_F_MCAUTOJOIN,
  IFA_F_NOPREFIXROUTE,
  type Lifetime,
} from "../../wire/netlink-address.ts";
import { type NextHop, type RouteMessage, RTNH_F_ONLINK } from "../../wire/netlink-route.ts";
import {
  FR_ACT_BLACKHOLE,
  FR_ACT_GOTO,
  FR_ACT_NOP,
  FR_ACT_PROHIBIT,
  FR_ACT_TO_TABLE,
  FR_ACT_UNREACHABLE,
  type RuleMessage,
} from "../../wire/netlink-rule.ts";

/** RTPROT_KEEPALIVED, and as IFA_PROTO of addresses: `ip addr` and `ip route` show who put them there. */
export const OUR_PROTOCOL = 18;

/** RT_SCOPE_*, RTN_*: linux/rtnetlink.h. */
const SCOPES = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;
const ROUTE_TYPES = { unicast: 1, local: 2, blackhole: 6, unreachable: 7, prohibit: 8, throw: 9 } as const;
const ADDRESS_FLAGS = {
  home: IFA_F_HOMEADDRESS,
  mngtmpaddr: IFA_F_MANAGETEMPADDR,
  noprefixroute: IFA_F_NOPREFIXROUTE,
  autojoin: IFA_F_MCAUTOJOIN,
} as const;

const familyOf = (family: "ipv4" | "ipv6"): number => (family === "ipv4" ? 2 : 10);

/** A virtual address that ends by itself after `lifetime`. */
export function virtualAssignment(
  address: VirtualAddress,
  interfaceIndex: number,
  lifetime: Duration,
): AddressAssignment {
  const valid = Math.ceil(inSeconds(lifetime));
  // Nothing from this host should leave with an IPv6 virtual address unasked: it is never preferred.
  const preferred = isIpv4(address.address) ? valid : preferredOf(address.preferredLifetime, 0, valid);
  return { ...assignment(address, interfaceIndex), validLifetime: valid, preferredLifetime: preferred };
}

/** One of `static_ipaddress`: it stays. */
export function staticAssignment(address: VirtualAddress, interfaceIndex: number): AddressAssignment {
  const preferred = preferredOf(address.preferredLifetime, "forever", "forever");
  return {
    ...assignment(address, interfaceIndex),
    validLifetime: "forever",
    preferredLifetime: preferred,
    detectDuplicates: !address.nodad,
  };
}

function preferredOf(wish: VirtualAddress["preferredLifetime"], unsaid: Lifetime, valid: Lifetime): Lifetime {
  if (wish === undefined) return unsaid;
  if (wish === "forever") return valid;
  const wished = Math.ceil(inSeconds(wish));
  return valid === "forever" ? wished : Math.min(wished, valid);
}

function assignment(address: VirtualAddress, interfaceIndex: number): Omit<AddressAssignment, "validLifetime"> {
  return {
    interfaceIndex,
    address: address.address,
    prefixLength: address.prefixLength,
    label: address.label,
    broadcast: address.broadcast,
    scope: typeof address.scope === "number" ? address.scope : SCOPES[address.scope],
    peer: address.peer,
    flags: address.flags.reduce((all, flag) => all | ADDRESS_FLAGS[flag], 0),
    protocol: OUR_PROTOCOL,
  };
}

/** Undefined when an interface that it names does not exist. */
export function routeMessage(
  route: VirtualRoute,
  indexOf: (name: string) => number | undefined,
): RouteMessage | undefined {
  const named = [route, ...route.nextHops].flatMap((one) => one.interface ?? []);
  if (named.some((name) => indexOf(name) === undefined)) return undefined;
  const index = (name: string | undefined) => (name === undefined ? undefined : indexOf(name));
  const nextHops = route.nextHops.map(
    (hop): NextHop => ({
      gateway: hop.via,
      interfaceIndex: index(hop.interface) ?? 0,
      weight: hop.weight,
      flags: hop.onlink ? RTNH_F_ONLINK : 0,
    }),
  );
  return {
    family: familyOf(route.family),
    destinationLength: route.destination.length,
    sourceLength: 0,
    tos: route.typeOfService,
    table: route.table,
    protocol: route.protocol ?? OUR_PROTOCOL,
    scope: route.scope ?? usualScope(route),
    type: ROUTE_TYPES[route.type],
    flags: route.onlink ? RTNH_F_ONLINK : 0,
    destination: route.destination.length === 0 ? undefined : route.destination.address,
    gateway: route.via,
    preferredSource: route.source,
    interfaceIndex: index(route.interface),
    priority: route.metric,
    ...(route.mtu === undefined ? {} : { mtu: route.mtu }),
    ...(nextHops.length === 0 ? {} : { nextHops }),
    otherAttributes: [],
  };
}

/** As ip-route(8) chooses: what is on the link reaches no further. */
function usualScope({ family, type, via, nextHops }: VirtualRoute): number {
  if (family === "ipv6") return SCOPES.global;
  if (type === "local") return SCOPES.host;
  const isDirect = type === "unicast" && via === undefined && nextHops.every((hop) => hop.via === undefined);
  return isDirect ? SCOPES.link : SCOPES.global;
}

export function ruleMessage(rule: VirtualRule): RuleMessage {
  const { action, mark } = rule;
  return {
    family: familyOf(rule.family),
    priority: rule.preference,
    protocol: OUR_PROTOCOL,
    from: rule.from,
    to: rule.to,
    incomingInterface: rule.incomingInterface,
    outgoingInterface: rule.outgoingInterface,
    mark: mark?.value,
    mask: mark?.mask,
    tos: rule.typeOfService,
    not: rule.not,
    ...actionOf(action),
  };
}

const ACTIONS = {
  nop: FR_ACT_NOP,
  blackhole: FR_ACT_BLACKHOLE,
  unreachable: FR_ACT_UNREACHABLE,
  prohibit: FR_ACT_PROHIBIT,
} as const;

function actionOf(action: VirtualRule["action"]): Pick<RuleMessage, "action" | "table" | "goto"> {
  switch (action.type) {
    case "table":
      return { action: FR_ACT_TO_TABLE, table: action.table };
    case "goto":
      return { action: FR_ACT_GOTO, table: 0, goto: action.preference };
    default:
      return { action: ACTIONS[action.type], table: 0 };
  }
}

/** IPv6 routes without a metric get it. */
const IPV6_METRIC = 1024;

/** What the kernel tells two routes apart by, as far as they can be ours: the same for what was asked and what it says. */
export function routeKey(route: RouteMessage): string {
  const { family, destination, destinationLength, table, tos, type } = route;
  // The kernel gives a default route no address.
  const to = `${destinationLength === 0 ? "default" : (destination as IpAddress)}/${destinationLength}`;
  const metric = route.priority ?? (family === 10 ? IPV6_METRIC : 0);
  return `${family} ${type} ${to} table ${table} tos ${family === 10 ? 0 : tos} metric ${metric}`;
}

/** The same for rules; `preference` is left out when the kernel chose it. */
export function ruleKey(rule: RuleMessage, withPreference: boolean): string {
  const prefix = (one: RuleMessage["from"]) =>
    one === undefined || one.length === 0 ? "" : `${one.address}/${one.length}`;
  const mark = rule.mark === undefined ? "" : `${rule.mark}/${rule.mask ?? 0xffff_ffff}`;
  return [
    rule.family,
    withPreference ? rule.priority : "any",
    rule.not === true,
    prefix(rule.from),
    prefix(rule.to),
    rule.incomingInterface ?? "",
    rule.outgoingInterface ?? "",
    mark,
    rule.tos ?? 0,
    rule.action ?? FR_ACT_TO_TABLE,
    rule.table,
    rule.goto ?? "",
  ].join(" ");
}
