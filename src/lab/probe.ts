/**
 * Sends probes at a fixed pace and tells what each one found, in the order of sending.
 *
 * The next probe does not wait for the last one's answer, unless told to: a client that is stuck would hide how long the
 * gap was. What a probe is (http-probe.ts, echo-probe.ts) and the clock are arguments.
 */

import type { ProbeRecord } from "./probe-record.ts";

/** What is known when the answer, or its absence, is. */
export type ProbeOutcome = Omit<ProbeRecord, "sequence" | "sentMs" | "latencyMs">;

/** One probe; never rejects. Takes no longer than its own time-out. */
export type Probe = (sequence: number) => Promise<ProbeOutcome>;

export interface Pace {
  readonly intervalMs: number;
  readonly count: number;
  /** Each probe waits for the answer to the one before: where the order of answers counts, or a cookie among them. */
  readonly inTurn?: boolean;
  /** No probe is sent later than this after the first. */
  readonly durationMs?: number;
}

export interface ProbeClock {
  /** CLOCK_MONOTONIC in milliseconds. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

/** Resolves when the last probe has been told of. `stop` ends the sending, not the waiting. */
export async function sendProbes(
  probe: Probe,
  pace: Pace,
  clock: ProbeClock,
  tell: (record: ProbeRecord) => void,
  stop: AbortSignal,
): Promise<void> {
  let told: Promise<void> = Promise.resolve();
  const began = clock.now();
  for (let sequence = 0; sequence < pace.count && !stop.aborted; sequence++) {
    const sentMs = clock.now();
    if (pace.durationMs !== undefined && sentMs - began > pace.durationMs) break;
    const found = probe(sequence).then((outcome): ProbeRecord => {
      const took = clock.now() - sentMs;
      return { sequence, sentMs, ...outcome, ...(outcome.ok ? { latencyMs: Number(took.toFixed(3)) } : {}) };
    });
    told = told.then(async () => tell(await found));
    if (pace.inTurn === true) await told;
    // Measured from the beginning, so that lateness does not add up.
    const next = began + (sequence + 1) * pace.intervalMs - clock.now();
    if (sequence + 1 < pace.count) await clock.sleep(Math.max(0, next));
  }
  await told;
}
