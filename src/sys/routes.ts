/** Puts routes in place and takes them away, by rtnetlink. Keeps no account of them. */

import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "../wire/netlink.ts";
import {
  buildRoute,
  parseRoute,
  type RouteMessage,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  routeDumpRequest,
} from "../wire/netlink-route.ts";
import { parseRule, RTM_GETRULE, type RuleMessage, ruleDumpRequest } from "../wire/netlink-rule.ts";
import { addon, constants, unless } from "./addon.ts";
import { Netlink } from "./netlink.ts";

const AF_INET = 2;

/**
 * Adds the route; nothing happens when it is there already.
 *
 * IPv4 keeps routes of others to the same destination behind this one, and they count again when it is gone. IPv6 would take
 * them together as one route over several ways, so there it takes the place of one with the same metric.
 * @param written for the error
 * @throws SystemError ENETUNREACH (the gateway is on no link), ENETDOWN, EINVAL
 */
export function putRoute(netlink: Netlink, route: RouteMessage, written: string): void {
  const put = (flags: number) => netlink.request(RTM_NEWROUTE, flags, buildRoute(route), `add the route ${written}`);
  if (route.family === AF_INET) unless("EEXIST", () => put(NLM_F_CREATE));
  else if (!unless("EEXIST", () => put(NLM_F_CREATE | NLM_F_EXCL))) put(NLM_F_CREATE | NLM_F_REPLACE);
}

/** Only one of the same protocol and kind. False when there is none. @throws SystemError EPERM */
export const removeRoute = (netlink: Netlink, route: RouteMessage, written: string): boolean =>
  unless("ESRCH", () => netlink.request(RTM_DELROUTE, 0, buildRoute(route), `remove the route ${written}`));

/**
 * Of this protocol (RTPROT_*), in all tables of both families. The kernel leaves the others out (4.20 and later), so that a
 * full table of the Internet costs nothing. @throws SystemError
 */
export function routesOf(protocol: number): RouteMessage[] {
  const netlink = new Netlink();
  try {
    addon.setsockopt(netlink.fd, constants.SOL_NETLINK, constants.NETLINK_GET_STRICT_CHK, 1);
    const request = routeDumpRequest();
    return [constants.AF_INET, constants.AF_INET6].flatMap((family) => {
      request[0] = family;
      request[5] = protocol;
      return netlink
        .dump(RTM_GETROUTE, request, "read the routes")
        .flatMap(({ payload }) => parseRoute(payload) ?? [])
        .filter((route) => route.protocol === protocol);
    });
  } finally {
    netlink.close();
  }
}

/** Of this protocol (RTPROT_*), in both families. @throws SystemError */
export const rulesOf = (netlink: Netlink, protocol: number): RuleMessage[] =>
  [constants.AF_INET, constants.AF_INET6].flatMap((family) =>
    netlink
      .dump(RTM_GETRULE, ruleDumpRequest(family), "read the routing rules")
      .flatMap(({ payload }) => parseRule(payload) ?? [])
      .filter((rule) => rule.protocol === protocol),
  );
