/** The least number of VIPs: scenario S6's values, what is provable, and properties. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { adviceFor } from "../../../src/plan/advice.ts";
import { leastWorstUse } from "../../../src/plan/bound.ts";
import { decide } from "../../../src/plan/exhaustive.ts";
import { planned } from "../../../src/plan/planner.ts";
import { fits, type PlanProblem, refusal } from "../../../src/plan/problem.ts";

const G = 1e9;
const equal = (hosts: number, failures: number, traffic: number, more: Partial<PlanProblem> = {}): PlanProblem => ({
  links: new Array<number>(hosts).fill(G),
  failures,
  headroom: 0,
  traffic: traffic * G,
  vipLoads: undefined,
  spread: "even",
  ...more,
});
const close = (actual: number | undefined, expected: number, what: string) =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-9, `${what}: ${actual}, not ${expected}`);
const worstOf = (problem: PlanProblem, vips: number) =>
  planned(problem, { vips }).chosen?.arrangement?.outcome.worst.at(-1)?.use;

test("three hosts of 1 Gbit/s with 1.5 Gbit/s: 1 to 12 VIPs come to what a count by hand gives, proven", () => {
  // With one host gone two hosts hold all VIPs: one has at least half of them, rounded up.
  const answer = planned(equal(3, 1, 1.5));
  for (let vips = 1; vips <= 12; vips++) {
    const trial = answer.trials[vips - 1];
    assert.equal(trial?.vips, vips);
    close(trial.arrangement?.outcome.worst[1]?.use, (Math.ceil(vips / 2) / vips) * 1.5, `${vips} VIPs`);
    assert.ok(trial.arrangement?.proven);
  }
  assert.deepEqual(
    answer.trials.filter((trial) => !trial.fits).map(({ vips }) => vips),
    [1, 3],
  );
});

test("three VIPs on three hosts are degraded: a survivor's link is full", () => {
  const { chosen } = planned(equal(3, 1, 1.5), { vips: 3 });
  assert.equal(chosen?.fits, false);
  close(chosen.arrangement?.outcome.worst[1]?.load, G, "load");
});

test("six VIPs on three hosts are the least that is even: half a link with all up, three quarters after a failure", () => {
  const { chosen, least } = planned(equal(3, 1, 1.5));
  assert.equal(chosen?.vips, 6);
  assert.ok(chosen.fits && least);
  close(chosen.arrangement?.outcome.worst[0]?.use, 0.5, "all up");
  close(chosen.arrangement?.outcome.worst[1]?.use, 0.75, "one failed");
  // The highest priorities: each ordered pair of hosts once.
  const pairs = chosen.arrangement?.vips.map(({ order }) => order.slice(0, 2).join(" ")) ?? [];
  assert.equal(new Set(pairs).size, 6);
});

test("where hosts may stand by, two VIPs on three hosts are enough", () => {
  const { chosen } = planned(equal(3, 1, 1.5, { spread: "any" }));
  assert.equal(chosen?.vips, 2);
  close(chosen.arrangement?.outcome.worst[1]?.use, 0.75, "one failed");
});

test("four hosts with four VIPs have 0.75 Gbit/s on a link after a failure", () => {
  const { chosen } = planned(equal(4, 1, 1.5));
  assert.equal(chosen?.vips, 4);
  close(chosen.arrangement?.outcome.worst[1]?.load, 0.75 * G, "load");
});

test("after two of three hosts failed the last one carries everything, whatever the number of VIPs", () => {
  for (let vips = 1; vips <= 12; vips++) close(worstOf(equal(3, 2, 0.9), vips), 0.9, `${vips} VIPs`);
});

test("twelve VIPs on four hosts are perfectly even after no, one and two failures", () => {
  const { chosen } = planned(equal(4, 2, 1), { vips: 12 });
  const worst = chosen?.arrangement?.outcome.worst.map(({ use }) => use) ?? [];
  for (const [size, use] of worst.entries()) close(use, 1 / (4 - size), `${size} failed`);
});

test("a slow and a fast link share by their speeds", () => {
  const { chosen } = planned({ ...equal(3, 1, 1.5), links: [G, G, 10 * G], spread: "any" });
  // The fast one gone, two hosts of 1 Gbit/s are left.
  assert.equal(chosen?.vips, 2);
  close(chosen.arrangement?.outcome.worst[1]?.use, 0.75, "one failed");
});

test("given loads are packed: what an exhaustive search finds for every order is what is reported as proven", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 3 }),
      (loads, links) => {
        const traffic = loads.reduce((a, b) => a + b, 0);
        const problem = { ...equal(0, 1, 1), links, traffic, vipLoads: loads, spread: "any" as const };
        const arrangement = planned(problem).chosen?.arrangement;
        assert.ok(arrangement?.proven);
        close(arrangement.outcome.worst.at(-1)?.use, leastByHand(loads, links), `${loads} on ${links}`);
      },
    ),
    { numRuns: 40 },
  );
});

/** Least worst use after one failure, over every choice of an owner and a successor for every VIP. */
function leastByHand(loads: readonly number[], links: readonly number[]): number {
  const pairs = [...links.keys()].flatMap((a) => [...links.keys()].filter((b) => b !== a).map((b) => [a, b] as const));
  let least = Number.POSITIVE_INFINITY;
  const held = links.map(() => links.map(() => 0));
  const go = (vip: number): void => {
    const load = loads[vip];
    if (load === undefined) {
      const uses = held.flatMap((row) => row.map((one, host) => one / (links[host] ?? 1)));
      least = Math.min(least, Math.max(...uses));
      return;
    }
    for (const [first, second] of pairs) {
      const put = (by: number) => {
        for (const [failed, row] of held.entries()) {
          const owner = failed === first ? second : first;
          row[owner] = (row[owner] ?? 0) + by;
        }
      };
      put(load);
      if (held.every((row) => row.every((one, host) => one / (links[host] ?? 1) < least))) go(vip + 1);
      put(-load);
    }
  };
  go(0);
  return least;
}

const smallProblems = fc.record({
  hosts: fc.integer({ min: 2, max: 5 }),
  failures: fc.integer({ min: 0, max: 3 }),
  traffic: fc.integer({ min: 1, max: 40 }),
  headroom: fc.constantFrom(0, 0.1, 0.3),
  spread: fc.constantFrom("even" as const, "any" as const),
});

test("every VIP has an order of all hosts, no use is below its bound, and what fits keeps to the limit", () => {
  fc.assert(
    fc.property(smallProblems, ({ hosts, failures, traffic, ...more }) => {
      const problem = equal(hosts, Math.min(failures, hosts - 1), traffic / 10, more);
      for (const { vips, arrangement, bound, fits: good } of planned(problem).trials) {
        if (arrangement === undefined) continue;
        assert.equal(arrangement.vips.length, vips);
        for (const { order } of arrangement.vips) assert.deepEqual(order.toSorted(), [...problem.links.keys()]);
        const use = arrangement.outcome.worst.at(-1)?.use ?? 0;
        assert.ok(use >= bound - 1e-9);
        assert.equal(good, fits(use, problem));
        for (const one of arrangement.outcome.worst) assert.ok(one.use <= use + 1e-9, "fewer failures are no worse");
      }
    }),
    { numRuns: 25 },
  );
});

test("more head-room never takes fewer VIPs", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 4 }), fc.integer({ min: 1, max: 25 }), (hosts, traffic) => {
      const counts = [0, 0.1, 0.2, 0.4].map((headroom) => {
        const { chosen, least } = planned(equal(hosts, 1, traffic / 10, { headroom }));
        return chosen?.fits && least ? chosen.vips : Number.POSITIVE_INFINITY;
      });
      assert.deepEqual(
        counts,
        counts.toSorted((a, b) => (a === b ? 0 : a - b)),
      );
    }),
    { numRuns: 25 },
  );
});

test("the same question gets the same plan", () => {
  const problem = equal(5, 2, 2.4, { headroom: 0.1 });
  assert.deepEqual(planned(problem), planned(problem));
});

test("sixteen hosts of which four may fail get a plan that is exact over all 2517 failure sets", () => {
  const { chosen } = planned(equal(16, 4, 8));
  assert.ok(chosen?.fits);
  assert.equal(chosen.arrangement?.outcome.failureSets, 2517);
});

test("a link that is full does not fit, whatever the head-room", () => {
  assert.ok(!fits(1, { headroom: 0 }));
  assert.ok(fits(0.999, { headroom: 0 }));
  assert.ok(fits(0.9, { headroom: 0.1 }));
  assert.ok(!fits(0.901, { headroom: 0.1 }));
});

test("what cannot come true is told why, with what would do", () => {
  const advice = adviceFor(planned(equal(3, 1, 2.5, { headroom: 0.1 })));
  assert.match(advice?.reason ?? "", /^The 2 hosts left .* 2 Gbit\/s together; 2\.5 Gbit\/s would use 125 %/);
  assert.deepEqual(advice?.nearest, [
    "4 hosts: 1 more of 1 Gbit/s, with 12 VIPs",
    "0 failures at most, with 3 VIPs",
    "links of 1.389 Gbit/s",
    "at most 1.8 Gbit/s of traffic",
  ]);
  assert.ok(planned(equal(4, 1, 2.5, { headroom: 0.1 })).chosen?.fits);
  assert.equal(planned(equal(4, 1, 2.5, { headroom: 0.1 })).chosen?.vips, 12);
  assert.ok(planned({ ...equal(3, 1, 2.5, { headroom: 0.1 }), links: [1.389 * G, 1.389 * G, 1.389 * G] }).chosen?.fits);
  assert.ok(planned(equal(3, 1, 1.8, { headroom: 0.1 })).chosen?.fits);
});

test("too few VIPs are told how many would do", () => {
  const advice = adviceFor(planned(equal(3, 1, 1.5), { vips: 3 }));
  assert.match(advice?.reason ?? "", /A VIP moves whole: with 3 VIPs .* whatever the priorities/);
  assert.deepEqual(advice?.nearest, ["6 VIPs", "these VIPs on links of more than 1 Gbit/s"]);
});

test("problems that cannot be looked at are refused in words", () => {
  assert.match(refusal(equal(3, 3, 1)) ?? "", /nobody is left/);
  assert.match(refusal(equal(31, 1, 1)) ?? "", /1 to 30/);
  assert.match(refusal(equal(3, 1, 1, { headroom: 1 })) ?? "", /head-room/);
  assert.match(refusal(equal(3, 1, 1, { vipLoads: new Array(256).fill(1) })) ?? "", /1 to 255/);
  assert.equal(refusal(equal(3, 1, 1)), undefined);
});

test("bounds are what whole VIPs allow, and an exhaustive search agrees where there is nothing below", () => {
  close(leastWorstUse([1, 1, 1], [1, 1, 1], 1), 2, "three on two");
  close(leastWorstUse([3, 2, 2], [1, 1, 1], 1), 4, "two of the lighter ones meet");
  assert.equal(decide([1, 1, 1], [1, 1, 1], 1, [undefined, 1.9], 1e6).kind, "none");
  assert.equal(decide([1, 1, 1], [1, 1, 1], 1, [undefined, 2], 1e6).kind, "found");
});
