/**
 * Entering a state, and everything that it brings: adverts, addresses, gratuitous ARP, log lines, notifications, in
 * keepalived 2.2.7's order but for the first advert (see `claim`). No state is entered anywhere else.
 */

import { after, type Duration } from "../base/time.ts";
import type { NotifyScripts, ScriptCommand, VirtualAddress, VrrpInstance } from "../config/model/vrrp.ts";
import { advertPacket } from "./advert.ts";
import { counted } from "./counters.ts";
import { announceAll } from "./garp.ts";
import type { NotifyState, Output, StateName } from "./messages.ts";
import { masterDownOf, type RouterState } from "./router-state.ts";
import { log, type Step } from "./step.ts";

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
    ready: false,
    grace: false,
    preemptAt: null,
    reported: [],
    quietUntil: null,
  };
  if (entry.to === "MASTER") router = claim(step, instance, router);
  if (entry.to === "BACKUP") {
    router = { ...router, deadline: after(step.now, entry.wait ?? masterDownOf(instance, router)) };
  }
  const { name } = instance;
  const { priority, cause } = router;
  step.emit({ type: "state", instance: name, from: before.state, to: entry.to, priority, cause });
  if (line !== null || entry.to === "STOP") {
    step.emit(notification("INSTANCE", name, entry.to, priority, instance.notify));
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
  removeAddresses(step, instance);
  return {
    ...resigned,
    refreshAt: null,
    lapsed: false,
    secondBatch: null,
    periodicBatchAt: null,
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

/** Also at a start, for what an earlier process left behind. */
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

export function sendAdvert(step: Step, instance: VrrpInstance, router: RouterState, priority: number): RouterState {
  if (router.source === null) return router;
  const identification = (router.identification + 1) & 0xffff;
  const header = { source: router.source, destination: step.multicastGroup, identification };
  step.emit({
    type: "send-advert",
    instance: instance.name,
    interface: instance.interface,
    source: header.source,
    destination: header.destination,
    priority,
    packet: advertPacket(instance, priority, header).toHex(),
  });
  const sent = counted(router.counters, "adverts-sent");
  return { ...router, identification, counters: priority === 0 ? counted(sent, "priority-zero-sent") : sent };
}

/** The script of the state first, then the one that hears of all of them. */
export function notification(
  kind: "INSTANCE" | "GROUP",
  name: string,
  state: NotifyState,
  priority: number,
  scripts: NotifyScripts,
): Output {
  const own = { MASTER: scripts.master, BACKUP: scripts.backup, FAULT: scripts.fault, STOP: scripts.stop }[state];
  const any = scripts.any && { ...scripts.any, argv: [...scripts.any.argv, kind, name, state, String(priority)] };
  const commands = [own, any].filter((command): command is ScriptCommand => command !== undefined);
  return { type: "notify", kind, name, state, priority, commands };
}
