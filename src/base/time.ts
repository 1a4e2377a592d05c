/**
 * Instants and durations in whole microseconds.
 *
 * An `Instant` counts from an arbitrary start that only the clock that made it knows: two of them may be compared and
 * subtracted, and neither says what day it is. Reads no clock itself.
 */

declare const instant: unique symbol;
declare const duration: unique symbol;

/** A point on a monotonic clock, microseconds, integer. */
export type Instant = number & { readonly [instant]: true };

/** A span of time, microseconds, integer. */
export type Duration = number & { readonly [duration]: true };

export const microseconds = (count: number): Duration => Math.round(count) as Duration;
export const milliseconds = (count: number): Duration => microseconds(count * 1_000);
export const centiseconds = (count: number): Duration => microseconds(count * 10_000);
export const seconds = (count: number): Duration => microseconds(count * 1_000_000);

export const inSeconds = (span: Duration): number => span / 1_000_000;
export const inMilliseconds = (span: Duration): number => span / 1_000;
export const inCentiseconds = (span: Duration): number => span / 10_000;

export const instantAt = (microsecondsSinceStart: number): Instant => Math.round(microsecondsSinceStart) as Instant;
export const after = (start: Instant, span: Duration): Instant => (start + span) as Instant;
/** `later − earlier`; negative when they are the other way round. */
export const between = (earlier: Instant, later: Instant): Duration => (later - earlier) as Duration;
