/** Scenario S5 from the files in examples/haproxy-keepalived. */

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readTopology } from "../../src/lab/file.ts";
import { Lab } from "../../src/lab/lab.ts";
import { LabNode } from "../../src/lab/node.ts";
import { HaproxyKeepalivedScenario } from "../../src/lab/scenarios/haproxy-keepalived.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/haproxy-keepalived", import.meta.url));

test("two balancers keep three web servers reachable through every step of the scenario", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "s5-"));
  cpSync(EXAMPLE, folder, { recursive: true });
  const lab = await Lab.up(readTopology(join(folder, "docker-compose.yml")), { name: `s5-${process.pid}` });
  const told: string[] = [];
  const runs = [mock.method(LabNode.prototype, "exec"), mock.method(LabNode.prototype, "spawn")];
  t.after(() => mock.restoreAll());
  try {
    for await (const report of new HaproxyKeepalivedScenario(lab, { folder }).run()) {
      told.push(report.title);
      assert.ok(
        report.ok,
        `${report.title}\n${report.facts.join("\n")}\n${lab.node("lb1").process("evenkeel").lastLines()}`,
      );
    }
  } finally {
    await lab.down();
    rmSync(folder, { recursive: true, force: true });
  }
  assert.equal(told.length, 11, told.join("\n"));
  const programs = new Set(runs.flatMap((run) => run.mock.calls.map((call) => call.arguments[0][0])));
  assert.deepEqual(
    [...programs].sort(),
    ["evenkeel", "ip", "node"],
    "the demo runs on machines that have nothing else",
  );
});
