/** The machine's monotonic clock (CLOCK_MONOTONIC) as an `Instant`: the same in every process of one machine. */

import { hrtime } from "node:process";
import { type Instant, instantAt } from "../base/time.ts";

export const monotonicNow = (): Instant => instantAt(Number(hrtime.bigint() / 1_000n));
