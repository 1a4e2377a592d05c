/**
 * Applies what the trackers say: priorities change, and virtual routers go to FAULT and come back. A sync group is as
 * able as the least able of its members.
 */

import { enter } from "./enter.ts";
import { type Draft, groupOf, type HostState, interfaceNamed, membersOf, routerNamed, sourceOf } from "./host-state.ts";
import { OWNER_PRIORITY, type RouterState } from "./router-state.ts";
import { log, type Step } from "./step.ts";
import { change } from "./sync-group.ts";
import { type Standing, standingOf } from "./tracking.ts";

/** After every input that a tracker may depend on. */
export function applyTrackers(step: Step, draft: Draft): void {
  const were = new Map(draft.routers.map((router) => [router.name, isHeldBack(router)]));
  updateStandings(step, draft);
  for (const { name, faults } of draft.routers) {
    if (faults.length === 0 || !isTakingPart(routerNamed(draft, name))) continue;
    const cause = faults.join(", ");
    change(step, draft, name, (instance, router) =>
      enter(step, instance, router, { to: "FAULT", cause, resign: "spoken" }),
    );
  }
  // Those that come back take their groups along, so they go first.
  const order = [...draft.routers].sort((a, b) => Number(were.get(b.name)) - Number(were.get(a.name)));
  for (const { name } of order) {
    const router = routerNamed(draft, name);
    if (router === undefined || (router.state !== "FAULT" && router.state !== "INIT") || !mayTakePart(draft, name))
      continue;
    const cause = router.state === "INIT" ? "its scripts have reported" : `no longer: ${router.cause}`;
    // Only one that a new configuration put into a running group finds a master there.
    const to = groupIsMaster(draft, name) ? "MASTER" : "BACKUP";
    change(step, draft, name, (instance, waiting) => enter(step, instance, waiting, { to, cause }));
  }
}

/** Without any change of state: what holds now. Called alone at a start, before states are entered. */
export function updateStandings(step: Step, draft: Draft): void {
  draft.routers = draft.routers.map((router) => {
    const standing = standingOfRouter(draft, router);
    if (standing === undefined || router.state === "STOP" || router.leaving) return router;
    const priority = router.ownerConflict ? OWNER_PRIORITY - 1 : standing.priority;
    if (priority !== router.priority) {
      log(step, `(${router.name}) Changing effective priority from ${router.priority} to ${priority}`);
    }
    const source = standing.source ?? router.source;
    return { ...router, priority, source, faults: standing.faults, pending: standing.pending };
  });
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

function standingOfRouter(
  host: HostState,
  router: RouterState,
): (Standing & { source: RouterState["source"] }) | undefined {
  const instance = host.configuration.instances.find(({ name }) => name === router.name);
  if (instance === undefined) return undefined;
  const source = sourceOf(host, instance);
  const standing = standingOf(instance, groupOf(host, instance.name), {
    isUp: (name) => interfaceNamed(host, name).up,
    hasSource: source !== null,
    verdict: (script) => host.scripts.find(({ name }) => name === script)?.verdict ?? "ok",
  });
  return { ...standing, source };
}
