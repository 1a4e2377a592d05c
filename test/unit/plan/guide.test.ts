/** docs/guides/planning.md and examples/plan against what is computed. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseVipAddresses } from "../../../src/plan/addresses.ts";
import { chart } from "../../../src/plan/chart.ts";
import { emitKeepalived } from "../../../src/plan/emit.ts";
import { choose } from "../../../src/plan/failure-sets.ts";
import { planned } from "../../../src/plan/planner.ts";
import { MOST_VIPS, type PlanProblem } from "../../../src/plan/problem.ts";

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

const equal = (hosts: number, failures: number): PlanProblem => ({
  links: new Array<number>(hosts).fill(1e9),
  failures,
  headroom: 0,
  traffic: 1.5e9,
  vipLoads: undefined,
  spread: "even",
});

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

test("the guide's table has the formula's numbers, and with so many VIPs every failure leaves all survivors the same", () => {
  const rows = [...read("docs/guides/planning.md").matchAll(/^\| ([2-8]) \| (.*) \|$/gm)].filter(([, , cells = ""]) =>
    /^[0-9 |]*$/.test(cells),
  );
  assert.deepEqual(
    rows.map(([, hosts]) => Number(hosts)),
    [2, 3, 4, 5, 6, 7, 8],
  );
  for (const [, name, cells = ""] of rows) {
    const hosts = Number(name);
    for (const [index, cell] of cells.split("|").entries()) {
      const failures = index + 1;
      if (failures >= hosts) {
        assert.equal(cell.trim(), "");
        continue;
      }
      let vips = 1;
      for (let j = 0; j <= failures; j++) {
        const factor = hosts * choose(hosts - 1, j);
        vips = (vips * factor) / divisor(vips, factor);
      }
      assert.equal(Number(cell), vips, `${hosts} hosts, ${failures} failures`);
      if (vips > MOST_VIPS) continue;
      const worst = planned(equal(hosts, failures), { vips }).chosen?.arrangement?.outcome.worst ?? [];
      assert.equal(worst.length, failures + 1);
      for (const [size, { load }] of worst.entries()) {
        assert.ok(
          Math.abs(load - 1.5e9 / (hosts - size)) < 1,
          `${hosts} hosts, ${size} of ${failures} failed: ${load}`,
        );
      }
    }
  }
});

test("examples/plan is what the guide's first command writes", () => {
  const answer = planned(equal(3, 1));
  const hostNames = ["host1", "host2", "host3"];
  const addresses = parseVipAddresses("10.0.0.10-15/24");
  assert.ok(addresses.ok && answer.chosen?.arrangement !== undefined);
  const { vips, outcome } = answer.chosen.arrangement;
  const settings = { hostNames, addresses: addresses.value, interface: "eth0", firstVrid: 51, advertSeconds: 1 };
  const files = emitKeepalived(vips, answer.problem, outcome.worst, settings);
  assert.ok(files.ok);
  for (const [name, text] of files.value) assert.equal(read(`examples/plan/${name}`), text, name);
  assert.equal(read("examples/plan/plan.svg"), chart(answer, hostNames));
});
