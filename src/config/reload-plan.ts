/**
 * What a reload changes and what that does to what runs: the difference of two configurations in words.
 *
 * Follows `vrrp/reconfigure.ts` and `daemon/supervisor`, which apply it; decides nothing.
 */

import { type FieldChange, fieldChanges, isSame } from "./difference.ts";
import type { Configuration } from "./model/configuration.ts";
import type { ProxyConfiguration } from "./model/proxy.ts";
import type { DirectorConfiguration } from "./model/virtual-server.ts";
import type { VirtualAddress, VrrpConfiguration, VrrpInstance } from "./model/vrrp.ts";

export interface PlannedChange {
  readonly change: "added" | "removed" | "changed";
  /** The block: `vrrp_instance`, `virtual_server`, `frontend` … */
  readonly what: string;
  /** Empty for a block without a name. */
  readonly name: string;
  readonly fields: readonly FieldChange[];
  /** What comes of it, in words. */
  readonly effects: readonly string[];
}

export interface Running {
  /** By name: `MASTER`, `BACKUP` … Undefined where no vrrp process has said. */
  readonly stateOf: (instance: string) => string | undefined;
}

export function planReload(before: Configuration, after: Configuration, running: Running): PlannedChange[] {
  return [
    ...planVrrp(before.vrrp, after.vrrp, running),
    ...planDirector(before.director, after.director),
    ...planProxy(before.proxy, after.proxy),
  ];
}

/** `vrrp_instance VI_1 changed: priority 100 → 150; stays MASTER, no advert is missed`, one a change. */
export const planLines = (changes: readonly PlannedChange[]): string[] =>
  changes.map(({ change, what, name, fields, effects }) => {
    const parts = [...fields.map(fieldText), ...effects].join("; ");
    return `${name === "" ? what : `${what} ${name}`} ${change}${parts === "" ? "" : `: ${parts}`}`;
  });

function fieldText({ field, from, to }: FieldChange): string {
  if (from === undefined) return `${field} ${to} is new`;
  if (to === undefined) return `${field} ${from} is gone`;
  return from === to ? `${field} ${from} is changed` : `${field} ${from} → ${to}`;
}

// ---- VRRP

function planVrrp(
  before: VrrpConfiguration | undefined,
  after: VrrpConfiguration | undefined,
  running: Running,
): PlannedChange[] {
  const [old, now] = [before?.instances ?? [], after?.instances ?? []];
  const formerly = (one: VrrpInstance) => old.find((was) => isSameRouter(was, one));
  const gone = old.filter((was) => !now.some((one) => isSameRouter(was, one)));
  const routers = now.flatMap((one): PlannedChange[] => {
    const was = formerly(one);
    if (was !== undefined) return isSame(was, one) ? [] : [changedRouter(was, one, running.stateOf(was.name))];
    const namesake = gone.find(({ name }) => name === one.name);
    return [namesake === undefined ? newRouter(one) : replacedRouter(namesake, one, running.stateOf(one.name))];
  });
  const removed = gone
    .filter((was) => !now.some(({ name }) => name === was.name))
    .map((was) => leaf("removed", "vrrp_instance", was.name, [releases(was, running.stateOf(was.name))]));
  return [
    ...removed,
    ...routers,
    ...named("vrrp_sync_group", before?.syncGroups, after?.syncGroups, () => ["its members keep their states"]),
    ...named("vrrp_script", before?.scripts, after?.scripts, () => [
      "runs again at once; its verdict counts on until then",
    ]),
    ...named("track_file", before?.trackFiles, after?.trackFiles),
    ...named("vrrp_track_process", before?.trackProcesses, after?.trackProcesses),
    ...block("global_defs", before?.global, after?.global),
    ...block("static addresses, routes and rules", before?.statics, after?.statics),
  ];
}

/** As `vrrp/reconfigure.ts` has it: to its neighbours a router is a number on an interface. */
const isSameRouter = (a: VrrpInstance, b: VrrpInstance): boolean =>
  a.interface === b.interface &&
  a.virtualRouterId === b.virtualRouterId &&
  a.version === b.version &&
  a.family === b.family;

const addressesOf = (one: VrrpInstance): readonly VirtualAddress[] => [
  ...one.virtualAddresses,
  ...one.excludedAddresses,
];

const listOf = (addresses: readonly VirtualAddress[]): string =>
  addresses.length > 4
    ? `${addresses.length} addresses`
    : addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`).join(", ");

const newRouter = (one: VrrpInstance): PlannedChange =>
  leaf("added", "vrrp_instance", one.name, [
    `VRID ${one.virtualRouterId} on ${one.interface}, priority ${one.priority}, starts as BACKUP`,
  ]);

const releases = (was: VrrpInstance, state: string | undefined): string =>
  state === "MASTER"
    ? `sends priority 0 and lets ${listOf(addressesOf(was)) || "go"} go: another router takes over at once`
    : "holds no address now, nothing moves";

function replacedRouter(was: VrrpInstance, now: VrrpInstance, state: string | undefined): PlannedChange {
  const effect = `is a new virtual router to its neighbours: the old one ${releases(was, state)}; the new one starts as BACKUP`;
  return { ...leaf("changed", "vrrp_instance", now.name, [effect]), fields: fieldChanges(was, now) };
}

function changedRouter(was: VrrpInstance, now: VrrpInstance, state: string | undefined): PlannedChange {
  const missing = (one: VrrpInstance, other: VrrpInstance) =>
    addressesOf(one).filter((mine) => !addressesOf(other).some((theirs) => isSame(mine, theirs)));
  const [added, removed] = [missing(now, was), missing(was, now)];
  const master = state === "MASTER";
  const effects = [
    ...(state === undefined ? [] : [master ? "stays MASTER, no advert is missed" : `stays ${state}`]),
    ...(master && added.length > 0 ? [`${listOf(added)} is added and announced`] : []),
    ...(master && removed.length > 0 ? [`${listOf(removed)} is removed`] : []),
    ...(master && added.length + removed.length > 0 ? ["no other address moves"] : []),
    ...refusals(was, now),
    ...(now.priority < was.priority && master ? ["a router with a higher priority takes over"] : []),
    ...(now.priority > was.priority && state === "BACKUP" && !now.nopreempt
      ? ["takes over from a master with a lower priority"]
      : []),
  ];
  return { ...leaf("changed", "vrrp_instance", now.name, effects), fields: fieldChanges(was, now) };
}

/** What the others must have too, or they no longer hear each other. */
function refusals(was: VrrpInstance, now: VrrpInstance): string[] {
  const both = [
    ...(was.authPass === now.authPass ? [] : ["authentication"]),
    ...(now.version === 2 && was.advertInterval !== now.advertInterval ? ["advert_int"] : []),
    ...(was.multicastGroup === now.multicastGroup ? [] : ["multicast group"]),
    ...((was.unicastPeers === undefined) === (now.unicastPeers === undefined) ? [] : ["unicast or multicast"]),
  ];
  return both.length === 0 ? [] : [`other routers refuse its adverts until their ${both.join(" and ")} is the same`];
}

// ---- layer 4 and proxies

function planDirector(
  before: DirectorConfiguration | undefined,
  after: DirectorConfiguration | undefined,
): PlannedChange[] {
  return [
    ...named("virtual_server", before?.virtualServers, after?.virtualServers, (change) => [
      change === "removed" ? "its connections end" : change === "added" ? "its checks begin" : "its connections go on",
    ]),
    ...block("global_defs of virtual servers", before?.global, after?.global),
  ];
}

function planProxy(before: ProxyConfiguration | undefined, after: ProxyConfiguration | undefined): PlannedChange[] {
  const changes = [
    ...named("frontend", before?.frontends, after?.frontends),
    ...named("backend", before?.backends, after?.backends),
    ...block("global", before?.global, after?.global),
  ];
  if (changes.length === 0) return [];
  const effect = "new proxies take the listening sockets over; the old ones finish what they have";
  return [...changes, leaf("changed", "proxies", "", [effect])];
}

// ---- any block

const leaf = (
  change: PlannedChange["change"],
  what: string,
  name: string,
  effects: readonly string[],
): PlannedChange => ({
  change,
  what,
  name,
  fields: [],
  effects,
});

function named<T extends { readonly name: string }>(
  what: string,
  before: readonly T[] = [],
  after: readonly T[] = [],
  effects: (change: PlannedChange["change"]) => string[] = () => [],
): PlannedChange[] {
  const old = new Map(before.map((one) => [one.name, one]));
  const now = new Map(after.map((one) => [one.name, one]));
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((name): PlannedChange[] => {
    const [was, is] = [old.get(name), now.get(name)];
    if (was === undefined) return [leaf("added", what, name, effects("added"))];
    if (is === undefined) return [leaf("removed", what, name, effects("removed"))];
    // Where it stands in the file is no difference.
    const fields = fieldChanges(was, is, ["position"]);
    return fields.length === 0 ? [] : [{ ...leaf("changed", what, name, effects("changed")), fields }];
  });
}

function block(what: string, before: object | undefined, after: object | undefined): PlannedChange[] {
  if (before === undefined || after === undefined) return [];
  const fields = fieldChanges(before, after);
  return fields.length === 0 ? [] : [{ ...leaf("changed", what, "", []), fields }];
}
