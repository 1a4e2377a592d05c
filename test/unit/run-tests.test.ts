/** The test run itself: one summary over all files, and success only when something ran and nothing failed. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const runner = fileURLToPath(new URL("../../scripts/run-tests.ts", import.meta.url));
const passing = 'import { test } from "node:test";\n\ntest("passes", () => {});\n';
const failing = 'import { test } from "node:test";\n\ntest("fails", () => { throw new Error("as it should"); });\n';
const skipping = 'import { test } from "node:test";\n\ntest("is left out", { skip: true }, () => {});\n';

function runTests(t: TestContext, files: Record<string, string>, ...filters: string[]) {
  const folder = mkdtempSync(join(tmpdir(), "run-tests-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  // node:test runs nothing in a process that says it is itself part of a run.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, [runner, ...filters], { cwd: folder, encoding: "utf8", env });
  const summary = [...stdout.matchAll(/^ℹ (tests|pass|fail|skipped) (\d+)$/gm)].map(([, word, figure]) => [
    word,
    figure,
  ]);
  return { status, summary: summary.map((entry) => entry.join(" ")) };
}

test("a run in which all passes succeeds, with one summary over unit and other tests", (t) => {
  const run = runTests(t, { "test/unit/a.test.ts": passing, "test/netns/b.test.ts": passing });
  assert.deepEqual(run, { status: 0, summary: ["tests 2", "pass 2", "fail 0", "skipped 0"] });
});

test("a failure among the unit tests is not forgotten when later files pass", (t) => {
  const run = runTests(t, { "test/unit/a.test.ts": failing, "test/netns/b.test.ts": passing });
  assert.deepEqual(run, { status: 1, summary: ["tests 2", "pass 1", "fail 1", "skipped 0"] });
});

test("a failure among the other tests fails the run", (t) => {
  const run = runTests(t, { "test/unit/a.test.ts": passing, "test/e2e/b.test.ts": failing });
  assert.deepEqual(run, { status: 1, summary: ["tests 2", "pass 1", "fail 1", "skipped 0"] });
});

test("a filter runs only the files whose path contains it", (t) => {
  const run = runTests(t, { "test/unit/a.test.ts": failing, "test/netns/b.test.ts": passing }, "netns");
  assert.deepEqual(run, { status: 0, summary: ["tests 1", "pass 1", "fail 0", "skipped 0"] });
});

test("a filter that fits no file fails", (t) => {
  assert.equal(runTests(t, { "test/unit/a.test.ts": passing }, "nothing").status, 1);
});

test("a run in which every test was skipped fails", (t) => {
  assert.equal(runTests(t, { "test/unit/a.test.ts": skipping }).status, 1);
});
