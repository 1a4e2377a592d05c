/**
 * SIGHUP: applies the differences between two configurations. What has not changed does not notice: a master stays master
 * and its adverts go on in their rhythm. Scripts keep what they have found out.
 */

import { after } from "../base/time.ts";
import type { VirtualAddress, VrrpConfiguration, VrrpInstance } from "../config/model/vrrp.ts";
import { applyTrackers } from "./eligibility.ts";
import { type Addresses, addAddresses, addRoutes, enter, type Routes, removeAddresses, removeRoutes } from "./enter.ts";
import { allAddresses, announceAll } from "./garp.ts";
import { type Draft, instanceNamed } from "./host-state.ts";
import { masterDownOf, type RouterState, waitFrom } from "./router-state.ts";
import { newScript, type ScriptState } from "./scripts.ts";
import { admit } from "./start.ts";
import { log, type Step } from "./step.ts";
import { reconcileGroups } from "./sync-group.ts";
import { forgetUnnamed } from "./trackers.ts";

export function reconfigure(step: Step, draft: Draft, next: VrrpConfiguration): void {
  const before = draft.configuration;
  const formerly = (instance: VrrpInstance) => before.instances.find((old) => isSameRouter(old, instance));
  for (const router of draft.routers) {
    const instance = instanceNamed(draft, router.name);
    if (instance === undefined || next.instances.some((one) => isSameRouter(one, instance))) continue;
    enter(step, instance, router, { to: "FAULT", cause: "no longer configured", resign: "spoken", deleted: true });
  }
  draft.configuration = next;
  draft.scripts = next.scripts.map((script) => {
    const known = draft.scripts.find(({ name }) => name === script.name);
    const was = before.scripts.find(({ name }) => name === script.name);
    if (known === undefined) return newScript(script, step.now);
    sayWhatIsKept(step, known);
    return isSame(was, script) ? known : { ...known, against: 0, nextRun: step.now };
  });
  const kept = next.instances.flatMap((instance) => {
    const was = formerly(instance);
    const router = draft.routers.find(({ name }) => name === was?.name);
    return was === undefined || router === undefined ? [] : [{ was, instance, router }];
  });
  const masters = kept.filter(({ router }) => router.state === "MASTER");
  // First all that go: an address may move from one router to another.
  for (const { was, instance } of masters) {
    removeRoutes(step, was, routesWithout(was, instance));
    removeAddresses(step, was, without(was, instance));
  }
  for (const { was, instance } of masters) {
    announceNew(step, instance, without(instance, was));
    // Under another name they are known by that from now on.
    addRoutes(step, instance, was.name === instance.name ? routesWithout(instance, was) : instance);
  }
  draft.routers = kept.map(({ was, instance, router }) => {
    return isSame(was, instance) ? router : adjust(step, was, instance, { ...router, name: instance.name });
  });
  admit(
    step,
    draft,
    next.instances.filter((instance) => formerly(instance) === undefined),
  );
  forgetUnnamed(draft);
  applyTrackers(step, draft);
  reconcileGroups(step, draft);
}

/** Whatever it is called: to its neighbours it is a number on an interface, and its name may change. */
const isSameRouter = (a: VrrpInstance, b: VrrpInstance): boolean =>
  a.interface === b.interface &&
  a.virtualRouterId === b.virtualRouterId &&
  a.version === b.version &&
  a.family === b.family;

/** Both come from the same reader, so their keys are in the same order. */
const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function sayWhatIsKept(step: Step, { name, verdict }: ScriptState): void {
  if (verdict === "unknown") return;
  log(step, `VRRP_Script(${name}) considered ${verdict === "ok" ? "successful" : "unsuccessful"} on reload`);
}

function adjust(step: Step, was: VrrpInstance, instance: VrrpInstance, before: RouterState): RouterState {
  const router = { ...before, ownerConflict: before.ownerConflict && was.priority === instance.priority };
  if (was.advertInterval === instance.advertInterval) return router;
  if (router.state === "MASTER") {
    const soon = after(step.now, instance.advertInterval);
    const deadline = router.deadline !== null && router.deadline < soon ? router.deadline : soon;
    return { ...router, masterAdvertInterval: instance.advertInterval, deadline };
  }
  // In version 3 the master's word goes on to count until it is heard again.
  const learnt = instance.version === 3 && router.lastAdvert !== null;
  const adjusted = learnt ? router : { ...router, masterAdvertInterval: instance.advertInterval };
  if (router.state !== "BACKUP") return adjusted;
  return { ...adjusted, deadline: waitFrom(step.now, adjusted, masterDownOf(instance, adjusted)) };
}

function announceNew(step: Step, instance: VrrpInstance, added: Addresses): void {
  addAddresses(step, instance, added);
  announceAll(step, instance, instance.garp.masterRepeat, [...added.virtualAddresses, ...added.excludedAddresses]);
}

/** The addresses of one that the other has not: `virtual_ipaddress` may become `virtual_ipaddress_excluded` unnoticed. */
function without(one: VrrpInstance, other: VrrpInstance): Addresses {
  const isMissing = (address: VirtualAddress) => !allAddresses(other).some((known) => isSame(known, address));
  return {
    virtualAddresses: one.virtualAddresses.filter(isMissing),
    excludedAddresses: one.excludedAddresses.filter(isMissing),
  };
}

function routesWithout(one: VrrpInstance, other: VrrpInstance): Routes {
  return {
    virtualRoutes: one.virtualRoutes.filter((route) => !other.virtualRoutes.some((known) => isSame(known, route))),
    virtualRules: one.virtualRules.filter((rule) => !other.virtualRules.some((known) => isSame(known, rule))),
  };
}
