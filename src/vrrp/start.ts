/** The first input: what an earlier process left is removed, and every virtual router enters its first state. */

import { after, inSeconds, microseconds } from "../base/time.ts";
import type { VrrpInstance } from "../config/model/vrrp.ts";
import { mayTakePart, updateStandings } from "./eligibility.ts";
import { enter, letGo } from "./enter.ts";
import { type Draft, groupOf, isVirtual, membersOf, routerNamed } from "./host-state.ts";
import type { InterfaceReport } from "./messages.ts";
import { newRouter, OWNER_PRIORITY, type RouterState } from "./router-state.ts";
import { newScript } from "./scripts.ts";
import { log, type Step } from "./step.ts";
import { chain, together } from "./verdict.ts";

export function start(step: Step, draft: Draft, interfaces: readonly InterfaceReport[]): void {
  const { instances, scripts, global } = draft.configuration;
  draft.phase = "running";
  draft.interfaces = interfaces.map((report) => ({ ...report, removing: [] }));
  draft.scripts = scripts.map((script) => newScript(script, step.now));
  if (global.startupDelay > 0) log(step, `Delaying startup for ${inSeconds(global.startupDelay)} seconds`);
  for (const { name, addresses } of interfaces) {
    for (const address of addresses) {
      if (!isVirtual(draft, address)) log(step, `Assigned address ${address} for interface ${name}`);
    }
  }
  admit(step, draft, instances, global.startupDelay);
}

/** Virtual routers that were not there before: at a start all of them, after `delay`. */
export function admit(step: Step, draft: Draft, instances: readonly VrrpInstance[], delay = microseconds(0)): void {
  const delayedUntil = delay === 0 ? null : after(step.now, delay);
  draft.routers = [
    ...draft.routers,
    ...instances.map((instance) => ({ ...newRouter(instance, step.now), delayedUntil })),
  ];
  updateStandings(step, draft);
  for (const { name } of instances) {
    const verdicts = routerNamed(draft, name)?.verdicts ?? [];
    for (const { line } of verdicts.filter(({ fault }) => fault)) log(step, `(${name})${line}`);
  }
  for (const instance of instances) letGo(step, instance);
  draft.routers = draft.routers.map((router) => {
    const instance = instances.find(({ name }) => name === router.name);
    return instance === undefined ? router : enterFirst(step, draft, instance, router);
  });
}

function enterFirst(step: Step, draft: Draft, instance: VrrpInstance, router: RouterState): RouterState {
  const cause = faultOf(draft, router);
  if (cause !== undefined) return enter(step, instance, router, { to: "FAULT", cause, resign: "silent" });
  if (!mayTakePart(draft, router.name)) return { ...router, cause: "waits for its trackers" };
  if (instance.priority === OWNER_PRIORITY) {
    return enter(step, instance, router, {
      to: "BACKUP",
      cause: "started as owner",
      line: null,
      wait: microseconds(0),
    });
  }
  return enter(step, instance, router, { to: "BACKUP", cause: "started", line: "Entering BACKUP STATE (init)" });
}

/** Its own fault, or else the first one in its sync group. */
function faultOf(draft: Draft, router: RouterState): string | undefined {
  if (router.faults.length > 0) return together(router.faults);
  const group = groupOf(draft, router.name);
  if (group === undefined) return undefined;
  const faulty = membersOf(draft, group).find(({ faults }) => faults.length > 0);
  return faulty && chain(together(faulty.faults), `${faulty.name} FAULT`, `group ${group.name}`);
}
