/**
 * Applies what the trackers say: priorities change, and virtual routers go to FAULT and come back. A sync group is as
 * able as the least able of its members.
 */

import { microseconds } from "../base/time.ts";
import type { VrrpInstance } from "../config/model/vrrp.ts";
import { enter, tellPriority } from "./enter.ts";
import {
  type Draft,
  groupOf,
  type HostState,
  instanceNamed,
  interfaceNamed,
  membersOf,
  routerNamed,
  sourceOf,
} from "./host-state.ts";
import { OWNER_PRIORITY, type RouterState } from "./router-state.ts";
import { log, type Step } from "./step.ts";
import { change } from "./sync-group.ts";
import { type HostView, standingOf } from "./tracking.ts";
import { faultsIn, pendingIn, together, type Verdict, whatHasChanged } from "./verdict.ts";

/** After every input that a tracker may depend on. */
export function applyTrackers(step: Step, draft: Draft): void {
  const were = new Map(draft.routers.map((router) => [router.name, router]));
  const wasHeldBack = (name: string): boolean => {
    const router = were.get(name);
    return router !== undefined && isHeldBack(router);
  };
  updateStandings(step, draft);
  for (const { name, faults } of draft.routers) {
    if (faults.length === 0 || !isTakingPart(routerNamed(draft, name))) continue;
    const cause = together(faults);
    change(step, draft, name, (instance, router) =>
      enter(step, instance, router, { to: "FAULT", cause, resign: "spoken" }),
    );
  }
  // Those that come back take their groups along, so they go first.
  const order = [...draft.routers].sort((a, b) => Number(wasHeldBack(b.name)) - Number(wasHeldBack(a.name)));
  for (const { name } of order) {
    const router = routerNamed(draft, name);
    if (router === undefined || (router.state !== "FAULT" && router.state !== "INIT") || !mayTakePart(draft, name))
      continue;
    const cause = whatLetItGo(were.get(name)?.verdicts ?? [], router);
    // Only one that a new configuration put into a running group finds a master there.
    const to = groupIsMaster(draft, name) ? "MASTER" : "BACKUP";
    change(step, draft, name, (instance, waiting) => {
      // RFC 9568 §6.4.1 (350) is about a start, and this is one; after a fault an owner waits as keepalived lets it.
      const starts = waiting.state === "INIT" && instance.priority === OWNER_PRIORITY;
      return enter(step, instance, waiting, { to, cause, ...(starts ? { wait: microseconds(0) } : {}) });
    });
  }
}

/** Without any change of state: what holds now. Called alone at a start, before states are entered. */
export function updateStandings(step: Step, draft: Draft): void {
  draft.routers = draft.routers.map((router) => {
    const instance = instanceNamed(draft, router.name);
    if (instance === undefined || router.state === "STOP" || router.leaving) return router;
    const standing = standingOf(instance, groupOf(draft, router.name), viewOf(draft, instance));
    const { verdicts } = standing;
    const priority = router.ownerConflict ? OWNER_PRIORITY - 1 : standing.priority;
    if (priority !== router.priority) sayPriority(step, instance, router, priority, verdicts);
    const source = sourceOf(draft, instance) ?? router.source;
    return { ...router, priority, source, verdicts, faults: faultsIn(verdicts), pending: pendingIn(verdicts) };
  });
}

function sayPriority(
  step: Step,
  instance: VrrpInstance,
  router: RouterState,
  priority: number,
  verdicts: readonly Verdict[],
): void {
  log(step, `(${router.name}) Changing effective priority from ${router.priority} to ${priority}`);
  const weighs = (was: Verdict | undefined, is: Verdict | undefined) => was?.points !== is?.points;
  const cause = whatHasChanged(router.verdicts, verdicts, weighs) ?? "the configuration has changed";
  tellPriority(step, instance, router, priority, cause);
}

/** What was in the way says something else now. */
function whatLetItGo(before: readonly Verdict[], { verdicts, state }: RouterState): string {
  const inTheWay = (verdict: Verdict | undefined) => verdict?.fault === true || verdict?.pending === true;
  const change = whatHasChanged(before, verdicts, (was, is) => inTheWay(was) && !inTheWay(is));
  return change ?? (state === "INIT" ? "nothing holds it back" : "nothing is wrong with it any more");
}

/** Neither it nor its group has a fault or waits for a first result. */
export function mayTakePart(host: HostState, name: string): boolean {
  const group = groupOf(host, name);
  const router = routerNamed(host, name);
  const concerned = group === undefined ? (router === undefined ? [] : [router]) : membersOf(host, group);
  return concerned.every((member) => !isHeldBack(member));
}

function groupIsMaster(host: HostState, name: string): boolean {
  const group = groupOf(host, name);
  return group !== undefined && membersOf(host, group).some(({ state }) => state === "MASTER");
}

const isHeldBack = ({ faults, pending }: RouterState): boolean => faults.length > 0 || pending.length > 0;

const isTakingPart = (router: RouterState | undefined): boolean =>
  router !== undefined && router.state !== "FAULT" && router.state !== "STOP" && !router.leaving;

function viewOf(host: HostState, instance: VrrpInstance): HostView {
  return {
    configuration: host.configuration,
    interface: (name) => host.interfaces.find((known) => known.name === name),
    hasSource: sourceOf(host, instance) !== null,
    hasAddress: (name, address) => interfaceNamed(host, name).addresses.some((known) => known === address),
    script: (name) => host.scripts.find((script) => script.name === name),
    fileValue: (name) => host.files.find((file) => file.name === name)?.value,
    processCount: (name) => host.processes.find((process) => process.name === name)?.count,
    service: (kind, name) => host.services.find((service) => service.kind === kind && service.name === name),
  };
}
