/**
 * What an earlier run has left: addresses on the configured interfaces, routes and rules with our mark (protocol 18) that no
 * static item of this configuration asks for, and macvlans with our alias that no virtual router has. Virtual addresses of
 * this configuration are the machine's business, and macvlans that it makes anew are `macvlans.ts`'s.
 *
 * Nothing is touched while another program of our kind runs in the same network namespace.
 */

import type { VrrpConfiguration } from "../../config/model/vrrp.ts";
import { removeAddress } from "../../sys/addresses.ts";
import { type NetworkInterface, readInterfaces } from "../../sys/interfaces.ts";
import { removeLink } from "../../sys/macvlan.ts";
import type { Netlink } from "../../sys/netlink.ts";
import { removeRule } from "../../sys/policy-rules.ts";
import { removeRoute, routesOf, rulesOf } from "../../sys/routes.ts";
import type { Log } from "../log/log.ts";
import type { Complaints } from "./complaints.ts";
import { OUR_PROTOCOL, routeKey, routeMessage, ruleKey, ruleMessage } from "./kernel-requests.ts";
import { hasOurAlias, restoreBase } from "./macvlans.ts";

export interface LeftoversOptions {
  readonly netlink: Netlink;
  readonly log: Log;
  readonly complaints: Complaints;
  readonly interfaceNamed: (name: string) => NetworkInterface | undefined;
}

/** @param names interfaces of the configuration */
export function removeLeftovers(
  configuration: VrrpConfiguration,
  names: Iterable<string>,
  options: LeftoversOptions,
): void {
  for (const name of names) removeAddresses(configuration, name, options);
  options.complaints.try("look for macvlans of an earlier run", () => removeMacvlans(configuration, options));
  options.complaints.try("look for routes of an earlier run", () => removeRoutes(configuration, options));
  options.complaints.try("look for rules of an earlier run", () => removeRules(configuration, options));
}

function removeAddresses(
  { statics, instances }: VrrpConfiguration,
  name: string,
  { interfaceNamed, netlink, log, complaints }: LeftoversOptions,
): void {
  const found = interfaceNamed(name);
  if (found === undefined) return;
  const virtual = instances.flatMap((one) => [...one.virtualAddresses, ...one.excludedAddresses]);
  const named = new Set(
    [...statics.addresses, ...virtual].map((one) => `${one.address}/${one.prefixLength} ${one.interface}`),
  );
  for (const { address, prefixLength, protocol } of found.addresses) {
    if (protocol !== OUR_PROTOCOL || named.has(`${address}/${prefixLength} ${name}`)) continue;
    log.write("info", `Removing ${address}/${prefixLength} from ${name}, which an earlier run has left`);
    complaints.try(
      `leftover ${address}`,
      () => void removeAddress(netlink, { interfaceIndex: found.index, address, prefixLength }),
    );
  }
}

function removeMacvlans({ instances }: VrrpConfiguration, { netlink, log, complaints }: LeftoversOptions): void {
  const named = new Set(instances.map(({ vmac }) => vmac?.interface));
  for (const found of readInterfaces().values()) {
    if (!hasOurAlias(found) || named.has(found.name)) continue;
    log.write("info", `Removing ${found.name}, which an earlier run has left`);
    restoreBase(found);
    complaints.try(`leftover ${found.name}`, () => void removeLink(netlink, found.name));
  }
}

function removeRoutes({ statics }: VrrpConfiguration, options: LeftoversOptions): void {
  const indexOf = (name: string) => options.interfaceNamed(name)?.index;
  const named = new Set(statics.routes.flatMap((route) => routeMessage(route, indexOf) ?? []).map(routeKey));
  for (const route of routesOf(OUR_PROTOCOL)) {
    const key = routeKey(route);
    if (named.has(key)) continue;
    const written = `${route.destination ?? "default"}/${route.destinationLength}`;
    options.log.write("info", `Removing the route ${written} from table ${route.table}, which an earlier run has left`);
    options.complaints.try(`leftover ${key}`, () => void removeRoute(options.netlink, route, written));
  }
}

function removeRules({ statics }: VrrpConfiguration, options: LeftoversOptions): void {
  const messages = statics.rules.map(ruleMessage);
  const named = new Set(messages.map((rule) => ruleKey(rule, rule.priority !== undefined)));
  for (const rule of rulesOf(options.netlink, OUR_PROTOCOL)) {
    if (named.has(ruleKey(rule, true)) || named.has(ruleKey(rule, false))) continue;
    options.log.write("info", `Removing the rule with preference ${rule.priority}, which an earlier run has left`);
    options.complaints.try(`leftover rule ${rule.priority}`, () => void removeRule(options.netlink, rule));
  }
}
