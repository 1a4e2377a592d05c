/**
 * The cases of test/conformance/vrrp again, with `evenkeel run` in a network namespace: what it sends and what the kernel
 * holds must be what the timelines say. Order counts, "not before" counts to the milliseconds by which this process saw
 * the start late, "not after" counts generously.
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { runForReal } from "../support/vrrp-case-real.ts";
import { differences, visible } from "../support/vrrp-case-seen.ts";
import { readCases } from "../support/vrrp-cases.ts";

const cases = readCases(new URL("../conformance/vrrp/", import.meta.url));
const real = cases.filter(({ simulatedOnly }) => simulatedOnly === undefined);

/** Most of its time a case waits. */
const AT_ONCE = 16;
/** A machine that is busy with something else for seconds is not what is tested. */
const LATE = 3_000;
/** Timelines leave this much between what the neighbour does and what a timer of the router does. */
const MARGIN = 200;

describe("A real router", { concurrency: AT_ONCE }, () => {
  for (const one of real) {
    it(`${one.file}: ${one.title}`, async () => {
      for (let run = 1; ; run++) {
        const { happened, late, output } = await runForReal(one, "evenkeel", LATE);
        const found = differences(visible(one), happened, { early: 30 + late, late: LATE, apart: 300 });
        if (found.length === 0) return;
        // The neighbour did not do what the timeline says, so the router could not either.
        if (late > MARGIN && run < 4) continue;
        const saw = happened.map(({ at, what }) => `${(at / 1_000).toFixed(3)} ${what}`).join("\n");
        assert.fail(
          `${found.join("\n")}\n\nthis process was ${late.toFixed()} ms late; seen:\n${saw}\n\nit said:\n${output}`,
        );
      }
    });
  }
  after(() => console.log(`# ${real.length} of ${cases.length} VRRP cases ran with a real router`));
});
