import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Duration, Instant } from "../../../src/base/time.ts";
import { Timer, Timers } from "../../../src/proxy/timers.ts";

/** A clock that stands still until told, and rings when the alarm's time has come. */
class VirtualAlarm {
  time = 0;
  settings = 0;
  #at: number | undefined;
  #ring: () => void = () => {};

  now(): Instant {
    return this.time as Instant;
  }
  setAlarm(delay: Duration | undefined, ring: () => void): void {
    this.settings++;
    this.#at = delay === undefined ? undefined : this.time + delay;
    this.#ring = ring;
  }
  advance(to: number): void {
    while (this.#at !== undefined && this.#at <= to) {
      this.time = Math.max(this.time, this.#at);
      this.#at = undefined;
      this.#ring();
    }
    this.time = to;
  }
}

test("timers expire in order, each once, however often they are moved", () => {
  const step = fc.record({
    timer: fc.nat(4),
    delay: fc.option(fc.nat(50), { nil: undefined }),
    wait: fc.nat(20),
    drop: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const alarm = new VirtualAlarm();
      const timers = new Timers(alarm);
      const due: (number | undefined)[] = [];
      const fired: string[] = [];
      const expected: string[] = [];
      const all = Array.from(
        { length: 5 },
        (_, i) => new Timer({ timerExpired: () => fired.push(`${i}@${alarm.time}`) }),
      );
      const advance = (to: number) => {
        const ready = due.flatMap((at, i) => (at !== undefined && at <= to ? [{ at, i }] : []));
        for (const { at, i } of ready.sort((a, b) => a.at - b.at)) {
          expected.push(`${i}@${at}`);
          due[i] = undefined;
        }
        alarm.advance(to);
      };
      for (const { timer: i, delay, wait, drop } of steps) {
        const timer = all[i] as Timer;
        timers.tick();
        if (drop) timers.drop(timer);
        else timers.setAfter(timer, delay as Duration | undefined);
        due[i] = drop || delay === undefined ? undefined : alarm.time + delay;
        advance(alarm.time + wait);
      }
      advance(alarm.time + 100);
      // Timers of one instant may expire in any order among themselves.
      const byTime = (entries: string[]) =>
        [...entries].sort((a, b) => Number(a.split("@")[1]) - Number(b.split("@")[1]) || a.localeCompare(b));
      assert.deepEqual(byTime(fired), byTime(expected));
      assert.deepEqual(
        fired.map((entry) => Number(entry.split("@")[1])),
        [...fired.map((entry) => Number(entry.split("@")[1]))].sort((a, b) => a - b),
      );
    }),
    { numRuns: 200 },
  );
});

test("putting a time-out off, as every byte does, leaves the alarm alone", () => {
  const alarm = new VirtualAlarm();
  const timers = new Timers(alarm);
  const timer = new Timer({ timerExpired() {} });
  timers.setAfter(timer, 1000 as Duration);
  const before = alarm.settings;
  for (let i = 0; i < 100; i++) {
    alarm.time++;
    timers.tick();
    timers.setAfter(timer, 1000 as Duration);
  }
  assert.equal(alarm.settings, before);
});
