/**
 * Who of a virtual router's members comes first, and whether a failing tracker changes that: the priorities with all
 * trackers well, then each tracker failing on the best router (keepalived's arithmetic: base and weights, 1 to 254).
 */

import type { VrrpInstance } from "../model/vrrp.ts";
import { weightsOf } from "./instance-lints.ts";
import { type Member, type PeerReport, spanOf, type Team, titleOf } from "./peers-report.ts";

const OWNER_PRIORITY = 255;

export function compareOrder(team: Team, report: PeerReport): void {
  const [first, second] = team;
  if (first === undefined || second === undefined) return;
  const comparable = team.every(({ instance }) => instance.virtualRouterId === first.instance.virtualRouterId);
  if (!comparable) return;
  reportEqual(team, report);
  reportNopreempt(team, report);
  reportUselessWeights(team, report);
}

function reportEqual(team: Team, report: PeerReport): void {
  const byPriority = new Map<number, Member>();
  for (const member of team) {
    const { priority } = member.instance;
    const before = byPriority.get(priority);
    if (before === undefined) {
      byPriority.set(priority, member);
      continue;
    }
    if (priority === OWNER_PRIORITY) {
      const message = `${titleOf(before)} and {other} both have priority 255: there can be one owner only, and both will be MASTER`;
      report.say(
        "error",
        "keepalived/peers-two-owners",
        "priority",
        [before, member],
        message,
        "Give all but one less",
      );
    } else {
      const message = `${titleOf(before)} and {other} both have priority ${priority}: whoever comes first is MASTER, and the higher address when both are`;
      report.say(
        "warning",
        "keepalived/peers-equal-priority",
        "priority",
        [before, member],
        message,
        "Give each another priority",
      );
    }
  }
}

const sorted = (team: Team, priorityOf: (instance: VrrpInstance) => number): readonly Member[] =>
  [...team].sort((a, b) => priorityOf(b.instance) - priorityOf(a.instance));

function reportNopreempt(team: Team, report: PeerReport): void {
  const [best, ...others] = sorted(team, wellPriority);
  if (best === undefined) return;
  const meant = team.filter((member) => spanOf(member, "nopreempt") !== spanOf(member, ""));
  const [cleared] = meant;
  if (cleared !== undefined && meant.length === team.length && team.every(({ instance }) => !instance.nopreempt)) {
    const message = `nopreempt holds on no router of ${titleOf(cleared)}: state MASTER, or priority 255, clears it on all of them`;
    report.say(
      "warning",
      "keepalived/peers-nopreempt-cleared",
      "nopreempt",
      [cleared],
      message,
      "Write state BACKUP on all routers",
    );
    return;
  }
  const wasted = others.find(({ instance }) => instance.nopreempt);
  if (wasted === undefined || best.instance.nopreempt) return;
  const message = `nopreempt of ${titleOf(wasted)} stops nobody: {other} has the higher priority and takes over whenever it comes back`;
  const help = "Write nopreempt on the router with the highest priority, with state BACKUP";
  report.say("warning", "keepalived/peers-nopreempt-wasted", "nopreempt", [wasted, best], message, help);
}

const clamped = (priority: number): number => Math.max(1, Math.min(OWNER_PRIORITY - 1, priority));

/** A weight counts while its tracker is well when it is positive, and while it fails when it is negative. */
const gainWhenWell = (weight: number): number => Math.max(0, weight);
const gainWhenFailing = (weight: number): number => Math.min(0, weight);

/** With every tracker well. Those of files are numbers that nobody knows here. */
function wellPriority(instance: VrrpInstance): number {
  if (instance.priority === OWNER_PRIORITY) return OWNER_PRIORITY;
  return clamped(countedWeights(instance).reduce((sum, { weight }) => sum + gainWhenWell(weight), instance.priority));
}

const countedWeights = (instance: VrrpInstance) => weightsOf({ ...instance, trackFiles: [] });

function reportUselessWeights(team: Team, report: PeerReport): void {
  const [best, ...others] = sorted(team, wellPriority);
  const [next] = others;
  if (best === undefined || next === undefined || best.instance.priority === OWNER_PRIORITY) return;
  const well = countedWeights(best.instance).reduce(
    (sum, { weight }) => sum + gainWhenWell(weight),
    best.instance.priority,
  );
  const takers = others.filter(({ instance }) => !instance.nopreempt);
  const [taker] = takers;
  for (const { tracked, weight } of countedWeights(best.instance)) {
    const left = clamped(well - gainWhenWell(weight) + gainWhenFailing(weight));
    if (taker !== undefined && wellPriority(taker.instance) > left) continue;
    const rival = taker ?? next;
    const reason =
      taker === undefined
        ? "the others have nopreempt and leave it alone"
        : `{other} has ${wellPriority(rival.instance)} and stays BACKUP`;
    const message = `Nobody takes over when '${tracked}' fails on ${titleOf(best)}: its priority falls from ${clamped(well)} to ${left}, and ${reason}`;
    const gap = clamped(well) - wellPriority(rival.instance) + 1;
    const help =
      taker === undefined
        ? "Leave the weight away: a failure then means FAULT"
        : `Give a weight of more than ${gap - 1}, or leave it away: a failure then means FAULT`;
    report.say("warning", "keepalived/peers-weight-too-small", "track_script", [best, rival], message, help);
  }
}
