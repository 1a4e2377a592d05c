/** The least number of VIPs that fits, and the orders that make it so; or what comes nearest. */

import { type Arrangement, arrange, canBeEven } from "./arrange.ts";
import { leastWorstUse, sum } from "./bound.ts";
import { countUpTo } from "./failure-sets.ts";
import { fits, MOST_VIPS, type PlanProblem } from "./problem.ts";

/** One number of VIPs that was looked at. */
export interface Trial {
  readonly vips: number;
  /** No orders get below this use of the busiest survivor's link. */
  readonly bound: number;
  /** Undefined: the bound alone was reason enough to pass it over, or it cannot be spread evenly. */
  readonly arrangement: Arrangement | undefined;
  readonly fits: boolean;
}

export interface PlanAnswer {
  readonly problem: PlanProblem;
  readonly trials: readonly Trial[];
  /** What is recommended, or what comes nearest. Undefined when no outcome can be computed exactly. */
  readonly chosen: Trial | undefined;
  /** Proven: no smaller number of VIPs fits with this spread. */
  readonly least: boolean;
}

export interface PlanOptions {
  /** This number of VIPs and no other. */
  readonly vips?: number;
}

export interface PlanProgress {
  readonly vips: number;
  readonly of: number;
}

const SEARCH_EFFORT = 20_000_000;
/** Problems whose trials are all worth a search, for the table. */
const SMALL = 2_000;
const SMALL_EFFORT = 2_000_000;
/** A table of a small problem goes so far. */
const TABLE = 12;

/** Ask `refusal` first. Yields before each number of VIPs. */
export function* plan(problem: PlanProblem, options: PlanOptions = {}): Generator<PlanProgress, PlanAnswer> {
  const { links, failures, traffic, vipLoads } = problem;
  const only = vipLoads?.length ?? options.vips;
  if (only !== undefined) {
    yield { vips: only, of: only };
    const loads = vipLoads ?? new Array<number>(only).fill(traffic / only);
    const trial = tryLoads(problem, loads, SEARCH_EFFORT);
    return { problem, trials: [trial], chosen: trial.arrangement && trial, least: true };
  }
  const size = countUpTo(links.length, Math.min(failures, links.length - 1)) * links.length;
  const small = size <= SMALL;
  const possible = fits(traffic / sum(links.toSorted((a, b) => a - b).slice(0, links.length - failures)), problem);
  const most = possible ? MOST_VIPS : Math.min(MOST_VIPS, Math.max(TABLE, 2 * links.length));
  const alike = links.every((link) => link === links[0]);
  const trials: Trial[] = [];
  // Of a large problem only numbers are tried that promise most; the answer says that a smaller one may do.
  let record = Number.POSITIVE_INFINITY;
  let chosen: Trial | undefined;
  for (let vips = 1; vips <= most && !(chosen !== undefined && vips > TABLE); vips++) {
    yield { vips, of: most };
    if (chosen !== undefined && !small) break;
    const loads = new Array<number>(vips).fill(traffic / vips);
    const bound = leastWorstUse(loads, links, failures);
    const wanted = problem.spread === "any" || canBeEven(vips, problem);
    const promising = small || vips % links.length === 0 || (!alike && bound <= record + 1e-9);
    const worth = (small && vips <= TABLE) || (wanted && promising && (fits(bound, problem) || !possible));
    if (worth) record = Math.min(record, bound);
    const trial = worth
      ? tryLoads(problem, loads, possible && (wanted || !small) ? SEARCH_EFFORT : SMALL_EFFORT)
      : { vips, bound, arrangement: undefined, fits: false };
    trials.push(trial);
    if (chosen === undefined && trial.fits && (problem.spread === "any" || trial.arrangement?.even)) chosen = trial;
  }
  const found = chosen ?? trials.find((trial) => trial.fits) ?? nearest(problem, trials);
  return { problem, trials, chosen: found, least: provenLeast(problem, trials, found) };
}

function tryLoads(problem: PlanProblem, loads: readonly number[], effort: number): Trial {
  const arrangement = arrange(problem, loads, effort);
  const use = arrangement?.outcome.worst.at(-1)?.use;
  return {
    vips: loads.length,
    bound: arrangement?.bound ?? leastWorstUse(loads, problem.links, problem.failures),
    arrangement,
    fits: use !== undefined && fits(use, problem),
  };
}

const useOf = (trial: Trial): number => trial.arrangement?.outcome.worst.at(-1)?.use ?? Number.POSITIVE_INFINITY;

/** The least worst use; between equals an even spread, if that is the wish, and then the fewest VIPs. */
function nearest({ spread }: PlanProblem, trials: readonly Trial[]): Trial | undefined {
  const uneven = ({ arrangement }: Trial) => (spread === "even" && arrangement?.even === false ? 1 : 0);
  const before = (a: Trial, b: Trial) =>
    Math.abs(useOf(a) - useOf(b)) > 1e-9 ? useOf(a) < useOf(b) : uneven(a) < uneven(b);
  return trials
    .filter(({ arrangement }) => arrangement !== undefined)
    .reduce<Trial | undefined>((best, one) => (best === undefined || before(one, best) ? one : best), undefined);
}

/** Every smaller number is out of the question: by its bound, by proof, or because it cannot be spread evenly. */
function provenLeast(problem: PlanProblem, trials: readonly Trial[], chosen: Trial | undefined): boolean {
  if (chosen === undefined || !chosen.fits) return false;
  return trials.every(
    (trial) =>
      trial.vips >= chosen.vips ||
      !fits(trial.bound, problem) ||
      (problem.spread === "even" && !canBeEven(trial.vips, problem)),
  );
}

/** Runs to the end without telling of progress. */
export function planned(problem: PlanProblem, options: PlanOptions = {}): PlanAnswer {
  const steps = plan(problem, options);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
