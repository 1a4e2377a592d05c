/** What a plan comes to, against a count by hand over every subset of the hosts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bySurvivor, isRotation, outcomeOf } from "../../../src/plan/outcome.ts";
import type { PlannedVip } from "../../../src/plan/problem.ts";

const GIGABIT = 1e9;

const plans = fc.integer({ min: 1, max: 6 }).chain((hosts) =>
  fc.record({
    links: fc.array(fc.integer({ min: 1, max: 10 }), { minLength: hosts, maxLength: hosts }),
    failures: fc.integer({ min: 0, max: hosts - 1 }),
    vips: fc.array(
      fc.record({
        load: fc.integer({ min: 1, max: 9 }),
        order: fc.shuffledSubarray([...Array(hosts).keys()], { minLength: hosts, maxLength: hosts }),
      }),
      { minLength: 1, maxLength: 12 },
    ),
  }),
);

/** By all 2^N sets, without anything of the code under test. */
function byHand(vips: readonly PlannedVip[], links: readonly number[], failures: number): number[] {
  const worst = new Array<number>(failures + 1).fill(0);
  for (let set = 0; set < 2 ** links.length; set++) {
    const alive = links.map((_, host) => set % 2 ** (host + 1) < 2 ** host);
    const size = alive.filter((one) => !one).length;
    if (size > failures) continue;
    const loads = links.map(() => 0);
    for (const { load, order } of vips) {
      for (const host of order) {
        if (!alive[host]) continue;
        loads[host] = (loads[host] ?? 0) + load;
        break;
      }
    }
    const uses = loads.map((load, host) => load / (links[host] ?? 1));
    worst[size] = Math.max(worst[size] ?? 0, ...uses);
  }
  return worst;
}

test("the worst use by enumeration is that of a count by hand", () => {
  fc.assert(
    fc.property(plans, ({ vips, links, failures }) => {
      const outcome = outcomeOf(vips, links, failures);
      assert.equal(outcome?.method, "every failure set");
      assert.deepEqual(
        outcome.worst.map(({ use }) => use),
        byHand(vips, links, failures),
      );
    }),
    { numRuns: 200 },
  );
});

test("looking at each survivor's predecessors gives the same as looking at every failure set", () => {
  fc.assert(
    fc.property(plans, ({ vips, links, failures }) => {
      const worst = bySurvivor(vips, links, failures, [...links.keys()]);
      assert.deepEqual(
        worst?.map(({ use }) => use),
        byHand(vips, links, failures),
      );
    }),
    { numRuns: 200 },
  );
});

test("the failure set that is named brings the use that is named", () => {
  fc.assert(
    fc.property(plans, fc.boolean(), ({ vips, links, failures }, enumerated) => {
      const worst = enumerated
        ? outcomeOf(vips, links, failures)?.worst
        : bySurvivor(vips, links, failures, [...links.keys()]);
      for (const { failures: size, failed, host, load, use } of worst ?? []) {
        assert.equal(failed.length, size);
        const found = vips
          .filter(({ order }) => order.find((one) => !failed.includes(one)) === host)
          .reduce((total, vip) => total + vip.load, 0);
        assert.equal(found, load);
        assert.equal(load / (links[host] ?? 1), use);
      }
    }),
    { numRuns: 200 },
  );
});

test("in a plan that turning maps to itself one survivor stands for all", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 6 }).chain((hosts) =>
        fc.record({
          failures: fc.integer({ min: 0, max: hosts - 1 }),
          bases: fc.array(fc.shuffledSubarray([...Array(hosts).keys()], { minLength: hosts, maxLength: hosts }), {
            minLength: 1,
            maxLength: 3,
          }),
        }),
      ),
      ({ failures, bases }) => {
        const hosts = bases[0]?.length ?? 0;
        const links = new Array<number>(hosts).fill(GIGABIT);
        const vips = bases.flatMap((base) =>
          [...Array(hosts).keys()].map((turn) => ({ load: 1, order: base.map((host) => (host + turn) % hosts) })),
        );
        assert.ok(isRotation(vips, links, failures));
        const one = bySurvivor(vips, links, failures, [0])?.map(({ use }) => use);
        assert.deepEqual(one, byHand(vips, links, failures));
      },
    ),
    { numRuns: 100 },
  );
});

test("unequal links, or a plan that changes when it is turned, are no rotation", () => {
  const turned = [0, 1, 2].map((turn) => ({ load: 1, order: [0, 1, 2].map((host) => (host + turn) % 3) }));
  assert.ok(isRotation(turned, [1, 1, 1], 1));
  assert.ok(!isRotation(turned, [1, 1, 2], 1));
  assert.ok(!isRotation(turned.slice(1), [1, 1, 1], 1));
});

test("more than a million failure sets are bounded exactly, by rotation where the plan has one", () => {
  const hosts = 30;
  const links = new Array<number>(hosts).fill(1);
  const turned = links.map((_, turn) => ({ load: 1, order: links.map((_, host) => (host + turn) % hosts) }));
  const outcome = outcomeOf(turned, links, 8);
  assert.equal(outcome?.method, "one survivor, by rotation");
  assert.equal(outcome.failureSets, 8_656_937);
  // Eight neighbours in a row fall upon the ninth.
  assert.deepEqual(
    outcome.worst.map(({ load }) => load),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  const broken = [...turned, { load: 2, order: links.map((_, host) => host) }];
  const every = outcomeOf(broken, links, 8);
  assert.equal(every?.method, "every survivor");
  assert.equal(every.worst[8]?.load, 11);
});
