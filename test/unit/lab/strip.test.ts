import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProbeRecord } from "../../../src/lab/probe-record.ts";
import { longestGapMs, strip } from "../../../src/lab/strip.ts";

/** One probe every 10 ms from 1000 on: the server's name, or undefined for a lost one. */
const probes = (...answers: readonly (string | undefined)[]): ProbeRecord[] =>
  answers.map((by, sequence) => {
    const sentMs = 1000 + sequence * 10;
    return by === undefined ? { sequence, sentMs, ok: false } : { sequence, sentMs, ok: true, by };
  });

test("each probe is the last digit of the server that answered, a dot where none did", () => {
  assert.deepEqual(strip(probes("s1", "s2", undefined, "s3", "s1"), { columns: 80 }), ["12.31"]);
});

test("the strip wraps at the width", () => {
  assert.deepEqual(strip(probes("s1", "s1", "s1", "s2", "s2"), { columns: 2 }), ["11", "12", "2"]);
});

test("servers whose names end alike get different letters", () => {
  assert.deepEqual(strip(probes("web1", "app1", "web1", "db"), { columns: 80 }), ["w1wd"]);
});

test("an answer from nobody in particular is a plus", () => {
  assert.deepEqual(strip([{ sequence: 0, sentMs: 1, ok: true }], { columns: 80 }), ["+"]);
});

test("probes are drawn in the order of sending, whatever the order of answers", () => {
  assert.deepEqual(strip(probes("s1", "s2", "s3").reverse(), { columns: 80 }), ["123"]);
});

test("the gap runs from the last good probe before to the first good one after", () => {
  assert.equal(longestGapMs(probes("s1", undefined, undefined, "s1", "s1", undefined, "s1")), 30);
});

test("there is no gap when every probe was answered, nor without probes", () => {
  assert.equal(longestGapMs(probes("s1", "s1")), 0);
  assert.equal(longestGapMs([]), 0);
});

test("a gap that has not ended lasts to the last probe, and one before any answer from the first", () => {
  assert.equal(longestGapMs(probes("s1", undefined, undefined)), 20);
  assert.equal(longestGapMs(probes(undefined, undefined, undefined, "s1")), 30);
});
