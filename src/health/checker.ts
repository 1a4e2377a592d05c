/**
 * One checker of a real server: when it asks next, how many failures it forgives, whether it has passed.
 *
 * As keepalived does it (keepalived.conf(5), reference in docs/reference/keepalived.md; timing of 2.2.7 measured). Pure:
 * `due` and results go in, the next state comes out. What a verdict does to the server is virtual-server.ts's; the words of
 * its log lines are checker-lines.ts's.
 */

import { after, type Duration, type Instant } from "../base/time.ts";
import type { Checker, FileCheck } from "../config/model/virtual-server.ts";

/** JSON. */
export interface CheckerState {
  /** Counts as passed. */
  readonly up: boolean;
  readonly hasRun: boolean;
  /** Failures in a row that were forgiven. */
  readonly retries: number;
  /** Which URL of an HTTP_GET is asked next; 0 for all others. */
  readonly step: number;
  readonly running: boolean;
  /** When it asks next; undefined while it asks, while it is suspended, and for a FILE_CHECK, which is told. */
  readonly nextAt: Instant | undefined;
  /** MISC_CHECK with `misc_dynamic`: the server's weight. FILE_CHECK: what is added to it. */
  readonly weight: number | undefined;
  readonly last: CheckReport | undefined;
}

export interface CheckReport {
  readonly at: Instant;
  readonly ok: boolean;
  /** `connected`, `status 500 of /a`, `connection refused`, … */
  readonly detail: string;
}

export type ProbeResult =
  | { readonly ok: true; readonly detail: string; readonly weight?: number | undefined }
  | {
      readonly ok: false;
      readonly detail: string;
      /** keepalived's own words for this failure, for `log_all_failures` and for checkers whose only line it is. */
      readonly line: string | undefined;
      readonly weight?: number | undefined;
    };

/** `passed` and `failed` are said once per change, and for the first verdict. */
export interface CheckerStep {
  readonly state: CheckerState;
  readonly verdict: "passed" | "failed" | undefined;
  /** Retries before a `failed` verdict; undefined when there were none. */
  readonly retried: number | undefined;
}

/** A number that takes as much from a server as IPVS can weigh takes the server itself. */
const LEAST_WEIGHT = 65_535;
/** keepalived asks nobody in the first second. */
const BOOTSTRAP = 1_000_000;

/**
 * A checker that never ran. Without `alpha` it counts as passed; at a start of the daemon (`preset`) its first failure is then
 * not forgiven, so that a server that was dead all along leaves at once.
 *
 * @param random 0 ≤ x < 1: where within the warm-up the first probe lies
 */
export function initialChecker(checker: Checker, preset: boolean, random: number, now: Instant): CheckerState {
  return {
    up: !checker.alpha,
    hasRun: false,
    retries: preset && !checker.alpha ? retryOf(checker) : 0,
    step: 0,
    running: false,
    nextAt: checker.type === "FILE_CHECK" ? undefined : firstProbe(checker, random, now),
    weight: undefined,
    last: undefined,
  };
}

/** The state in which another process left it: passed or not, told by whether the server was in the table. */
export function adoptedChecker(checker: Checker, up: boolean, random: number, now: Instant): CheckerState {
  const fresh = initialChecker(checker, false, random, now);
  // A server that is out may be well by now: it is asked within the bootstrap's second.
  const nextAt =
    fresh.nextAt === undefined || up ? fresh.nextAt : after(now, Math.round(random * BOOTSTRAP) as Duration);
  return { ...fresh, up, hasRun: checker.type !== "FILE_CHECK", nextAt };
}

export const due = (state: CheckerState, now: Instant): boolean => state.nextAt !== undefined && state.nextAt <= now;

export const begun = (state: CheckerState): CheckerState => ({ ...state, running: true, nextAt: undefined });

/** A probe under way is given up and nothing is asked until `resumed`. */
export const suspended = (state: CheckerState): CheckerState => ({ ...state, running: false, nextAt: undefined });

export function resumed(checker: Checker, state: CheckerState, random: number, now: Instant): CheckerState {
  if (checker.type === "FILE_CHECK") return state;
  return { ...state, nextAt: after(now, Math.round(random * BOOTSTRAP) as Duration) };
}

export function afterProbe(checker: Checker, state: CheckerState, result: ProbeResult, now: Instant): CheckerStep {
  const last: CheckReport = { at: now, ok: result.ok, detail: result.detail };
  const base: CheckerState = { ...state, running: false, hasRun: true, weight: result.weight ?? state.weight, last };
  const step = result.ok
    ? afterSuccess(checker, base, !state.hasRun, now)
    : afterFailure(checker, base, !state.hasRun, now);
  return tellsRetries(checker, state.last === undefined) ? step : { ...step, retried: undefined };
}

/** One URL of an HTTP_GET each delay_loop; it has passed when the last one has. */
function afterSuccess(checker: Checker, state: CheckerState, first: boolean, now: Instant): CheckerStep {
  const http = checker.type === "HTTP_GET" || checker.type === "SSL_GET" ? checker : undefined;
  const step = state.step + 1;
  if (http !== undefined && step < http.urls.length) {
    const hurry = http.fastRecovery && !state.up;
    const next: CheckerState = {
      ...state,
      step,
      retries: 0,
      hasRun: !first,
      nextAt: hurry ? now : after(now, checker.delayLoop),
    };
    return { state: next, verdict: undefined, retried: undefined };
  }
  const news = first || !state.up;
  const nextAt = later(checker, checker.delayLoop, now);
  return {
    state: { ...state, up: true, step: 0, retries: 0, nextAt },
    verdict: news ? "passed" : undefined,
    retried: undefined,
  };
}

function afterFailure(checker: Checker, state: CheckerState, first: boolean, now: Instant): CheckerStep {
  const standing = state.up || first;
  if (state.retries < retryOf(checker) && (standing || retriesWhileDown(checker))) {
    const nextAt = later(checker, checker.delayBeforeRetry, now);
    // Until a verdict has been reached it has not run, as far as the first verdict is concerned.
    const next = { ...state, hasRun: !first, retries: state.retries + 1, nextAt };
    return { state: next, verdict: undefined, retried: undefined };
  }
  const nextAt = later(checker, checker.delayLoop, now);
  return {
    state: { ...state, up: false, retries: 0, nextAt },
    verdict: standing ? "failed" : undefined,
    retried: state.retries,
  };
}

/** What the number in a track file means to a FILE_CHECK; a file that cannot be read counts as 0, as keepalived has it. */
export function fileResult(checker: FileCheck, value: number): ProbeResult {
  const { reverse, weight } = checker;
  const detail = `tracked file ${checker.trackFile} is ${value}`;
  if (weight === 0) {
    const ok = (value === 0) !== reverse;
    return ok ? { ok, detail } : { ok, detail, line: undefined };
  }
  const added = value * weight * (reverse ? -1 : 1);
  if (added > -LEAST_WEIGHT) return { ok: true, detail, weight: Math.min(added, LEAST_WEIGHT) };
  return { ok: false, detail, line: undefined, weight: 0 };
}

const later = (checker: Checker, delay: Duration, now: Instant): Instant | undefined =>
  checker.type === "FILE_CHECK" ? undefined : after(now, delay);

const firstProbe = (checker: Checker, random: number, now: Instant): Instant =>
  after(now, (BOOTSTRAP + Math.round(random * checker.warmup)) as Duration);

/** A file has no second opinion. */
const retryOf = (checker: Checker): number => (checker.type === "FILE_CHECK" ? 0 : checker.retry);

/** The preset retries of a first probe were none, which HTTP_GET and SSL_GET do not know (2.2.7, measured). */
function tellsRetries(checker: Checker, first: boolean): boolean {
  switch (checker.type) {
    case "HTTP_GET":
    case "SSL_GET":
      return checker.retry > 0;
    case "DNS_CHECK":
      return !first;
    default:
      return !first && retryOf(checker) > 0;
  }
}

/** A server that is down is asked in the rhythm of the retries too, but by HTTP_GET and SSL_GET (2.2.7, measured). */
const retriesWhileDown = ({ type }: Checker): boolean => type !== "HTTP_GET" && type !== "SSL_GET";
