/**
 * The schedulers in the kernel choose what IPVS chose: every scenario of test/fixtures/ipvs/ (captured by scripts/oracle from
 * Debian's kernel) played on our programs, with the loops of new kernels and with those of old ones.
 */

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { type CaptureName, capturedScenarios } from "../support/ipvs-captures.ts";
import type { Scenario } from "../support/ipvs-scenario.ts";
import { buildSchedulingObject, SchedulingPlane } from "../support/scheduling-plane.ts";

const NAMES: readonly CaptureName[] = ["turns", "loads", "hashes", "locality"];

/** What waits for connections to expire is not about choosing. */
const isTimeless = ({ steps }: Scenario): boolean => steps.every((step) => !("waitSeconds" in step));

before(buildSchedulingObject);

for (const loops of ["bpf_loop", "bounded"] as const) {
  describe(`with ${loops} loops IPVS's choices are ours`, () => {
    for (const scenario of NAMES.flatMap(capturedScenarios).filter(isTimeless)) {
      test(scenario.name, () => {
        using plane = new SchedulingPlane(loops);
        assert.deepEqual(plane.play(scenario), scenario.steps);
      });
    }
  });
}
