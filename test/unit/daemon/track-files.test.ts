/** `track_file`: a number in a file that comes, is replaced, goes, and whose folder does the same. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TrackFiles } from "../../../src/daemon/track-files.ts";
import { until } from "../../support/until.ts";

function watching(context: TestContext): { folder: string; told: string[]; files: TrackFiles } {
  const folder = mkdtempSync(join(tmpdir(), "track-"));
  const told: string[] = [];
  const files = new TrackFiles({ write: () => undefined }, (name, value) => told.push(`${name} ${value}`));
  context.after(() => {
    files.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, told, files };
}

const tracked = (file: string, init?: { value: number; overwrite: boolean }) => ({
  name: "f",
  file,
  weight: 1,
  reverse: false,
  init,
});

test("a file that is written, replaced and deleted is told of each time, and a folder that comes later too", async (t) => {
  const { folder, told, files } = watching(t);
  const inner = join(folder, "later");
  const file = join(inner, "f");
  files.configure([tracked(file)], true);
  assert.equal(files.value("f"), 0);
  const step = async (deed: () => void, expected: string) => {
    deed();
    await until(expected, () => told.at(-1) === expected);
  };
  mkdirSync(inner);
  await step(() => writeFileSync(file, "-7 and more\n"), "f -7");
  await step(() => {
    writeFileSync(`${file}.new`, "8");
    renameSync(`${file}.new`, file);
  }, "f 8");
  await step(() => rmSync(file), "f 0");
  await step(() => {
    rmSync(inner, { recursive: true });
    mkdirSync(inner);
    writeFileSync(file, "9");
  }, "f 9");
  await step(() => writeFileSync(file, "no number"), "f 0");
  assert.deepEqual(told, ["f -7", "f 8", "f 0", "f 9", "f 0"]);
});

test("init_file makes the file at a start, over one that is there only with overwrite, and never at a reload", (t) => {
  const { folder, files } = watching(t);
  const file = join(folder, "f");
  files.configure([tracked(file, { value: 5, overwrite: false })], false);
  assert.equal(files.value("f"), 0);
  files.configure([tracked(file, { value: 5, overwrite: false })], true);
  assert.equal(files.value("f"), 5);
  files.configure([tracked(file, { value: 6, overwrite: false })], true);
  assert.equal(files.value("f"), 5);
  files.configure([tracked(file, { value: 6, overwrite: true })], true);
  assert.equal(readFileSync(file, "utf8"), "6\n");
});
