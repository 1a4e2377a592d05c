/**
 * The macvlan of every virtual router with `use_vmac`: made before the router needs it and whenever its base interface
 * appears, removed at the end, with the kernel's settings that it needs and those of before put back.
 *
 * The settings are the ones that keepalived 2.2.7 makes, and arp_announce: answers leave by the base, and its ARP requests
 * with a virtual address would tell clients the base's MAC address. A remark on the macvlan (its alias) names the settings of the base
 * as they were, so that the next run can put them back after a death.
 */

import { randomInt } from "node:crypto";
import type { MacAddress } from "../../base/mac.ts";
import type { VrrpConfiguration, VrrpInstance } from "../../config/model/vrrp.ts";
import type { NetworkInterface } from "../../sys/interfaces.ts";
import { addMacvlan, removeLink, removeLinkGroup, setLinkUp } from "../../sys/macvlan.ts";
import type { Netlink } from "../../sys/netlink.ts";
import { readSysctl, sysctlsBelow, writeSysctl } from "../../sys/sysctl.ts";
import type { Log } from "../log/log.ts";
import type { Complaints } from "./complaints.ts";
import type { SavedSettings } from "./saved-settings.ts";

export interface MacvlansOptions {
  readonly netlink: Netlink;
  readonly log: Log;
  readonly complaints: Complaints;
  readonly settings: SavedSettings;
  readonly interfaceNamed: (name: string) => NetworkInterface | undefined;
}

const ALIAS = "evenkeel";

/** Time for a base that goes away itself to be gone; and whoever removes it again and again does not keep us busy. */
const MADE_AGAIN_AFTER_MS = 100;

/** Of the base: what is on the macvlan is answered for and asked with there alone. */
const BASE_SETTINGS = { arp_ignore: "1", arp_filter: "1", arp_announce: "2" } as const;

export class Macvlans {
  readonly #options: MacvlansOptions;
  /** By name, those that this process made, for which virtual router and on which base. */
  readonly #made = new Map<
    string,
    { readonly instance: string; readonly baseIndex: number; readonly mac: MacAddress }
  >();
  /** Those of this process, and of no other that may share the network with it. */
  readonly #group = randomInt(2 ** 16, 2 ** 31);
  #instances: readonly VrrpInstance[] = [];
  #again: NodeJS.Timeout | undefined;

  constructor(options: MacvlansOptions) {
    this.#options = options;
  }

  /**
   * Makes what this configuration needs and what can be made. `retire` removes what it does not need.
   * @returns whether there are new ones
   */
  prepare(configuration: VrrpConfiguration): boolean {
    const before = new Map(this.#made);
    this.#instances = configuration.instances.filter(({ vmac }) => vmac !== undefined);
    for (const instance of this.#instances) this.#ensure(instance);
    return this.#made.entries().some(([name, made]) => before.get(name) !== made);
  }

  retire(): void {
    const wanted = new Set(this.#instances.map(({ vmac }) => vmac?.interface));
    for (const name of this.#made.keys()) if (!wanted.has(name)) this.#remove(name);
  }

  /** It has come, or is switched on. */
  baseAppeared(name: string): void {
    for (const instance of this.#instances) if (instance.interface === name) this.#ensure(instance);
  }

  /** By whoever, also with its base; not when it was just made again under the same name. Alone, it is made again soon. */
  vanished(name: string): void {
    if (this.#options.interfaceNamed(name) !== undefined || !this.#made.delete(name)) return;
    this.#again ??= setTimeout(() => {
      this.#again = undefined;
      for (const instance of this.#instances)
        if (!this.#made.has(instance.vmac?.interface ?? "")) this.#ensure(instance);
    }, MADE_AGAIN_AFTER_MS).unref();
  }

  close(): void {
    clearTimeout(this.#again);
    this.#instances = [];
    const made = [...this.#made];
    if (made.length === 0) return;
    const { netlink, log, complaints } = this.#options;
    this.#made.clear();
    if (complaints.try("remove the macvlans", () => void removeLinkGroup(netlink, this.#group)))
      for (const [name, { instance }] of made) log.write("info", removed(instance, name));
  }

  #ensure(instance: VrrpInstance): void {
    const { vmac, interface: baseName } = instance;
    const { netlink, log, complaints, interfaceNamed } = this.#options;
    const base = interfaceNamed(baseName);
    if (vmac === undefined || base === undefined) return;
    const name = vmac.interface;
    const mac = vmac.mac ?? virtualMac(instance);
    const made = this.#made.get(name);
    if (made?.baseIndex === base.index && made.mac === mac) {
      // The kernel has taken it down with its base.
      if (base.up && interfaceNamed(name)?.up === false) complaints.try(`up ${name}`, () => setLinkUp(netlink, name));
      return;
    }
    const before = interfaceNamed(name);
    if (made !== undefined) this.#remove(name);
    else if (before !== undefined && !this.#removeLeftover(before, base, mac)) return;
    const alias = this.#prepareBase(instance);
    const isMade = complaints.try(`make ${name}`, () =>
      addMacvlan(netlink, { name, mac, baseIndex: base.index, alias, group: this.#group }),
    );
    if (!isMade) return;
    this.#made.set(name, { instance: instance.name, baseIndex: base.index, mac });
    for (const [path, value] of ownSettings(instance.family, name)) {
      const problem = readSysctl(path) === undefined ? undefined : writeSysctl(path, value);
      if (problem !== undefined) complaints.say(path, problem, "warning");
    }
    complaints.try(`up ${name}`, () => setLinkUp(netlink, name));
    log.write("info", `(${instance.name}): Success creating VMAC interface ${name}`);
  }

  /** False when it is somebody else's. */
  #removeLeftover(found: NetworkInterface, base: NetworkInterface, mac: MacAddress): boolean {
    const { complaints, log, netlink } = this.#options;
    const looksOurs = found.kind === "macvlan" && found.lowerIndex === base.index && found.mac === mac;
    if (!hasOurAlias(found) && !looksOurs) {
      complaints.say(found.name, `${found.name} exists and is no macvlan of ours: it is left as it is`);
      return false;
    }
    log.write("info", `Removing ${found.name}, which an earlier run has left`);
    restoreBase(found);
    return complaints.try(`remove ${found.name}`, () => void removeLink(netlink, found.name));
  }

  /** IPv4: the base must not answer for the macvlan's addresses, nor the kernel refuse what comes in by the macvlan. */
  #prepareBase({ interface: base, family }: VrrpInstance): string {
    if (family !== "ipv4") return ALIAS;
    const { settings } = this.#options;
    const wanted = Object.entries(BASE_SETTINGS).map(
      ([name, value]) => [`net/ipv4/conf/${base}/${name}`, value] as const,
    );
    settings.set(...wanted);
    this.#allowReturnByAnotherInterface();
    return [ALIAS, ...wanted.map(([path]) => `${path}=${settings.before(path) ?? ""}`)].join(" ");
  }

  /**
   * The way back to a client leads over the base. The stricter of an interface's rp_filter and that of "all" counts, so that
   * of "all" has to go down to each interface.
   */
  #allowReturnByAnotherInterface(): void {
    const { settings, log } = this.#options;
    const all = "net/ipv4/conf/all/rp_filter";
    const strictness = readSysctl(all);
    if (strictness === undefined || strictness === "0") return;
    const laxer = sysctlsBelow("net/ipv4/conf")
      .filter((name) => name !== "all" && !this.#made.has(name))
      .map((name) => `net/ipv4/conf/${name}/rp_filter`)
      .filter((path) => Number(readSysctl(path)) < Number(strictness));
    settings.set(...laxer.map((path) => [path, strictness] as const), [all, "0"]);
    log.write("info", `NOTICE: setting sysctl net.ipv4.conf.all.rp_filter from ${strictness} to 0`);
  }

  #remove(name: string): void {
    const { netlink, log, complaints } = this.#options;
    const instance = this.#made.get(name)?.instance ?? "";
    this.#made.delete(name);
    const isRemoved = complaints.try(`remove ${name}`, () => void removeLink(netlink, name));
    if (isRemoved) log.write("info", removed(instance, name));
  }
}

const removed = (instance: string, name: string): string => `(${instance}) Success removing VMAC interface ${name}`;

/** RFC 9568 §7.3. */
export function virtualMac({ family, virtualRouterId }: Pick<VrrpInstance, "family" | "virtualRouterId">): MacAddress {
  const last = virtualRouterId.toString(16).padStart(2, "0");
  return `00:00:5e:00:0${family === "ipv4" ? 1 : 2}:${last}` as MacAddress;
}

function ownSettings(family: "ipv4" | "ipv6", name: string): [path: string, value: string][] {
  const [ipv4, ipv6] = [`net/ipv4/conf/${name}`, `net/ipv6/conf/${name}`];
  if (family === "ipv4") {
    return [
      [`${ipv4}/arp_ignore`, "1"],
      [`${ipv4}/accept_local`, "1"],
      [`${ipv4}/rp_filter`, "0"],
      [`${ipv4}/promote_secondaries`, "1"],
      [`${ipv6}/disable_ipv6`, "1"],
    ];
  }
  return [
    [`${ipv6}/disable_ipv6`, "0"],
    // No link-local address of its own: its detection and its groups would be seen on the LAN.
    [`${ipv6}/addr_gen_mode`, "1"],
    [`${ipv6}/accept_ra`, "0"],
    [`${ipv6}/autoconf`, "0"],
    [`${ipv6}/router_solicitations`, "0"],
  ];
}

export const hasOurAlias = ({ kind, alias }: NetworkInterface): boolean =>
  kind === "macvlan" && alias?.startsWith(ALIAS) === true;

/** The settings of its base as they were before the run that made this macvlan. */
export function restoreBase({ alias }: NetworkInterface): void {
  for (const [path, value] of settingsIn(alias ?? "")) writeSysctl(path, value);
}

/** Those of the base that an alias remembers; nothing else may be set by it. */
const settingsIn = (alias: string): [path: string, value: string][] =>
  [...alias.matchAll(/(net\/ipv4\/conf\/[^/ ]{1,15}\/arp_(?:ignore|filter|announce))=([0-9])(?= |$)/g)].flatMap(
    ([, path, value]): [string, string][] => (path === undefined || value === undefined ? [] : [[path, value]]),
  );
