/** What to say of a wish that cannot come true: why, and the nearest things that work. */

import { leastShare, sum } from "./bound.ts";
import { type PlanAnswer, planned } from "./planner.ts";
import { fits, limitOf, MOST_HOSTS, type PlanProblem } from "./problem.ts";
import { formatRate, formatShare } from "./rate.ts";

export interface Advice {
  readonly reason: string;
  /** Each would do by itself. */
  readonly nearest: readonly string[];
}

/** Undefined when the chosen plan fits. */
export function adviceFor({ problem, chosen, trials }: PlanAnswer): Advice | undefined {
  if (chosen?.fits) return undefined;
  const { links, failures, traffic } = problem;
  const left = links.length - failures;
  const share = leastShare(traffic, links, failures);
  if (!fits(share, problem)) {
    const slowest = sum(links.toSorted((a, b) => a - b).slice(0, left));
    const whose = links.every((link) => link === links[0]) ? "" : " when the fastest fail";
    return {
      reason: `${hosts(left)} left after ${failures} failed${whose} ${left === 1 ? "has" : "have"} ${formatRate(slowest)} together; ${formatRate(traffic)} would use ${formatShare(share)} of that, ${allowed(problem)}. No number of VIPs helps.`,
      nearest: alternatives(problem, share),
    };
  }
  const worst = chosen?.arrangement?.outcome.worst.at(-1);
  if (chosen === undefined || worst === undefined) return { reason: "no plan could be computed exactly", nearest: [] };
  const largest = Math.max(...(problem.vipLoads ?? [traffic / chosen.vips]));
  const fastest = links.toSorted((a, b) => b - a)[failures] ?? 1;
  const busiest = `the busiest link is used to ${formatShare(worst.use)}, ${allowed(problem)}`;
  const reason = !fits(largest / fastest, problem)
    ? `A VIP of ${formatRate(largest)} moves whole, and no link left after ${failures} failed takes it.`
    : chosen.arrangement?.proven
      ? `A VIP moves whole: with ${chosen.vips} VIPs ${busiest}, whatever the priorities.`
      : `With ${chosen.vips} VIPs no better priorities were found: ${busiest}. It is not proven that there are none.`;
  const strictly = problem.headroom === 0 ? "more than " : "";
  const scaled = worst.use / limitOf(problem);
  const faster = links.every((link) => link === links[0])
    ? `links of ${strictly}${formatRate(rounded(scaled * (links[0] ?? 1), Math.ceil))}`
    : `links ${strictly}${rounded(scaled, Math.ceil)} times as fast`;
  return {
    reason,
    nearest: [
      ...(problem.vipLoads === undefined && trials.length === 1 ? otherCounts(problem) : []),
      ...(problem.vipLoads === undefined ? [] : ["VIPs with smaller loads: divide the largest"]),
      ...(worst.use < 1 ? [`these VIPs with a head-room of ${percentBelow(1 - worst.use)}`] : []),
      `these VIPs on ${faster}`,
    ],
  };
}

const hosts = (count: number): string => (count === 1 ? "The one host" : `The ${count} hosts`);

const allowed = (problem: PlanProblem): string =>
  problem.headroom === 0
    ? "and a full link is degraded"
    : `and with ${formatShare(problem.headroom)} head-room ${formatShare(limitOf(problem))} is allowed`;

/** Rounded down, so that what is named works. */
const percentBelow = (share: number): string => `${Math.floor(share * 1000 + 1e-6) / 10} %`;

/** To four digits, in the direction in which what is named still works. */
function rounded(value: number, round: (value: number) => number): number {
  const unit = 10 ** (Math.floor(Math.log10(value)) - 3);
  return Number((round(Number((value / unit).toFixed(6))) * unit).toPrecision(4));
}

function otherCounts(problem: PlanProblem): string[] {
  const other = planned(problem);
  return other.chosen?.fits ? [`${other.chosen.vips} VIPs`] : [];
}

function alternatives(problem: PlanProblem, share: number): string[] {
  const { links, failures, traffic, vipLoads } = problem;
  const found: string[] = [];
  const fastest = Math.max(...links);
  const same = links.every((link) => link === fastest);
  const sharePer = (more: number) =>
    leastShare(traffic, [...links, ...new Array<number>(more).fill(fastest)], failures);
  let more = 1;
  while (links.length + more <= MOST_HOSTS && !fits(sharePer(more), problem)) more++;
  if (links.length + more <= MOST_HOSTS) {
    const larger = { ...problem, links: [...links, ...new Array<number>(more).fill(fastest)] };
    const count = vipLoads === undefined ? vipsFor(larger) : undefined;
    const which = `${links.length + more} hosts: ${more} more of ${formatRate(fastest)}`;
    if (count !== undefined) found.push(`${which}, with ${count} VIPs`);
    else if (vipLoads !== undefined) found.push(`${which}, if the VIPs can be arranged`);
  }
  const fewer = Array.from({ length: failures }, (_, k) => failures - 1 - k).find((k) =>
    fits(leastShare(traffic, links, k), problem),
  );
  if (fewer !== undefined) {
    const count = vipLoads === undefined ? vipsFor({ ...problem, failures: fewer }) : undefined;
    if (count !== undefined) found.push(`${fewer} failure${fewer === 1 ? "" : "s"} at most, with ${count} VIPs`);
  }
  const strictly = problem.headroom === 0 ? "more than " : "";
  if (same) found.push(`links of ${strictly}${formatRate(rounded((share * fastest) / limitOf(problem), Math.ceil))}`);
  found.push(
    `${problem.headroom === 0 ? "less than" : "at most"} ${formatRate(rounded((traffic * limitOf(problem)) / share, Math.floor))} of traffic`,
  );
  if (share < 1 && problem.headroom > 0) found.push(`a head-room of ${percentBelow(1 - share)}`);
  return found;
}

function vipsFor(problem: PlanProblem): number | undefined {
  const { chosen } = planned(problem);
  return chosen?.fits ? chosen.vips : undefined;
}
