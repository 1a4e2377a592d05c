/**
 * The schedulers in the kernel choose what IPVS chose: every scenario of test/fixtures/ipvs/ (captured by scripts/oracle from
 * Debian's kernel) played on our programs, with the loops of new kernels and with those of old ones.
 */

import assert from "node:assert/strict";
import { before, describe, test } from "../support/bpf-tests.ts";
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

/** IPVS draws by chance, so there is no sequence to compare. Both ends are a function of the load: it keeps them together. */
describe("twos", () => {
  const vip = "-t 192.168.9.1:80";
  const picks = (...weights: number[]): string[] => {
    using plane = new SchedulingPlane("bpf_loop");
    const servers = weights.map((weight, index) => ({
      ipvsadm: `-a ${vip} -r 192.168.8.${index + 1}:80 -w ${weight}`,
    }));
    const send = { kind: "syn", from: "10.0.0.1", port: 1000, count: 400, to: "192.168.9.1", toPort: 80 } as const;
    const steps = plane.play({ name: "twos", steps: [{ ipvsadm: `-A ${vip} -s twos` }, ...servers, { send }] });
    const last = steps.at(-1);
    assert.ok(last !== undefined && "send" in last);
    return last.chosen?.split(" ") ?? [];
  };

  test("takes no server of weight 0, and refuses when there is no other", () => {
    assert.deepEqual(new Set(picks(1, 0, 2)), new Set(["1", "3"]));
    assert.deepEqual(new Set(picks(0, 0)), new Set(["-"]));
  });

  test("keeps the loads of servers near their weights", () => {
    const chosen = picks(3, 1);
    const heavy = chosen.filter((name) => name === "1").length;
    // The lighter is caught up with probability 1 - (3/4)² at each step: 60 off is further than chance goes.
    assert.ok(Math.abs(heavy - 300) < 60, `${heavy} of 400`);
  });
});
