/**
 * How late things happen in this process: a histogram of fixed buckets, so that it takes the same few bytes after a year.
 *
 * Counts only; reads no clock.
 */

import { type Duration, inMilliseconds, milliseconds } from "../../base/time.ts";

/** Upper bounds of the buckets in milliseconds; what is later than the last is counted behind it. */
const BOUNDS_MS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000] as const;
const BOUNDS: readonly Duration[] = BOUNDS_MS.map(milliseconds);

export interface LatenessReport {
  readonly count: number;
  readonly sumMilliseconds: number;
  readonly maximumMilliseconds: number;
  /** ISO 8601; undefined when nothing was counted. */
  readonly maximumAt: string | undefined;
  /** How many were at most so late, and later than the bucket before; `atMostMilliseconds` null: later than all bounds. */
  readonly buckets: readonly { readonly atMostMilliseconds: number | null; readonly count: number }[];
}

/** The field `timeliness` of the vrrp process's report. */
export interface TimelinessReport {
  /** From when an advert was due until it was given to the kernel. */
  readonly adverts: LatenessReport;
  /** From when a timer of the process was due until it ran. */
  readonly eventLoop: LatenessReport;
}

export class Lateness {
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  #sum = 0;
  #maximum = -1;
  #maximumAtMs: number | undefined;

  /** `nowMs`: time of day, Unix milliseconds. What came early counts as in time. */
  add(late: Duration, nowMs: number): void {
    const span = Math.max(0, late);
    let bucket = 0;
    while (bucket < BOUNDS.length && span > (BOUNDS[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += span;
    if (span <= this.#maximum) return;
    this.#maximum = span;
    this.#maximumAtMs = nowMs;
  }

  report(): LatenessReport {
    const counts = [...this.#counts];
    return {
      count: counts.reduce((sum, one) => sum + one, 0),
      sumMilliseconds: inMilliseconds(this.#sum as Duration),
      maximumMilliseconds: inMilliseconds(Math.max(0, this.#maximum) as Duration),
      maximumAt: this.#maximumAtMs === undefined ? undefined : new Date(this.#maximumAtMs).toISOString(),
      buckets: counts.map((count, index) => ({ atMostMilliseconds: BOUNDS_MS[index] ?? null, count })),
    };
  }
}

/** In one line: `0.08 ms late on average, 3.1 ms at most (2026-11-21T08:00:00.000Z)`. */
export function inOneLine({ count, sumMilliseconds, maximumMilliseconds, maximumAt }: LatenessReport): string {
  if (count === 0) return "none yet";
  const short = (value: number) => `${Number(value.toPrecision(2))} ms`;
  return `${short(sumMilliseconds / count)} late on average, ${short(maximumMilliseconds)} at most (${maximumAt})`;
}
