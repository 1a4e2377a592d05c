/**
 * Virtual routes and rules in the words of keepalived 2.2.7's dumps: `prepend 10.50.0.0/24 via inet 10.9.0.9 dev eth0 proto
 * 18 metric 5`, `from all priority 16384 tos 0x0 iif eth1 protocol 18 lookup 3`.
 */

import { type IpAddress, type IpPrefix, isIpv4 } from "../../base/ip.ts";
import type { VirtualRoute, VirtualRule } from "../../config/model/route.ts";

const RTPROT_KEEPALIVED = 18;
const RT_TABLE_MAIN = 254;
const ALL_BITS = 0xffff_ffff;

const given = (word: string, value: string | number | undefined): string[] =>
  value === undefined ? [] : [`${word} ${value}`];

export function routeText(route: VirtualRoute): string {
  const via = (address: IpAddress | undefined) =>
    given(`via ${route.family === "ipv4" ? "inet" : "inet6"}`, address as string | undefined);
  const { destination } = route;
  return [
    // A type that is written makes keepalived add the route behind equal ones.
    route.written.split(" ")[0] === route.type || route.type !== "unicast" ? "add" : "prepend",
    ...(route.type === "unicast" ? [] : [route.type]),
    `${destination.address}/${destination.length}`,
    ...given("src", route.source),
    ...(route.typeOfService > 0 ? [`tos ${route.typeOfService}`] : []),
    ...via(route.via),
    ...given("dev", route.interface),
    ...(route.table === RT_TABLE_MAIN ? [] : [`table ${route.table}`]),
    ...(ownProtocol(route) ? [`proto ${route.protocol ?? RTPROT_KEEPALIVED}`] : []),
    ...given("scope", route.scope),
    ...given("metric", route.metric),
    ...(route.onlink ? ["onlink"] : []),
    ...given("mtu", route.mtu),
    ...route.nextHops.flatMap((hop) => [
      "nexthop",
      ...via(hop.via),
      ...given("dev", hop.interface),
      ...(hop.weight > 1 ? [`weight ${hop.weight}`] : []),
      ...(hop.onlink ? ["onlink"] : []),
    ]),
    ...(route.noTrack ? ["no_track"] : []),
  ].join(" ");
}

/** keepalived gives its protocol number to what it tracks, and to what it cannot track for want of an interface. */
function ownProtocol({ protocol, noTrack, interface: device, nextHops }: VirtualRoute): boolean {
  const named = device !== undefined || nextHops.some((hop) => hop.interface !== undefined);
  return protocol !== undefined || !noTrack || !named;
}

export function ruleText(rule: VirtualRule): string {
  const prefix = ({ address, length }: IpPrefix) =>
    `${address}${length === (isIpv4(address) ? 32 : 128) ? "" : `/${length}`}`;
  const hex = (value: number) => `0x${value.toString(16)}`;
  const { mark } = rule;
  return [
    ...(rule.not ? ["not"] : []),
    `from ${rule.from === undefined ? "all" : prefix(rule.from)}`,
    ...(rule.to === undefined ? [] : [`to ${prefix(rule.to)}`]),
    ...given("priority", rule.preference),
    `tos ${hex(rule.typeOfService)}`,
    ...(mark === undefined ? [] : [`fwmark ${hex(mark.value)}${mark.mask === ALL_BITS ? "" : `/${hex(mark.mask)}`}`]),
    ...given("iif", rule.incomingInterface),
    ...given("oif", rule.outgoingInterface),
    ...(rule.noTrack ? [] : [`protocol ${RTPROT_KEEPALIVED}`]),
    actionText(rule.action),
    ...(rule.noTrack ? ["no_track"] : []),
  ].join(" ");
}

function actionText(action: VirtualRule["action"]): string {
  switch (action.type) {
    case "table":
      return `lookup ${action.table}`;
    case "goto":
      return `goto ${action.preference}`;
    case "nop":
      return "nop";
    case "blackhole":
    case "unreachable":
    case "prohibit":
      return `type ${action.type}`;
    default:
      return action satisfies never;
  }
}
