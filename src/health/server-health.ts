/**
 * Health of one server: counts passed and failed checks, decides up and down and when to check next.
 *
 * As HAProxy 2.6 does it (configuration.txt: check, rise, fall, inter, fastinter, downinter; management.txt: status). Pure:
 * takes an input and the time, returns the next state and the outputs to perform, in order. Connects to nothing and counts no
 * other server: backend-health.ts words a change between up and down.
 */

import { after, type Duration, type Instant } from "../base/time.ts";
import { type CheckResult, DESCRIPTIONS, passed, reasonOf } from "./check-result.ts";
import type { CheckCode, CheckReport, ServerStatus } from "./status.ts";

export interface HealthParameters {
  /** `backend/server`. */
  readonly name: string;
  readonly backup: boolean;
  /** `option log-health-checks`. */
  readonly logHealthChecks: boolean;
  /** 0..50, percent. */
  readonly spreadChecks: number;
  /** Undefined: not checked, and up. */
  readonly check: CheckTiming | undefined;
}

export interface CheckTiming {
  /** At least 1. */
  readonly rise: number;
  readonly fall: number;
  readonly inter: Duration;
  readonly fastinter: Duration;
  readonly downinter: Duration;
}

export interface Moment {
  readonly at: Instant;
  /** Milliseconds since the epoch. */
  readonly wallMs: number;
}

/** JSON. */
export interface ServerHealth {
  readonly maintenance: boolean;
  /** 0..rise+fall−1; from `rise` on the server is up. */
  readonly health: number;
  readonly running: boolean;
  readonly nextCheckAt: Instant | undefined;
  readonly code: CheckCode;
  readonly status: number | undefined;
  readonly durationMs: number | undefined;
  readonly detail: string;
  readonly lastChangeMs: number;
  readonly checkFailures: number;
  readonly downTransitions: number;
  readonly downtimeMs: number;
}

export type HealthInput =
  /** The deadline was reached. */
  | { readonly kind: "due" }
  /** `random`: 0 ≤ x < 1, for spread-checks. */
  | { readonly kind: "result"; readonly result: CheckResult; readonly random: number }
  /** The administrator takes the server out. A check that is under way is to be given up. */
  | { readonly kind: "disable" }
  /** … and puts it back: it counts as up until its first check, which comes at once. */
  | { readonly kind: "enable" };

export type HealthOutput =
  | { readonly kind: "run-check" }
  | { readonly kind: "abort-check" }
  | { readonly kind: "log"; readonly level: "notice"; readonly line: string }
  | { readonly kind: "change"; readonly change: HealthChange };

/** A change between usable and not usable. */
export type HealthChange =
  | { readonly up: boolean; readonly by: "check"; readonly cause: string; readonly durationMs: number }
  | { readonly up: boolean; readonly by: "maintenance" };

export interface HealthStep {
  readonly state: ServerHealth;
  readonly outputs: readonly HealthOutput[];
}

/**
 * A server that was never checked: up, but one failed check away from down (`UP 1/3`). `firstCheckAt` spreads the first
 * checks of all servers over the interval, so that they do not come at once.
 */
export function initialHealth(
  parameters: HealthParameters,
  now: Moment,
  options: { readonly disabled: boolean; readonly firstCheckAt: Instant },
): ServerHealth {
  const { check } = parameters;
  return {
    maintenance: options.disabled,
    health: check?.rise ?? 0,
    running: false,
    nextCheckAt: check === undefined || options.disabled ? undefined : options.firstCheckAt,
    code: check === undefined ? "UNK" : "INI",
    status: undefined,
    durationMs: undefined,
    detail: "",
    lastChangeMs: now.wallMs,
    checkFailures: 0,
    downTransitions: 0,
    downtimeMs: 0,
  };
}

/** The state in which another process left this server; counters go on. */
export function resumedHealth(
  parameters: HealthParameters,
  previous: ServerStatus,
  options: { readonly disabled: boolean; readonly firstCheckAt: Instant },
  now: Moment,
): ServerHealth {
  const fresh = initialHealth(parameters, now, options);
  const { check } = parameters;
  const { lastChangeMs, checkFailures, downTransitions, downtimeMs } = previous;
  const counters = { lastChangeMs, checkFailures, downTransitions, downtimeMs };
  if (check === undefined || previous.check === undefined || options.disabled) return { ...fresh, ...counters };
  const { code, status, durationMs, detail } = previous.check;
  return {
    ...fresh,
    ...counters,
    ...{ code, status, durationMs, detail },
    health: rescaled(previous.check.health, previous.check, check),
  };
}

/** The same health on another scale: full stays full, up stays up, down stays down. */
export function rescaled(health: number, from: CheckRange, to: CheckRange): number {
  if (health >= fullHealth(from)) return fullHealth(to);
  return health >= from.rise ? Math.min(to.rise + health - from.rise, fullHealth(to)) : Math.min(health, to.rise - 1);
}

interface CheckRange {
  readonly rise: number;
  readonly fall: number;
}

export function transition(
  parameters: HealthParameters,
  state: ServerHealth,
  input: HealthInput,
  now: Moment,
): HealthStep {
  switch (input.kind) {
    case "due":
      if (state.nextCheckAt === undefined || now.at < state.nextCheckAt) return { state, outputs: [] };
      return { state: { ...state, running: true, nextCheckAt: undefined }, outputs: [{ kind: "run-check" }] };
    case "result":
      return state.running && parameters.check !== undefined
        ? afterCheck(parameters, parameters.check, state, input, now)
        : { state, outputs: [] };
    case "disable":
      return disabled(parameters, state, now);
    case "enable":
      return enabled(parameters, state, now);
    default:
      return input satisfies never;
  }
}

/** When the next `due` is to be delivered. */
export const nextDeadline = (state: ServerHealth): Instant | undefined => state.nextCheckAt;

/** Gets load-balanced requests as far as its health goes; its weight is another matter. */
export const isUp = (parameters: HealthParameters, state: ServerHealth): boolean =>
  !state.maintenance && (parameters.check === undefined || state.health >= parameters.check.rise);

export function statusOf(parameters: HealthParameters, state: ServerHealth): ServerStatus {
  const { lastChangeMs, checkFailures, downTransitions, downtimeMs } = state;
  return {
    up: isUp(parameters, state),
    text: textOf(parameters, state),
    check: reportOf(parameters, state),
    ...{ lastChangeMs, checkFailures, downTransitions, downtimeMs },
  };
}

function textOf({ check }: HealthParameters, { maintenance, health }: ServerHealth): string {
  if (maintenance) return "MAINT";
  if (check === undefined) return "no check";
  if (health === fullHealth(check)) return "UP";
  if (health >= check.rise) return `UP ${health - check.rise + 1}/${check.fall}`;
  return health > 0 ? `DOWN ${health}/${check.rise}` : "DOWN";
}

function reportOf({ check }: HealthParameters, state: ServerHealth): CheckReport | undefined {
  if (check === undefined || state.maintenance) return undefined;
  const { code, status, durationMs, detail, running, health } = state;
  const { rise, fall } = check;
  return { code, status, durationMs, description: DESCRIPTIONS[code], detail, running, rise, fall, health };
}

function afterCheck(
  parameters: HealthParameters,
  check: CheckTiming,
  state: ServerHealth,
  { result, random }: { readonly result: CheckResult; readonly random: number },
  now: Moment,
): HealthStep {
  const good = passed(result.code);
  const full = fullHealth(check);
  const health = good ? risen(state.health, check) : fallen(state.health, check);
  const { code, status, durationMs, detail } = result;
  const counted: ServerHealth = {
    ...state,
    ...{ health, code, status, durationMs, detail },
    running: false,
    checkFailures: state.checkFailures + (!good && state.health > 0 ? 1 : 0),
  };
  const next: ServerHealth = {
    ...counted,
    nextCheckAt: after(now.at, intervalAfter(parameters, check, health, random)),
  };

  const outputs: HealthOutput[] = [];
  // HAProxy logs a check that moved the counter or that ended otherwise than the one before it.
  const notable = state.code !== code || (good ? state.health < full : state.health > 0);
  if (parameters.logHealthChecks && notable) {
    outputs.push({ kind: "log", level: "notice", line: checkLine(parameters, check, health, result) });
  }
  const up = health >= check.rise;
  if (up === state.health >= check.rise) return { state: next, outputs };
  outputs.push({ kind: "change", change: { up, by: "check", cause: reasonOf(result), durationMs } });
  return { state: up ? turnedUp(next, now) : turnedDown(next, now), outputs };
}

const fullHealth = ({ rise, fall }: CheckRange): number => rise + fall - 1;

/** From `rise` passed checks on a server is as healthy as can be. */
const risen = (health: number, check: CheckTiming): number =>
  health + 1 >= check.rise ? fullHealth(check) : health + 1;

/** Below `rise` it is down, and passed checks are counted from the first. */
const fallen = (health: number, check: CheckTiming): number => (health - 1 >= check.rise ? health - 1 : 0);

const turnedUp = (state: ServerHealth, now: Moment): ServerHealth => ({
  ...state,
  lastChangeMs: now.wallMs,
  downtimeMs: state.downtimeMs + Math.max(0, now.wallMs - state.lastChangeMs),
});

const turnedDown = (state: ServerHealth, now: Moment): ServerHealth => ({
  ...state,
  lastChangeMs: now.wallMs,
  downTransitions: state.downTransitions + 1,
});

function intervalAfter(parameters: HealthParameters, check: CheckTiming, health: number, random: number): Duration {
  const interval = health === fullHealth(check) ? check.inter : health === 0 ? check.downinter : check.fastinter;
  const spread = (interval * parameters.spreadChecks) / 100;
  return Math.round(interval + spread * (1 - 2 * random)) as Duration;
}

function checkLine(parameters: HealthParameters, check: CheckTiming, health: number, result: CheckResult): string {
  const outcome = passed(result.code) ? "succeeded" : "failed";
  const status = health >= check.rise ? `${health - check.rise + 1}/${check.fall} UP` : `${health}/${check.rise} DOWN`;
  return (
    `Health check for ${parameters.backup ? "backup " : ""}server ${parameters.name} ${outcome}, ` +
    `reason: ${reasonOf(result)}, check duration: ${result.durationMs}ms, status: ${status}.`
  );
}

function disabled(parameters: HealthParameters, state: ServerHealth, now: Moment): HealthStep {
  if (state.maintenance) return { state, outputs: [] };
  const outputs: HealthOutput[] = state.running ? [{ kind: "abort-check" }] : [];
  const wasUp = isUp(parameters, state);
  outputs.push({ kind: "change", change: { up: false, by: "maintenance" } });
  const out: ServerHealth = { ...state, maintenance: true, running: false, nextCheckAt: undefined };
  return { state: wasUp ? { ...out, lastChangeMs: now.wallMs } : out, outputs };
}

function enabled(parameters: HealthParameters, state: ServerHealth, now: Moment): HealthStep {
  if (!state.maintenance) return { state, outputs: [] };
  const fresh = initialHealth(parameters, now, { disabled: false, firstCheckAt: now.at });
  const { checkFailures, downTransitions, downtimeMs, lastChangeMs } = state;
  return {
    state: turnedUp({ ...fresh, checkFailures, downTransitions, downtimeMs, lastChangeMs }, now),
    outputs: [{ kind: "change", change: { up: true, by: "maintenance" } }],
  };
}
