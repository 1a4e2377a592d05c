/**
 * Entering a state, and everything that it brings: adverts, addresses, gratuitous ARP, log lines, notifications, in
 * keepalived 2.2.7's order but for the first advert (see `claim`). No state is entered anywhere else.
 */

import { after, type Duration, type Instant } from "../base/time.ts";
import type { NotifyScripts, ScriptCommand, VirtualAddress, VrrpInstance } from "../config/model/vrrp.ts";
import { advertDigits } from "./advert.ts";
import { counted } from "./counters.ts";
import { announceAll } from "./garp.ts";
import { advertInterface } from "./host-state.ts";
import type { NotifyState, Output, StateName } from "./messages.ts";
import { masterDownOf, type RouterState, waitFrom } from "./router-state.ts";
import { log, logDetail, type Step } from "./step.ts";

export type Entry =
  | { readonly to: "MASTER"; readonly cause: string }
  | {
      readonly to: "BACKUP";
      readonly cause: string;
      /** Until it becomes master, unless somebody speaks; the master-down interval when absent. */
      readonly wait?: Duration;
      /** A master that gives up without having heard another one says so; `silent` leaves out the log line. */
      readonly resign?: "spoken" | "silent";
      /** In place of `Entering BACKUP STATE`; null enters without a line and without telling anybody. */
      readonly line?: string | null;
    }
  | {
      readonly to: "FAULT";
      readonly cause: string;
      readonly resign: "spoken" | "silent";
      /** The configuration has it no more. */
      readonly deleted?: boolean;
    }
  | { readonly to: "STOP"; readonly cause: string };

export function enter(step: Step, instance: VrrpInstance, before: RouterState, entry: Entry): RouterState {
  let router = before;
  const line = enteringLine(before.state, entry);
  if (line !== null) log(step, `(${instance.name}) ${line}`);
  if (before.state === "MASTER") router = release(step, instance, router, "resign" in entry ? entry.resign : undefined);
  router = {
    ...router,
    state: entry.to,
    since: step.now,
    cause: entry.cause,
    leaving: false,
    deadline: null,
    asideUntil: null,
    ready: false,
    grace: false,
    preemptAt: null,
    reported: [],
    quietUntil: null,
    sayAgain: {},
  };
  if (entry.to === "MASTER") router = claim(step, instance, router);
  if (entry.to === "BACKUP") {
    router = { ...router, deadline: waitFrom(step.now, router, entry.wait ?? masterDownOf(instance, router)) };
  }
  const { name } = instance;
  const { priority, cause } = router;
  step.emit({ type: "state", instance: name, from: before.state, to: entry.to, priority, cause });
  if (line !== null || entry.to === "STOP") {
    const isDeleted = entry.to === "FAULT" && entry.deleted === true && instance.notify.deleted !== undefined;
    step.emit(notification("INSTANCE", name, isDeleted ? "DELETED" : entry.to, priority, instance.notify));
  }
  return router;
}

function enteringLine(from: StateName, entry: Entry): string | null {
  switch (entry.to) {
    case "MASTER":
      return "Entering MASTER STATE";
    case "BACKUP":
      return entry.line === undefined ? "Entering BACKUP STATE" : entry.line;
    case "FAULT":
      return from === "INIT" ? "entering FAULT state" : "Entering FAULT STATE";
    case "STOP":
      return null;
    default:
      return entry satisfies never;
  }
}

/**
 * Takes the addresses: RFC 9568 §6.4.2 (375) to (395). The RFC and keepalived send the advert first; here the addresses
 * come first, because the master before lets go when it hears the advert, and nobody would answer in between.
 */
function claim(step: Step, instance: VrrpInstance, router: RouterState): RouterState {
  const { now, parameters } = step;
  const { garp, advertInterval, name } = instance;
  if (router.masterAdvertInterval !== advertInterval) {
    const [from, to] = [router.masterAdvertInterval, advertInterval].map((span) => `${span / 1_000}ms`);
    log(step, `(${name}) changing advert interval from ${from} to locally configured ${to}`);
  }
  addAddresses(step, instance, instance);
  addRoutes(step, instance, instance);
  const spoken = sendAdvert(step, instance, router, router.priority);
  announceAll(step, instance, garp.masterRepeat);
  const secondBatch =
    garp.masterDelay === 0
      ? null
      : { at: after(now, garp.masterDelay), rounds: garp.masterRepeat, afterLowerPriority: false };
  return {
    ...spoken,
    masterAdvertInterval: advertInterval,
    deadline: after(now, advertInterval),
    refreshAt: after(now, parameters.addressRefresh),
    lapsed: false,
    secondBatch,
    periodicBatchAt: garp.masterRefresh === 0 ? null : after(now, garp.masterRefresh),
    extraBatchAt: garp.extraInterfaces === 0 ? null : after(now, garp.extraInterfaces),
    counters: counted(spoken.counters, "became-master"),
  };
}

function release(
  step: Step,
  instance: VrrpInstance,
  router: RouterState,
  resign: "spoken" | "silent" | undefined,
): RouterState {
  const resigned = resign === undefined ? router : sendAdvert(step, instance, router, 0);
  if (resign === "spoken") log(step, `(${instance.name}) sent 0 priority`);
  letGo(step, instance);
  return {
    ...resigned,
    refreshAt: null,
    lapsed: false,
    secondBatch: null,
    periodicBatchAt: null,
    extraBatchAt: null,
    rival: null,
    restored: [],
    counters: counted(resigned.counters, "released-master"),
  };
}

/** An instance, or some of its addresses. */
export type Addresses = Pick<VrrpInstance, "virtualAddresses" | "excludedAddresses">;

export function addAddresses(step: Step, instance: VrrpInstance, addresses: Addresses): void {
  eachKind(step, instance, "setting", addresses, (address) =>
    step.emit({ type: "add-address", instance: instance.name, address }),
  );
}

/** All that it holds, in the order opposite to taking it. Also at a start, for what an earlier process left behind. */
export function letGo(step: Step, instance: VrrpInstance): void {
  removeRoutes(step, instance, instance);
  removeAddresses(step, instance);
}

/** An instance, or some of its routes and rules. */
export type Routes = Pick<VrrpInstance, "virtualRoutes" | "virtualRules">;

export function addRoutes(step: Step, { name }: VrrpInstance, { virtualRoutes, virtualRules }: Routes): void {
  if (virtualRoutes.length > 0) logDetail(step, `(${name}) setting Virtual Routes`);
  for (const route of virtualRoutes) step.emit({ type: "add-route", instance: name, route });
  if (virtualRules.length > 0) logDetail(step, `(${name}) setting Virtual Rules`);
  for (const rule of virtualRules) step.emit({ type: "add-rule", instance: name, rule });
}

export function removeRoutes(step: Step, { name }: VrrpInstance, { virtualRoutes, virtualRules }: Routes): void {
  if (virtualRules.length > 0) logDetail(step, `(${name}) removing Virtual Rules`);
  for (const rule of virtualRules.toReversed()) step.emit({ type: "remove-rule", instance: name, rule });
  if (virtualRoutes.length > 0) logDetail(step, `(${name}) removing Virtual Routes`);
  for (const route of virtualRoutes.toReversed()) step.emit({ type: "remove-route", instance: name, route });
}

export function removeAddresses(step: Step, instance: VrrpInstance, addresses: Addresses = instance): void {
  eachKind(step, instance, "removing", addresses, (address) => step.remove(instance, address));
}

/** keepalived's two lists, each with its line. */
function eachKind(
  step: Step,
  { name }: VrrpInstance,
  what: "setting" | "removing",
  { virtualAddresses, excludedAddresses }: Addresses,
  perform: (address: VirtualAddress) => void,
): void {
  if (virtualAddresses.length > 0) log(step, `(${name}) ${what} VIPs.`);
  virtualAddresses.forEach(perform);
  if (excludedAddresses.length > 0) log(step, `(${name}) ${what} E-VIPs.`);
  excludedAddresses.forEach(perform);
}

/** To the group, or to each of its peers; `due` is when a timer wanted it. */
export function sendAdvert(
  step: Step,
  instance: VrrpInstance,
  router: RouterState,
  priority: number,
  due: Instant | null = null,
): RouterState {
  const { source } = router;
  if (source === null) return router;
  // One for all peers, as keepalived 2.2.7 does.
  const identification = (router.identification + 1) & 0xffff;
  const destinations = instance.unicastPeers?.map(({ address }) => address) ?? [instance.multicastGroup];
  for (const destination of destinations) {
    step.emit({
      type: "send-advert",
      instance: instance.name,
      interface: advertInterface(instance),
      source,
      destination,
      priority,
      due,
      packet: advertDigits(instance, priority, { source, destination, identification }),
    });
  }
  const sent = counted(router.counters, "adverts-sent");
  return { ...router, identification, counters: priority === 0 ? counted(sent, "priority-zero-sent") : sent };
}

/** `priority` is the new one, `router` as it was. FIFOs hear of it too, under `notify_priority_changes`. */
export function tellPriority(
  step: Step,
  instance: VrrpInstance,
  { name, priority: from, state }: RouterState,
  priority: number,
  cause: string,
): void {
  step.emit({ type: "priority", instance: name, from, to: priority, cause });
  if (!instance.notifyPriorityChanges || (state !== "MASTER" && state !== "BACKUP")) return;
  step.emit(notification("INSTANCE", name, `${state}_PRIORITY`, priority, instance.notify));
}

/** The script of the state first, then the one that hears of all states. */
export function notification(
  kind: "INSTANCE" | "GROUP",
  name: string,
  state: NotifyState,
  priority: number,
  scripts: NotifyScripts,
): Output {
  const own = ownScript(state, scripts);
  const hears = scripts.any !== undefined && state !== "MASTER_RX_LOWER_PRI" && !isOfPriority(state);
  const any = hears && { ...scripts.any, argv: [...scripts.any.argv, kind, name, state, String(priority)] };
  const commands = [own, any].filter((command) => command !== undefined && command !== false);
  return { type: "notify", kind, name, state, priority, commands };
}

const isOfPriority = (state: NotifyState): boolean => state === "MASTER_PRIORITY" || state === "BACKUP_PRIORITY";

function ownScript(state: NotifyState, scripts: NotifyScripts): ScriptCommand | undefined {
  switch (state) {
    case "MASTER":
      return scripts.master;
    case "BACKUP":
      return scripts.backup;
    case "FAULT":
      return scripts.fault;
    case "STOP":
      return scripts.stop;
    case "DELETED":
      return scripts.deleted === "say-deleted" ? undefined : scripts.deleted;
    case "MASTER_RX_LOWER_PRI":
      return scripts.masterRxLowerPri;
    case "MASTER_PRIORITY":
    case "BACKUP_PRIORITY":
      return undefined;
    default:
      return state satisfies never;
  }
}
