/**
 * Virtual routes and rules of masters: put in place, taken away, and watched, so that the machine hears when somebody else
 * takes one away. Static ones come by `statics.ts`.
 */

import type { VirtualRoute, VirtualRule } from "../../config/model/route.ts";
import type { VrrpConfiguration } from "../../config/model/vrrp.ts";
import { type Netlink, NetlinkMonitor } from "../../sys/netlink.ts";
import type { FilterInstruction } from "../../sys/packet-socket.ts";
import { addRule, removeRule } from "../../sys/policy-rules.ts";
import { putRoute, removeRoute } from "../../sys/routes.ts";
import type { NetlinkMessage } from "../../wire/netlink.ts";
import { parseRoute, RTM_DELROUTE, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE } from "../../wire/netlink-route.ts";
import { parseRule, RTM_DELRULE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE } from "../../wire/netlink-rule.ts";
import type { Complaints } from "./complaints.ts";
import { OUR_PROTOCOL, routeKey, routeMessage, ruleKey, ruleMessage } from "./kernel-requests.ts";

export interface HostRoutesOptions {
  /** All changes go through it: what its port has done is no loss. */
  readonly netlink: Netlink;
  readonly complaints: Complaints;
  readonly indexOf: (interfaceName: string) => number | undefined;
  /** `port`: of the netlink socket of whoever did it. */
  readonly onLost: (instance: string, written: string, port: number) => void;
}

interface Held {
  readonly instance: string;
  readonly written: string;
}

export class HostRoutes {
  readonly #options: HostRoutesOptions;
  /** By `routeKey` or `ruleKey`: what is in place and tracked. */
  readonly #held = new Map<string, Held>();
  #monitor: NetlinkMonitor | undefined;

  constructor(options: HostRoutesOptions) {
    this.#options = options;
  }

  /** Listens for losses if the configuration has routes or rules of virtual routers. */
  watch(configuration: VrrpConfiguration): void {
    this.#monitor?.close();
    this.#monitor = undefined;
    const { instances } = configuration;
    const routes = instances.flatMap(({ virtualRoutes }) => virtualRoutes);
    if (routes.length === 0 && instances.every(({ virtualRules }) => virtualRules.length === 0)) return;
    const protocols = new Set([OUR_PROTOCOL, ...routes.flatMap(({ protocol }) => protocol ?? [])]);
    this.#options.complaints.try("watch the routes", () => {
      this.#monitor = new NetlinkMonitor(
        [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE],
        {
          onMessages: (messages) => {
            for (const message of messages) this.#changed(message);
          },
          // A loss that went unheard is one that nobody acts on, as before there was a watch.
          onLost: () => this.#options.complaints.say("routes", "news about routes were lost", "warning"),
          onError: (error) => this.#options.complaints.say("routes", error.message),
        },
        removalsOf([...protocols]),
      );
    });
  }

  addRoute(instance: string, route: VirtualRoute): void {
    const { netlink, complaints, indexOf } = this.#options;
    const message = routeMessage(route, indexOf);
    if (message === undefined) {
      complaints.say(`route ${route.written}`, `(${instance}) no interface for the route ${route.written}`);
      return;
    }
    const isThere = complaints.try(`route ${route.written}`, () => putRoute(netlink, message, route.written));
    if (isThere && !route.noTrack) this.#held.set(routeKey(message), { instance, written: route.written });
  }

  removeRoute(_instance: string, route: VirtualRoute): void {
    const { netlink, complaints, indexOf } = this.#options;
    const message = routeMessage(route, indexOf);
    // With its interface, the kernel has removed it.
    if (message === undefined) return;
    this.#held.delete(routeKey(message));
    complaints.try(`no route ${route.written}`, () => void removeRoute(netlink, message, route.written));
  }

  addRule(instance: string, rule: VirtualRule): void {
    const { netlink, complaints } = this.#options;
    const message = ruleMessage(rule);
    const isThere = complaints.try(`rule ${rule.written}`, () => void addRule(netlink, message));
    if (!isThere || rule.noTrack) return;
    this.#held.set(ruleKey(message, message.priority !== undefined), { instance, written: rule.written });
  }

  removeRule(_instance: string, rule: VirtualRule): void {
    const { netlink, complaints } = this.#options;
    const message = ruleMessage(rule);
    this.#held.delete(ruleKey(message, message.priority !== undefined));
    complaints.try(`no rule ${rule.written}`, () => void removeRule(netlink, message));
  }

  close(): void {
    this.#monitor?.close();
  }

  #changed({ type, port, payload }: NetlinkMessage): void {
    if (port === this.#options.netlink.port) return;
    for (const key of keysOf(type, payload)) {
      const held = this.#held.get(key);
      if (held === undefined) continue;
      this.#held.delete(key);
      this.#options.onLost(held.instance, held.written, port);
    }
  }
}

function keysOf(type: number, payload: Uint8Array): string[] {
  if (type === RTM_DELROUTE) {
    const route = parseRoute(payload);
    return route === undefined ? [] : [routeKey(route)];
  }
  if (type !== RTM_DELRULE) return [];
  const rule = parseRule(payload);
  return rule === undefined ? [] : [ruleKey(rule, true), ruleKey(rule, false)];
}

/** nlmsg_type, after nlmsg_len, as the two bytes lie in memory. */
const TYPE_AT = 4;
/** rtm_protocol in the message about a route. */
const PROTOCOL_AT = 16 + 5;

/**
 * Classic BPF (linux/filter.h): removals of rules, and of routes with one of these protocols. Whoever holds the table of the
 * Internet hears of thousands of routes a second; they must not wake this process.
 */
export function removalsOf(protocols: readonly number[]): FilterInstruction[] {
  const swapped = (type: number) => (type & 0xff) << 8;
  const count = protocols.length;
  return [
    [0x28, 0, 0, TYPE_AT],
    [0x15, count + 2, 0, swapped(RTM_DELRULE)],
    [0x15, 0, count + 2, swapped(RTM_DELROUTE)],
    [0x30, 0, 0, PROTOCOL_AT],
    ...protocols.map(
      (protocol, index): FilterInstruction => [0x15, count - index - 1, index === count - 1 ? 1 : 0, protocol],
    ),
    [0x06, 0, 0, 0xffff_ffff],
    [0x06, 0, 0, 0],
  ];
}
