/**
 * Persistence is IPVS's: every scenario of test/fixtures/ipvs/persistence.json, and those of others that wait for connections
 * to expire, played on the whole data plane.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "../support/bpf-tests.ts";
import { capturedScenarios } from "../support/ipvs-captures.ts";
import type { Step } from "../support/ipvs-scenario.ts";
import { TestNetwork, type TestNode } from "../support/namespace.ts";
import { balancerNode, WholePlane } from "../support/whole-plane.ts";

/** Services stand in another order than in the kernel's hash table. */
const comparable = (steps: readonly Step[]): readonly Step[] =>
  steps.map((step) =>
    "counts" in step && step.counts !== undefined ? { ...step, counts: step.counts.split(" ").sort().join(" ") } : step,
  );

const waiting = capturedScenarios("loads").filter(({ steps }) => steps.some((step) => "waitSeconds" in step));

describe("IPVS's choices are ours", () => {
  let network: TestNetwork;
  let node: TestNode;
  before(async () => {
    network = new TestNetwork();
    node = await balancerNode(network);
  });
  after(() => network[Symbol.asyncDispose]());
  for (const scenario of [...capturedScenarios("persistence"), ...waiting]) {
    test(scenario.name, async () => {
      using plane = await WholePlane.open(node, "bpf_loop");
      assert.deepEqual(comparable(await plane.play(scenario)), comparable(scenario.steps));
    });
  }
});
