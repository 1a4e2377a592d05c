/**
 * `vrrp_sync_group`: its members are in the same state. One that changes takes the others along; none becomes master
 * before all can.
 */

import { compareIp } from "../base/ip.ts";
import { after, microseconds } from "../base/time.ts";
import type { SyncGroup, VrrpInstance } from "../config/model/vrrp.ts";
import { type Entry, enter, notification, tellPriority } from "./enter.ts";
import {
  type Draft,
  type GroupState,
  groupOf,
  instanceNamed,
  membersOf,
  routerNamed,
  routerPosition,
} from "./host-state.ts";
import { OWNER_PRIORITY, type RouterState, skewOf } from "./router-state.ts";
import { log, type Step } from "./step.ts";
import { chain } from "./verdict.ts";

/** Does something with one router, and takes its sync group along when that changed its state. */
export function change(
  step: Step,
  draft: Draft,
  name: string,
  action: (instance: VrrpInstance, router: RouterState) => RouterState,
): void {
  const before = apply(draft, name, action);
  const now = routerNamed(draft, name);
  if (before === undefined || now === undefined) return;
  const group = groupOf(draft, name);
  if (group === undefined) return;
  if (now.ownerConflict && !before.ownerConflict) yieldTogether(step, draft, group, now);
  if (before.state === now.state) return;
  if (before.state === "MASTER" && now.state === "BACKUP") stepAside(step, draft, group, now);
  const to = now.state;
  const cause = chain(now.cause, `${name} ${to}`);
  draft.groups = draft.groups.map((known) => (known.name === group.name ? { ...known, cause } : known));
  if (to === "INIT" || to === "STOP") return;
  const followers = membersOf(draft, group).filter(({ state }) => state !== to);
  if (followers.length === 0) return;
  log(step, `VRRP_Group(${group.name}) Syncing instances to ${to} state`);
  const resigned = now.counters["priority-zero-sent"] > before.counters["priority-zero-sent"];
  for (const { name: follower } of followers) {
    apply(draft, follower, (instance, router) =>
      enter(step, instance, router, following(instance, router, to, chain(cause, `group ${group.name}`), resigned)),
    );
  }
}

/**
 * One that gives up its ownership takes those of the others along: two groups of owners that each gave up another member
 * would outvote each other for ever.
 */
function yieldTogether(step: Step, draft: Draft, group: SyncGroup, { name, priority }: RouterState): void {
  const owners = membersOf(draft, group).filter((member) => member.priority === OWNER_PRIORITY);
  for (const owner of owners) {
    apply(draft, owner.name, (instance, router) => {
      tellPriority(step, instance, router, priority, chain(`${name} is not the only owner`, `group ${group.name}`));
      return { ...router, ownerConflict: true, priority };
    });
  }
}

/**
 * Two groups of the same priority of which each has the lower address on another LAN may give way to each other at the
 * same moment, and would come back at the same moment, again and again. The one with the lower address on a LAN that both
 * know as the first waits longest. The other one waits too: keepalived would come back after the plain interval.
 */
function stepAside(step: Step, draft: Draft, group: SyncGroup, router: RouterState): void {
  const { lastAdvert, deadline, masterAdvertInterval } = router;
  if (deadline === null || lastAdvert?.at !== step.now || lastAdvert.priority !== router.priority) return;
  const [first] = membersOf(draft, group).toSorted((a, b) => (placeOf(draft, a) < placeOf(draft, b) ? -1 : 1));
  if (first === undefined) return;
  // Not heard there yet: the orders are opposite, or the other one would not give way.
  const isLower = first.name === router.name || isOutranked(first);
  const extra = microseconds(masterAdvertInterval * (isLower ? 1.5 : 0.5));
  const asideUntil = after(deadline, extra);
  apply(draft, router.name, (_, waiting) => ({ ...waiting, deadline: asideUntil, asideUntil }));
}

const isOutranked = ({ lastAdvert, source }: RouterState): boolean =>
  lastAdvert !== null && source !== null && compareIp(lastAdvert.from, source) > 0;

/** The same on all routers, whatever the order of a group's members. */
const placeOf = (draft: Draft, { name }: RouterState): string =>
  (instanceNamed(draft, name)?.virtualAddresses ?? []).map(({ address }) => address).sort()[0] ?? name;

/** True when nothing in its group holds the router back: the others are master, or wait for it. */
export function mayBecomeMaster(draft: Draft, name: string): boolean {
  const group = groupOf(draft, name);
  if (group === undefined) return true;
  return membersOf(draft, group).every((member) => member.name === name || member.state === "MASTER" || member.ready);
}

/** Says what has become of the groups whose members all agree. */
export function settleGroups(step: Step, draft: Draft): void {
  draft.groups = draft.configuration.syncGroups.map((group) => {
    const before = draft.groups.find(({ name }) => name === group.name) ?? newGroup(group);
    const [first, ...others] = membersOf(draft, group);
    if (first === undefined || first.state === before.state) return before;
    if (others.some(({ state }) => state !== first.state)) return before;
    const { state } = first;
    const cause = before.state === "INIT" ? chain(first.cause, `${first.name} ${state}`) : before.cause;
    step.emit({ type: "group-state", group: group.name, from: before.state, to: state, cause });
    if (state !== "INIT") step.emit(notification("GROUP", group.name, state, 0, group.notify));
    return { name: group.name, state, cause };
  });
}

const newGroup = ({ name }: SyncGroup): GroupState => ({ name, state: "INIT", cause: "not started" });

/** After a change of the configuration: brings members together that were in different groups, or in none. */
export function reconcileGroups(step: Step, draft: Draft): void {
  for (const group of draft.configuration.syncGroups) {
    const members = membersOf(draft, group);
    const leader = members.find(({ state }) => state === "FAULT") ?? members.find(({ state }) => state === "MASTER");
    if (leader === undefined) continue;
    const to = leader.state === "FAULT" ? "FAULT" : "MASTER";
    const cause = chain("the configuration has changed", `${leader.name} is ${to}`, `group ${group.name}`);
    for (const member of members) {
      if (member.state === "INIT" || member.state === to) continue;
      apply(draft, member.name, (instance, router) =>
        enter(step, instance, router, following(instance, router, to, cause, false)),
      );
    }
  }
}

function apply(
  draft: Draft,
  name: string,
  action: (instance: VrrpInstance, router: RouterState) => RouterState,
): RouterState | undefined {
  const instance = instanceNamed(draft, name);
  const position = routerPosition(draft, name);
  const before = position === undefined ? undefined : draft.routers[position];
  if (instance === undefined || position === undefined || before === undefined) return undefined;
  const next = action(instance, before);
  draft.routers[position] = next;
  return before;
}

/** Only the member that began says aloud that it gives up (keepalived 2.2.7). */
function following(
  instance: VrrpInstance,
  router: RouterState,
  to: "BACKUP" | "MASTER" | "FAULT",
  cause: string,
  leaderResigned: boolean,
): Entry {
  switch (to) {
    case "MASTER":
      return { to, cause };
    case "FAULT":
      return { to, cause, resign: "silent" };
    case "BACKUP":
      // Nobody has been heard that takes over, so the peers must not wait for this one either.
      return leaderResigned ? { to, cause, resign: "silent", wait: skewOf(instance, router) } : { to, cause };
    default:
      return to satisfies never;
  }
}
