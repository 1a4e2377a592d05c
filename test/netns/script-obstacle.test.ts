/** Scripts that cannot or must not be run: which part of the path, whose it is, its mode, and the cure. Needs root. */

import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { obstacle, type ScriptRules } from "../../src/daemon/scripts/obstacle.ts";

const SECURE: ScriptRules = { enableScriptSecurity: true, scriptUser: { user: "root", group: undefined } };

/** `FOLDER/checks/chk`, executable for all. */
function script(context: TestContext): { folder: string; file: string } {
  const top = mkdtempSync(join(tmpdir(), "scripts-"));
  context.after(() => rmSync(top, { recursive: true, force: true }));
  chmodSync(top, 0o755);
  const folder = join(top, "checks");
  mkdirSync(folder);
  const file = join(folder, "chk");
  writeFileSync(file, "#!/bin/sh\n", { mode: 0o755 });
  return { folder, file };
}

const says = (argv: readonly string[], user?: string, rules = SECURE): string => {
  const found = obstacle({ argv, user: user === undefined ? undefined : { user, group: undefined } }, rules);
  return found === undefined ? "nothing" : `${found.kind}: ${found.message}`;
};

test("a script of root's in folders of root's is run, as root and as somebody else", (t) => {
  const { file } = script(t);
  assert.equal(says([file]), "nothing");
});

test("a part of the path that others may write is named, with its owner, its mode and the cure", (t) => {
  const { folder, file } = script(t);
  chmodSync(folder, 0o775);
  const culprit = `${folder} belongs to root (uid 0), group root, with mode 0775`;
  const why = "so that others than root may change what root runs";
  const cure = `cure: chown root:root ${folder} && chmod go-w ${folder}`;
  assert.equal(
    says([file]),
    `insecure: Unsafe permissions found for script '${file}' - disabling: ${culprit}, ${why}; ${cure}`,
  );
  assert.equal(says([file], undefined, { ...SECURE, enableScriptSecurity: false }), "nothing", "only when asked for");
  chmodSync(folder, 0o1777);
  assert.equal(says([file]), "nothing", "nobody can replace what is in a sticky folder");
});

test("a part of the path that is not root's is named", (t) => {
  const { file } = script(t);
  try {
    chownSync(file, 1, 1);
  } catch {
    t.skip("needs a second user id");
    return;
  }
  assert.match(says([file]), new RegExp(`${file} belongs to .* \\(uid 1\\), group .*, with mode 0755`));
});

test("a directory, a file that is not executable and one that is not there are told apart", (t) => {
  const { folder, file } = script(t);
  assert.equal(says([folder]), `insecure: Wrong file type found in script path '${folder}': it is a directory`);
  chmodSync(file, 0o644);
  assert.equal(
    says([file]),
    `not-executable: WARNING - script '${file}' is not executable for uid:gid 0:0 - disabling: ${file} belongs to root (uid 0), group root, with mode 0644; cure: chmod +x ${file}`,
  );
  const missing = `Script ${folder}/no/chk cannot be accessed - No such file or directory: there is no ${folder}/no`;
  assert.equal(says([`${folder}/no/chk`]), `missing: ${missing}`);
  assert.equal(says([`${folder}/no`]), `missing: Script ${folder}/no cannot be accessed - No such file or directory`);
});

test("a folder that does not let the script's user through is named", (t) => {
  const { folder, file } = script(t);
  chmodSync(folder, 0o700);
  const line = `WARNING - script '${file}' is not executable for uid:gid 65534:65534 - disabling`;
  const culprit = `${folder} belongs to root (uid 0), group root, with mode 0700; cure: chmod a+x ${folder}`;
  assert.equal(says([file], "65534"), `not-executable: ${line}: ${culprit}`);
});

test("a user that does not exist is named, and the default user can be made", () => {
  assert.equal(says(["/bin/true"], "nosuchuser"), "user: Script user 'nosuchuser' does not exist");
  const nobody = { enableScriptSecurity: true, scriptUser: undefined };
  assert.equal(
    says(["/bin/true"], undefined, nobody),
    "user: Script user 'keepalived_script' does not exist; cure: useradd -r keepalived_script, or name a user by script_user",
  );
});
