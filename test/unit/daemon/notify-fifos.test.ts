/** A FIFO that nobody reads: what does not fit is lost, counted and said once. */

import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NotifyFifos } from "../../../src/daemon/scripts/notify-fifos.ts";
import { ScriptRunner } from "../../../src/daemon/scripts/script-runner.ts";

test("what nobody reads is lost beyond what the pipe holds, counted, and said once until lines are taken again", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "fifo-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "fifo");
  const said: string[] = [];
  const runner = new ScriptRunner({ enableScriptSecurity: false, scriptUser: { user: "root", group: undefined } });
  const fifos = new NotifyFifos({ write: (level, line) => said.push(`${level} ${line}`) }, runner);
  const { uid, gid } = userInfo();
  const owner = { user: String(uid), group: String(gid) };
  fifos.configure([{ path, user: owner, script: undefined }]);
  t.after(() => fifos.close());
  // A pipe holds 64 KiB (pipe(7)): 64 lines of 1,024 bytes.
  const line = "x".repeat(1_023);
  for (let count = 0; count < 70; count++) fifos.write(line);
  const trouble = "it is full: nobody reads it, or not fast enough";
  assert.deepEqual(fifos.reports(), [{ path, trouble, written: 64, lost: 6 }]);
  assert.deepEqual(said, [`warning notify FIFO ${path}: ${trouble}; lines are lost`]);
  const reader = openSync(path, "r");
  readSync(reader, new Uint8Array(65_536));
  fifos.write(line);
  closeSync(reader);
  assert.deepEqual(fifos.reports(), [{ path, trouble: undefined, written: 65, lost: 6 }]);
  assert.deepEqual(said.slice(1), [`info notify FIFO ${path}: lines are taken again; 6 were lost so far`]);
});
