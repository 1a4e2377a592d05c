/** Puts routing rules and routes to lo in place and takes them away, ip-rule(8). Keeps no account of them. */

import { NLM_F_CREATE, NLM_F_EXCL } from "../wire/netlink.ts";
import { buildRoute, RTM_DELROUTE, RTM_NEWROUTE, RTN_UNICAST, RTPROT_STATIC } from "../wire/netlink-route.ts";
import { buildRule, RTM_DELRULE, RTM_NEWRULE, type RuleMessage } from "../wire/netlink-rule.ts";
import { unless } from "./addon.ts";
import type { Netlink } from "./netlink.ts";

const LOOPBACK = 1;
const RT_SCOPE_LINK = 253;

/** False: it is there already. @throws SystemError */
export const addRule = (netlink: Netlink, rule: RuleMessage): boolean =>
  unless("EEXIST", () =>
    netlink.request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, buildRule(rule), `add the rule ${describe(rule)}`),
  );

/** False: there was none. @throws SystemError */
export const removeRule = (netlink: Netlink, rule: RuleMessage): boolean =>
  unless("ENOENT", () => netlink.request(RTM_DELRULE, 0, buildRule(rule), `remove the rule ${describe(rule)}`));

/** A table in which everything goes out by lo, and so comes in again there. IPv4: IPv6 takes no such route. */
export const addRouteToLoopback = (netlink: Netlink, table: number): boolean =>
  unless("EEXIST", () =>
    netlink.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, toLoopback(table), `route table ${table} to lo`),
  );

/** False: there was none. @throws SystemError */
export const removeRouteToLoopback = (netlink: Netlink, table: number): boolean =>
  unless("ESRCH", () => netlink.request(RTM_DELROUTE, 0, toLoopback(table), `remove the route of table ${table}`));

const toLoopback = (table: number): Uint8Array =>
  buildRoute({
    ...{ family: 2, destinationLength: 0, sourceLength: 0, tos: 0, flags: 0, otherAttributes: [] },
    ...{ destination: undefined, gateway: undefined, preferredSource: undefined, priority: undefined },
    ...{ table, protocol: RTPROT_STATIC, scope: RT_SCOPE_LINK, type: RTN_UNICAST, interfaceIndex: LOOPBACK },
  });

const describe = ({ priority, table, mark }: RuleMessage): string =>
  `${priority === undefined ? "" : `${priority}: `}${mark === undefined ? "" : `fwmark ${mark} `}table ${table}`;
