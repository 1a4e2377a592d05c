/**
 * `static_ipaddress`, `static_routes` and `static_rules`: there as long as the daemon runs, put back when their interface
 * comes back. What was there before it started is left there when it ends.
 */

import type { VirtualRoute } from "../../config/model/route.ts";
import type { VirtualAddress, VrrpConfiguration } from "../../config/model/vrrp.ts";
import { putAddress, removeAddress } from "../../sys/addresses.ts";
import type { NetworkInterface } from "../../sys/interfaces.ts";
import type { Netlink } from "../../sys/netlink.ts";
import { addRule, removeRule } from "../../sys/policy-rules.ts";
import { putRoute, removeRoute } from "../../sys/routes.ts";
import type { Complaints } from "./complaints.ts";
import { OUR_PROTOCOL, routeMessage, ruleMessage, staticAssignment } from "./kernel-requests.ts";

type Statics = VrrpConfiguration["statics"];

export interface StaticsOptions {
  readonly netlink: Netlink;
  readonly complaints: Complaints;
  readonly interfaceNamed: (name: string) => NetworkInterface | undefined;
}

export class StaticThings {
  readonly #options: StaticsOptions;
  #statics: Statics = { addresses: [], routes: [], rules: [] };
  /** Addresses that were put there by us, and not found there. */
  readonly #ours = new Set<VirtualAddress>();
  /** Routes that the kernel has refused: their way out may come with an address. */
  readonly #missing = new Set<VirtualRoute>();

  constructor(options: StaticsOptions) {
    this.#options = options;
  }

  /** Puts these in place and takes away those of before that are not among them. */
  apply(statics: Statics): void {
    const before = this.#statics;
    this.#statics = {
      addresses: asBefore(before.addresses, statics.addresses),
      routes: asBefore(before.routes, statics.routes),
      rules: statics.rules,
    };
    this.#remove({
      addresses: without(before.addresses, statics.addresses),
      routes: without(before.routes, statics.routes),
      rules: without(before.rules, statics.rules),
    });
    for (const address of without(this.#statics.addresses, before.addresses)) this.#addAddress(address);
    for (const route of without(this.#statics.routes, before.routes)) this.#addRoute(route);
    const { netlink, complaints } = this.#options;
    for (const rule of without(statics.rules, before.rules))
      complaints.try(`static rule ${rule.written}`, () => void addRule(netlink, ruleMessage(rule)));
  }

  /** The interface has come (back), or up: what was on it is gone. Routes may also need it as the way to their gateway. */
  restore(found: NetworkInterface): void {
    for (const address of this.#statics.addresses) if (address.interface === found.name) this.#addAddress(address);
    if (!found.up) return;
    for (const route of this.#statics.routes) {
      const named = [route, ...route.nextHops].flatMap((one) => one.interface ?? []);
      if (named.length === 0 || named.includes(found.name)) this.#addRoute(route);
    }
  }

  /** An interface has got an address, as others do it after it has come. */
  addressAdded(): void {
    for (const route of this.#missing) this.#addRoute(route);
  }

  close(): void {
    this.#remove(this.#statics);
    this.#statics = { addresses: [], routes: [], rules: [] };
  }

  #addAddress(address: VirtualAddress): void {
    const { netlink, complaints } = this.#options;
    const found = this.#options.interfaceNamed(address.interface);
    // It is put there when the interface comes.
    if (found === undefined) return;
    const there = holds(found, address);
    if (there !== undefined) {
      // Of an earlier run.
      if (there.protocol === OUR_PROTOCOL) this.#ours.add(address);
      return;
    }
    const put = () => putAddress(netlink, staticAssignment(address, found.index));
    if (complaints.try(`static ${address.address}`, put)) this.#ours.add(address);
  }

  #addRoute(route: VirtualRoute): void {
    const { netlink, complaints, interfaceNamed } = this.#options;
    const message = routeMessage(route, (name) => interfaceNamed(name)?.index);
    if (message === undefined) return;
    const put = () => putRoute(netlink, message, route.written);
    if (complaints.try(`static route ${route.written}`, put)) this.#missing.delete(route);
    else this.#missing.add(route);
  }

  #remove({ addresses, routes, rules }: Statics): void {
    const { netlink, complaints, interfaceNamed } = this.#options;
    for (const rule of rules)
      complaints.try(`no static rule ${rule.written}`, () => void removeRule(netlink, ruleMessage(rule)));
    for (const route of routes) {
      this.#missing.delete(route);
      const message = routeMessage(route, (name) => interfaceNamed(name)?.index);
      if (message === undefined) continue;
      complaints.try(`no static route ${route.written}`, () => void removeRoute(netlink, message, route.written));
    }
    for (const address of addresses) {
      const found = interfaceNamed(address.interface);
      if (found === undefined || !this.#ours.delete(address)) continue;
      complaints.try(
        `no static ${address.address}`,
        () => void removeAddress(netlink, { ...staticAssignment(address, found.index) }),
      );
    }
  }
}

const holds = (found: NetworkInterface, { address, prefixLength }: VirtualAddress) =>
  found.addresses.find((one) => one.address === address && one.prefixLength === prefixLength);

/** What has not changed stays the same object. */
function asBefore<T extends object>(before: readonly T[], list: readonly T[]): T[] {
  const known = new Map(before.map((one) => [JSON.stringify(one), one]));
  return list.map((one) => known.get(JSON.stringify(one)) ?? one);
}

function without<T extends object>(list: readonly T[], others: readonly T[]): T[] {
  const known = new Set(others.map((one) => JSON.stringify(one)));
  return list.filter((one) => !known.has(JSON.stringify(one)));
}
