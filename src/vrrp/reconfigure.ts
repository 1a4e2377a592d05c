/**
 * SIGHUP: applies the differences between two configurations. What has not changed does not notice: a master stays master
 * and its adverts go on in their rhythm. Scripts keep what they have found out.
 */

import { after } from "../base/time.ts";
import type { VirtualAddress, VrrpConfiguration, VrrpInstance } from "../config/model/vrrp.ts";
import { applyTrackers } from "./eligibility.ts";
import { addAddresses, enter, removeAddresses } from "./enter.ts";
import { allAddresses, announceAll } from "./garp.ts";
import { type Draft, instanceNamed } from "./host-state.ts";
import { masterDownOf, type RouterState } from "./router-state.ts";
import { newScript, type ScriptState } from "./scripts.ts";
import { admit } from "./start.ts";
import { log, type Step } from "./step.ts";
import { reconcileGroups } from "./sync-group.ts";

export function reconfigure(step: Step, draft: Draft, next: VrrpConfiguration): void {
  const before = draft.configuration;
  const kept = new Set(
    before.instances
      .filter((old) => next.instances.some((instance) => isSameRouter(old, instance)))
      .map(({ name }) => name),
  );
  for (const router of draft.routers) {
    const instance = instanceNamed(draft, router.name);
    if (instance === undefined || kept.has(router.name)) continue;
    enter(step, instance, router, { to: "FAULT", cause: "no longer configured", resign: "spoken" });
  }
  draft.configuration = next;
  draft.scripts = next.scripts.map((script) => {
    const known = draft.scripts.find(({ name }) => name === script.name);
    const was = before.scripts.find(({ name }) => name === script.name);
    if (known === undefined) return newScript(script, step.now);
    sayWhatIsKept(step, known);
    return isSame(was, script) ? known : { ...known, against: 0, nextRun: step.now };
  });
  draft.routers = next.instances.flatMap((instance) => {
    const router = draft.routers.find(({ name }) => name === instance.name && kept.has(name));
    const was = before.instances.find(({ name }) => name === instance.name);
    if (router === undefined || was === undefined) return [];
    return [isSame(was, instance) ? router : adjust(step, was, instance, router)];
  });
  admit(
    step,
    draft,
    next.instances.filter(({ name }) => !kept.has(name)),
  );
  applyTrackers(step, draft);
  reconcileGroups(step, draft);
}

/** On another interface, with another number or version it is another virtual router, whatever its name. */
const isSameRouter = (a: VrrpInstance, b: VrrpInstance): boolean =>
  a.name === b.name &&
  a.interface === b.interface &&
  a.virtualRouterId === b.virtualRouterId &&
  a.version === b.version;

/** Both come from the same reader, so their keys are in the same order. */
const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function sayWhatIsKept(step: Step, { name, verdict }: ScriptState): void {
  if (verdict === "unknown") return;
  log(step, `VRRP_Script(${name}) considered ${verdict === "ok" ? "successful" : "unsuccessful"} on reload`);
}

function adjust(step: Step, was: VrrpInstance, instance: VrrpInstance, before: RouterState): RouterState {
  const router = { ...before, ownerConflict: before.ownerConflict && was.priority === instance.priority };
  if (router.state === "MASTER") moveAddresses(step, was, instance);
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
  return { ...adjusted, deadline: after(step.now, masterDownOf(instance, adjusted)) };
}

function moveAddresses(step: Step, was: VrrpInstance, instance: VrrpInstance): void {
  removeAddresses(step, was, without(was, instance));
  const added = without(instance, was);
  addAddresses(step, instance, added);
  announceAll(step, instance, instance.garp.masterRepeat, [...added.virtualAddresses, ...added.excludedAddresses]);
}

/** The addresses of one that the other has not: `virtual_ipaddress` may become `virtual_ipaddress_excluded` unnoticed. */
function without(one: VrrpInstance, other: VrrpInstance) {
  const isMissing = (address: VirtualAddress) => !allAddresses(other).some((known) => isSame(known, address));
  return {
    virtualAddresses: one.virtualAddresses.filter(isMissing),
    excludedAddresses: one.excludedAddresses.filter(isMissing),
  };
}
