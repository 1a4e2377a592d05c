/** Numbers, times and sizes as haproxy.cfg writes them (HAProxy 2.6 configuration.txt §2.5). */

import { fail, ok, type Result } from "../../base/result.ts";
import { type Duration, microseconds, milliseconds } from "../../base/time.ts";

const TIME_UNITS = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000, h: 3_600_000_000, d: 86_400_000_000 } as const;
type TimeUnit = keyof typeof TIME_UNITS;
const LONGEST_TIME = milliseconds(2_147_483_647);

/** `[0-9]+[us|ms|s|m|h|d]`, in `unit` when none is written, at most about 24.8 days. Rounded up to a millisecond. */
export function parseTime(text: string, unit: "ms" | "s" = "ms"): Result<Duration, string> {
  const match = /^([0-9]+)(us|ms|s|m|h|d)?$/.exec(text);
  if (match === null) return fail("wants a whole number with an optional unit: us, ms, s, m, h or d");
  const exact = Number(match[1]) * TIME_UNITS[(match[2] as TimeUnit | undefined) ?? unit];
  if (!(exact <= LONGEST_TIME)) return fail("is longer than 2147483647 ms (about 24.8 days)");
  return ok(microseconds(Math.ceil(exact / 1_000) * 1_000));
}

/** `[0-9]+[k|m|g]` in bytes, at most 2³¹ − 1. */
export function parseSize(text: string): Result<number, string> {
  const match = /^([0-9]+)([kmg]?)$/i.exec(text);
  if (match === null) return fail("wants a whole number with an optional unit: k, m or g");
  const factor = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(match[2] ?? "").toLowerCase() as "" | "k" | "m" | "g"];
  const size = Number(match[1]) * factor;
  return size <= 2_147_483_647 ? ok(size) : fail("is larger than 2147483647");
}

/** What HAProxy's own reading (C `atol`) makes of a word: its leading digits, 0 when there are none. */
export function leadingInteger(text: string): number {
  const number = Number(/^[-+]?[0-9]{1,15}/.exec(text)?.[0] ?? 0);
  return Math.max(-2_147_483_648, Math.min(2_147_483_647, number));
}

export const isInteger = (text: string): boolean => /^[-+]?[0-9]{1,10}$/.test(text);
