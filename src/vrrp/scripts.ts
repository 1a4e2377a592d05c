/**
 * `vrrp_script`: when to run it, and what a series of results says. Pure: the driver runs the command and says how it
 * ended.
 */

import { after, type Instant } from "../base/time.ts";
import type { VrrpScript } from "../config/model/vrrp.ts";
import type { Output, ScriptOutcome } from "./messages.ts";
import { log, logDetail, type Step } from "./step.ts";

export interface ScriptState {
  readonly name: string;
  readonly verdict: "unknown" | "ok" | "failed";
  /** Results in a row that speak against the verdict. */
  readonly against: number;
  /** Exit status of the last run that exited; 0 before. */
  readonly lastStatus: number;
  /** How the last run ended: `exited with status 1`, `timed out`. */
  readonly last: string;
  readonly running: boolean;
  readonly nextRun: Instant;
}

const NOT_REPORTED = { ordinary: "has not reported yet", initFail: "counts as failed until it succeeds" } as const;

/** A script that counts as failed from the start needs one success, as in keepalived. */
export const newScript = (script: VrrpScript, now: Instant): ScriptState => ({
  name: script.name,
  verdict: script.initFail ? "failed" : "unknown",
  against: script.initFail ? script.rise - 1 : 0,
  lastStatus: 0,
  last: script.initFail ? NOT_REPORTED.initFail : NOT_REPORTED.ordinary,
  running: false,
  nextRun: now,
});

export const hasReported = ({ last }: ScriptState): boolean =>
  last !== NOT_REPORTED.ordinary && last !== NOT_REPORTED.initFail;

/** Runs it when its time has come, and never twice at once. */
export function runWhenDue(step: Step, script: VrrpScript, state: ScriptState): ScriptState {
  if (state.nextRun > step.now) return state;
  const nextRun = after(step.now, script.interval);
  if (state.running) {
    logDetail(step, `Track script ${script.name} is already running, expect idle - skipping run`);
    return { ...state, nextRun };
  }
  step.emit({ type: "run-script", script: script.name, command: script.command, timeout: script.timeout });
  return { ...state, running: true, nextRun };
}

export function onResult(step: Step, script: VrrpScript, state: ScriptState, outcome: ScriptOutcome): ScriptState {
  const lastStatus = outcome.type === "exited" ? outcome.status : state.lastStatus;
  const next = { ...state, running: false, lastStatus, last: endInWords(outcome) };
  if (next.lastStatus !== state.lastStatus) log(step, `Script \`${script.name}\` now returning ${next.lastStatus}`);
  const ok = outcome.type === "exited" && outcome.status === 0;
  if (state.verdict === (ok ? "ok" : "failed")) return { ...next, against: 0 };
  // The first result ever decides alone.
  const needed = state.verdict === "unknown" ? 1 : ok ? script.rise : script.fall;
  if (state.against + 1 < needed) return { ...next, against: state.against + 1 };
  log(step, `VRRP_Script(${script.name}) ${keepalivedWords(outcome)}`);
  const change: Output = { type: "script-state", script: script.name, ok, cause: next.last };
  step.emit(change);
  return { ...next, against: 0, verdict: ok ? "ok" : "failed" };
}

function keepalivedWords(outcome: ScriptOutcome): string {
  if (outcome.type === "timeout") return "timed_out";
  if (outcome.type === "signal") return `failed (due to signal ${outcome.signal})`;
  if (outcome.type === "error") return `failed (${outcome.message})`;
  return outcome.status === 0 ? "succeeded" : `failed (${endInWords(outcome)})`;
}

function endInWords(outcome: ScriptOutcome): string {
  switch (outcome.type) {
    case "exited":
      return outcome.status === 0 ? "succeeded" : `exited with status ${outcome.status}`;
    case "signal":
      return `was ended by signal ${outcome.signal}`;
    case "timeout":
      return "timed out";
    case "error":
      return `could not be started: ${outcome.message}`;
    default:
      return outcome satisfies never;
  }
}
