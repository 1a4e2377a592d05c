/** `evenkeel replay` of what is not there. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EVENKEEL } from "../../support/vrrp-pair.ts";

const replayed = (path: string) => {
  const { status, stdout, stderr } = spawnSync(EVENKEEL, ["replay", path], { encoding: "utf8" });
  return { status, stdout, stderr };
};

test("a recording that is not there is named, with what would write one", () => {
  const path = join(tmpdir(), "no-such-folder", "vrrp.rec");
  assert.deepEqual(replayed(path), {
    status: 2,
    stdout: "",
    stderr: `evenkeel: ${path}: there is no such file; \`evenkeel run --record FILE\` writes one\n`,
  });
});

test("a folder is no recording", () => {
  assert.deepEqual(replayed("/"), {
    status: 2,
    stdout: "",
    stderr: "evenkeel: / is a folder: name the recording in it\n",
  });
});
