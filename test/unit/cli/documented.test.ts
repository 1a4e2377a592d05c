/** The pages that say what there is: every command in cli.md, every folder once in the code map. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");
const folders = (path: string) =>
  readdirSync(new URL(path, root), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${path}${name}/`);

test("every command has a section in cli.md", () => {
  const commands = [...read("src/cli/main.ts").matchAll(/\.command\("([a-z]+)"/g)].map(([, name]) => name);
  assert.ok(commands.includes("explain"));
  const sections = new Set(
    [...read("docs/reference/cli.md").matchAll(/^## `evenkeel ([a-z]+)/gm)].map(([, name]) => name),
  );
  assert.deepEqual(
    commands.filter((name) => !sections.has(name)),
    [],
  );
});

test("every folder of src/ and of src/vrrp/ has one row in the code map", () => {
  const rows = [...read("ARCHITECTURE.md").matchAll(/^\| `(src\/[^`]*\/)`/gm)].map(([, folder]) => folder);
  for (const folder of [...folders("src/"), ...folders("src/vrrp/")])
    assert.equal(rows.filter((row) => row === folder).length, 1, folder);
});
