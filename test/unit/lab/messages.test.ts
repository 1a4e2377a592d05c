import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../../..");

test("docs/guides/lab.md lists the codes that a lab's file can give, no more and no fewer", () => {
  const source = globSync("src/lab/*.ts", { cwd: ROOT }).map((path) => readFileSync(join(ROOT, path), "utf8"));
  const given = new Set(source.flatMap((text) => [...text.matchAll(/"(lab\/[a-z-]+)"/g)].map(([, code]) => code)));
  const guide = readFileSync(join(ROOT, "docs/guides/lab.md"), "utf8");
  const listed = [...guide.matchAll(/^\| `(lab\/[a-z-]+)` \| (?:error|warning|note) \| \S/gm)].map(([, code]) => code);
  assert.ok(given.size > 20);
  assert.deepEqual(listed, [...given].sort());
});
