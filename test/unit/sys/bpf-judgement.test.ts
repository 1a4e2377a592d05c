/** What is said of kernels and rights that are not this machine's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bpfProblem, judgeHelpers } from "../../../src/sys/bpf-probe.ts";
import { missingCapabilities } from "../../../src/sys/capabilities.ts";

/** By BPF_FUNC_*: the last helper that a release has. */
const LAST_HELPER = { "5.4": 110, "5.10": 155, "5.15": 175, "6.1": 211 } as const;
const problemOf = (release: keyof typeof LAST_HELPER) =>
  bpfProblem(judgeHelpers(`Linux ${release}`, (helper) => helper <= LAST_HELPER[release]));

test("a kernel that is too old is refused with what it lacks and what it would take", () => {
  assert.equal(problemOf("5.4"), "Linux 5.4 has no BPF timers; layer 4 needs Linux 5.15 or later");
  assert.equal(problemOf("5.10"), "Linux 5.10 has no BPF timers; layer 4 needs Linux 5.15 or later");
  assert.equal(problemOf("5.15"), undefined);
  assert.equal(problemOf("6.1"), undefined);
});

test("loops of Linux 5.17 are told of, and done without", () => {
  const loop = judgeHelpers("Linux 5.15", (helper) => helper <= LAST_HELPER["5.15"]).find(
    ({ name }) => name === "loop",
  );
  assert.deepEqual(
    [loop?.present, loop?.needed, loop?.says],
    [false, false, "Linux 5.15 has no bpf_loop; Linux 5.17 has"],
  );
});

test("of the capabilities of a process those that are missing are named; CAP_SYS_ADMIN stands for some", () => {
  const status = (...bits: number[]) => {
    const effective = bits.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
    return `Name:\tnode\nCapPrm:\tffffffffffffffff\nCapEff:\t${effective.toString(16).padStart(16, "0")}\nCapBnd:\t0\n`;
  };
  const all = ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"] as const;
  assert.deepEqual(missingCapabilities(all, status(12, 21, 38, 39)), []);
  assert.deepEqual(missingCapabilities(all, status(12, 21)), []);
  assert.deepEqual(missingCapabilities(all, status(12, 38, 39)), ["CAP_SYS_ADMIN"]);
  assert.deepEqual(missingCapabilities(all, status(38)), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
  assert.deepEqual(missingCapabilities(all, ""), [...all]);
});
