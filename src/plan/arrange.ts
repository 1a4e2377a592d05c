/**
 * The best orders for VIPs of given loads: the least worst use after the most failures, then the best balance after fewer.
 *
 * A search proposes; bounds or a search through everything prove. What is said of a plan (`outcome`) is always exact, whether
 * or not it is proven that no better one exists.
 */

import { dealtEqually, leastWorstUse, sum } from "./bound.ts";
import { decide } from "./exhaustive.ts";
import { countUpTo } from "./failure-sets.ts";
import { loadsUnder, type Outcome, outcomeOf } from "./outcome.ts";
import { CLOSE, EVEN_TOLERANCE, limitOf, type PlannedVip, type PlanProblem } from "./problem.ts";
import { searchRotations } from "./rotation.ts";
import { search } from "./search.ts";

export interface Arrangement {
  readonly vips: readonly PlannedVip[];
  readonly outcome: Outcome;
  /** No orders do better after the most failures (with the spread that was asked for). */
  readonly proven: boolean;
  /** What no orders get below. */
  readonly bound: number;
  /** With all hosts up no link is used more than a tenth above the average. */
  readonly even: boolean;
}

const MOST_SETS_SEARCHED = 20_000;

export const evenTarget = (traffic: number, links: readonly number[]): number =>
  (traffic / sum(links)) * (1 + EVEN_TOLERANCE);

/** Whether `count` equal VIPs can be spread evenly at all while all hosts are up. */
export const canBeEven = (count: number, { traffic, links }: PlanProblem): boolean =>
  dealtEqually(count, traffic / count, links) <= evenTarget(traffic, links) + CLOSE;

/** Undefined when the outcome is beyond what can be computed exactly. */
export function arrange(problem: PlanProblem, loads: readonly number[], effort: number): Arrangement | undefined {
  if (problem.spread === "even") {
    const equal = loads.every((load) => load === loads[0]);
    const target = evenTarget(problem.traffic, problem.links);
    if (!equal || canBeEven(loads.length, problem)) {
      const spread = arrangeWithin(problem, loads, effort, target);
      if (spread === undefined || spread.even) return spread;
    }
  }
  return arrangeWithin(problem, loads, effort, undefined);
}

function arrangeWithin(
  problem: PlanProblem,
  loads: readonly number[],
  effort: number,
  allUp: number | undefined,
): Arrangement | undefined {
  const { links, failures } = problem;
  const bounds = Array.from({ length: failures + 1 }, (_, failed) => leastWorstUse(loads, links, failed));
  const contest = new Contest(problem, loads, allUp);
  for (const orders of proposals(problem, loads, effort)) contest.enter(orders);
  if (contest.best === undefined) return undefined;
  const bound = bounds[failures] ?? 0;
  const proven = failures > 0 && improve(problem, loads, effort, contest, bound, allUp);
  polish(problem, effort, contest, bounds, allUp);
  const { vips, outcome } = contest.best;
  const worst = outcome.worst[failures]?.use ?? 0;
  return {
    vips,
    outcome,
    proven: proven || worst <= bound + CLOSE,
    bound: proven ? worst : bound,
    even: (outcome.worst[0]?.use ?? 0) <= evenTarget(problem.traffic, links) + CLOSE,
  };
}

interface Candidate {
  readonly vips: readonly PlannedVip[];
  readonly outcome: Outcome;
}

/** Keeps the best plan that was entered. */
class Contest {
  best: Candidate | undefined;
  readonly #problem: PlanProblem;
  readonly #loads: readonly number[];
  readonly #allUp: number | undefined;

  constructor(problem: PlanProblem, loads: readonly number[], allUp: number | undefined) {
    this.#problem = problem;
    this.#loads = loads;
    this.#allUp = allUp;
  }

  get worst(): number {
    return this.best?.outcome.worst.at(-1)?.use ?? Number.POSITIVE_INFINITY;
  }

  enter(orders: readonly (readonly number[])[]): void {
    const vips = this.#loads.map((load, vip) => ({ load, order: orders[vip] ?? [] }));
    const outcome = outcomeOf(vips, this.#problem.links, this.#problem.failures);
    if (outcome === undefined) return;
    if (this.best === undefined || this.#before({ vips, outcome }, this.best)) this.best = { vips, outcome };
  }

  /** Even comes first when it is asked for; then the most failures count, and fewer decide between equals. */
  #before(a: Candidate, b: Candidate): boolean {
    const { links } = this.#problem;
    const [keys, others] = [a, b].map(({ outcome: { worst }, vips }) => [
      Math.max(0, (worst[0]?.use ?? 0) - (this.#allUp ?? Number.POSITIVE_INFINITY)),
      ...worst.map(({ use }) => use).toReversed(),
      // The same worst uses: rather two hosts half used than one.
      sum(loadsUnder(vips, links.length, 0).map((load, host) => (load / (links[host] ?? 1)) ** 2)),
    ]);
    for (const [index, key] of (keys ?? []).entries()) {
      const difference = key - (others?.[index] ?? 0);
      if (Math.abs(difference) > CLOSE) return difference < 0;
    }
    return false;
  }
}

/** Orders to start from: dealt by weight, and those of a rotation where every host is like the others. */
function* proposals({ links, failures }: PlanProblem, loads: readonly number[], effort: number) {
  yield dealt(loads, links);
  const hosts = links.length;
  const alike = links.every((link) => link === links[0]) && loads.every((load) => load === loads[0]);
  if (!alike || loads.length % hosts !== 0 || hosts < 3 || failures < 1) return;
  const depth = depthOf(hosts - 1, failures, 200_000);
  const targets = Array.from({ length: depth + 1 }, (_, failed) => Math.ceil(loads.length / (hosts - failed)));
  yield searchRotations({
    hosts,
    bases: loads.length / hosts,
    failures: depth,
    targets,
    effort: 3 * effort,
    seed: loads.length,
  }).orders;
}

/** The heaviest first, each to the host where it hurts least; the others follow in a turn that differs from VIP to VIP. */
function dealt(loads: readonly number[], links: readonly number[]): number[][] {
  const used = links.map(() => 0);
  const held = links.map(() => 0);
  const orders: number[][] = loads.map(() => []);
  for (const vip of [...loads.keys()].sort((a, b) => (loads[b] ?? 0) - (loads[a] ?? 0))) {
    const load = loads[vip] ?? 0;
    const after = links.map((link, host) => (used[host] ?? 0) + load / link);
    const owner = after.indexOf(Math.min(...after));
    const others = [...links.keys()].filter((host) => host !== owner);
    const start = (owner + (held[owner] ?? 0)) % Math.max(1, others.length);
    orders[vip] = [owner, ...others.slice(start), ...others.slice(0, start)];
    used[owner] = after[owner] ?? 0;
    held[owner] = (held[owner] ?? 0) + 1;
  }
  return orders;
}

/** Tries target after target from below. True when it is proven that the contest's best has the least worst use. */
function improve(
  { links, failures, headroom }: PlanProblem,
  loads: readonly number[],
  effort: number,
  contest: Contest,
  bound: number,
  allUp: number | undefined,
): boolean {
  const depth = depthOf(links.length, failures, MOST_SETS_SEARCHED);
  const only = (value: number) => Array.from({ length: depth + 1 }, (_, size) => (size === depth ? value : undefined));
  // Last what is wanted: a looser target is met where tighter ones only came near.
  const wanted = Math.min(limitOf({ headroom }), 1 - 2 * CLOSE);
  for (const target of chained(rungs(loads, links, bound, contest), Math.max(bound, wanted))) {
    if (contest.worst <= target + CLOSE) break;
    const targets = only(target);
    if (allUp !== undefined && depth > 0) targets[0] = allUp;
    const weights = targets.map((one, size) => (one === undefined ? 0 : size === 0 ? 4 : 1));
    const look = (steps: number) => {
      const { vips } = contest.best ?? { vips: [] };
      const task = { vips, links, failures: depth, targets, weights, effort: steps, seed: loads.length };
      contest.enter(search(task).vips.map(({ order }) => order));
    };
    // A short search starts from what is well spread; looking through everything finds any orders, or that there are none.
    look(effort / 50);
    if (contest.worst <= target + CLOSE) break;
    const verdict = depth < failures ? undefined : decide(loads, links, failures, targets, effort / 4);
    if (verdict?.kind === "found") contest.enter(verdict.orders);
    if (verdict === undefined || verdict.kind === "gave-up") look(effort);
  }
  if (contest.worst <= bound + CLOSE) return true;
  if (depth < failures) return false;
  const below = only(contest.worst * (1 - 1e-6));
  if (allUp !== undefined && depth > 0) below[0] = allUp;
  const last = decide(loads, links, failures, below, effort);
  if (last.kind === "found") contest.enter(last.orders);
  return last.kind === "none";
}

function* chained(first: Iterable<number>, last: number): Generator<number> {
  yield* first;
  yield last;
}

/** Uses worth trying, the least first: with equal VIPs those that whole VIPs make, else by halving. */
function* rungs(
  loads: readonly number[],
  links: readonly number[],
  bound: number,
  contest: Contest,
): Generator<number> {
  const [load = 0] = loads;
  if (loads.every((one) => one === load)) {
    const speeds = [...new Set(links)];
    const uses = speeds.flatMap((link) => loads.map((_, index) => ((index + 1) * load) / link));
    const between = [...new Set(uses)].filter((use) => use >= bound - CLOSE && use < contest.worst - CLOSE);
    yield* between.toSorted((a, b) => a - b).slice(0, 4);
    return;
  }
  yield bound;
  let low = bound;
  for (let round = 0; round < 5 && contest.worst > low * 1.001; round++) {
    const target = (low + contest.worst) / 2;
    yield target;
    if (contest.worst > target + CLOSE) low = target;
  }
}

/** Balances what happens after fewer failures, and leaves what was reached after the most. */
function polish(
  { links, failures }: PlanProblem,
  effort: number,
  contest: Contest,
  bounds: readonly number[],
  allUp: number | undefined,
): void {
  const { best } = contest;
  const depth = depthOf(links.length, failures, MOST_SETS_SEARCHED);
  if (best === undefined || depth < failures) return;
  if (best.outcome.worst.slice(0, -1).every(({ use }, size) => use <= (bounds[size] ?? 0) + CLOSE)) return;
  const targets = bounds.map((bound, size) => (size === failures ? contest.worst : bound));
  const weights = targets.map((_, size) => (size === failures ? 4 : size === 0 && allUp !== undefined ? 4 : 1));
  const { vips } = best;
  contest.enter(search({ vips, links, failures, targets, weights, effort, seed: 1 }).vips.map(({ order }) => order));
}

/** So many failures at once are searched; more are only evaluated. */
function depthOf(hosts: number, failures: number, most: number): number {
  let depth = Math.min(failures, hosts);
  while (depth > 1 && countUpTo(hosts, depth) > most) depth--;
  return depth;
}
