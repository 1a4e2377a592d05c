/** How late things happen, counted in fixed buckets. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { milliseconds } from "../../../src/base/time.ts";
import { inOneLine, Lateness } from "../../../src/daemon/vrrp/lateness.ts";

const NOON = Date.UTC(2026, 10, 21, 12);

describe("Lateness", () => {
  test("is counted in the bucket whose bound it does not exceed", () => {
    const lateness = new Lateness();
    for (const late of [-3, 0, 0.1, 0.101, 3, 10_000, 10_001]) lateness.add(milliseconds(late), NOON);
    const counted = lateness.report().buckets.filter(({ count }) => count > 0);
    assert.deepEqual(counted, [
      { atMostMilliseconds: 0.1, count: 3 },
      { atMostMilliseconds: 0.2, count: 1 },
      { atMostMilliseconds: 5, count: 1 },
      { atMostMilliseconds: 10_000, count: 1 },
      { atMostMilliseconds: null, count: 1 },
    ]);
  });

  test("keeps the largest with its time, and takes what came early as in time", () => {
    const lateness = new Lateness();
    lateness.add(milliseconds(-5), NOON);
    lateness.add(milliseconds(3), NOON + 1_000);
    lateness.add(milliseconds(2), NOON + 2_000);
    const { count, sumMilliseconds, maximumMilliseconds, maximumAt } = lateness.report();
    assert.deepEqual([count, sumMilliseconds, maximumMilliseconds], [3, 5, 3]);
    assert.equal(maximumAt, "2026-11-21T12:00:01.000Z");
    assert.equal(inOneLine(lateness.report()), "1.7 ms late on average, 3 ms at most (2026-11-21T12:00:01.000Z)");
  });

  test("has nothing to say before something was counted", () => {
    assert.equal(inOneLine(new Lateness().report()), "none yet");
    assert.equal(new Lateness().report().maximumAt, undefined);
  });
});
