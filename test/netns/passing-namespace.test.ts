/** A plane is never lost in silence: commands in mount namespaces that end with them, as `ip netns exec` makes them. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { removeBpffs } from "../../src/sys/bpffs.ts";
import { needsBpf } from "../support/bpf.ts";

const launcher = fileURLToPath(new URL("../../bin/evenkeel", import.meta.url));
const run = mkdtempSync("/run/ek-passing");
const add = `"${launcher}" ipvsadm -A -t 10.0.0.1:80`;
const list = `"${launcher}" ipvsadm -Ln -t 10.0.0.1:80`;

/** A mount namespace for this script alone; with process 1 hidden nothing says which folders others see. */
function within(script: string, hidden = true) {
  const hide = hidden ? "mount -t tmpfs none /proc/1\n" : "";
  return spawnSync("unshare", ["--mount", "--propagation", "slave", "sh", "-c", hide + script], {
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, EVENKEEL_RUN: run },
  });
}

beforeEach(() => removeBpffs(`${run}/bpf`));
after(() => {
  removeBpffs(`${run}/bpf`);
  rmSync(run, { recursive: true });
});

test("a command whose mounts end with it is refused, with a cure, and has made nothing", () => {
  const { status, stdout, stderr } = within(`exec ${add}`);
  assert.equal(stdout, "");
  assert.match(stderr, /^Can't initialize ipvs: the mount namespace of this command ends with it, .*nsenter --net=/);
  assert.match(stderr, new RegExp(`mount -t bpf bpf ${run}/bpf$`, "m"));
  assert.equal(status, 2);
  assert.equal(existsSync(`${run}/bpf`), false);
});

test("where a shell is in the namespace too, its end is told of, and until then the plane is there", needsBpf, () => {
  const { status, stdout, stderr } = within(`${add} && ${list}; echo "by $$"`);
  const shell = /^by (\d+)$/m.exec(stdout)?.[1];
  assert.match(stdout, /^TCP {2}10\.0\.0\.1:80 wlc$/m);
  assert.match(
    stderr,
    new RegExp(`^the data plane is in a mount namespace that ends with process ${shell}, .*nsenter`),
  );
  assert.equal(stderr.trim().split("\n").length, 1, "only who mounts says it");
  assert.equal(status, 0);
});

test("with a bpffs that was mounted before, or process 1 in sight, the plane outlives the command", needsBpf, () => {
  const before = spawnSync("sh", ["-c", `mkdir -p ${run}/bpf && mount -t bpf bpf ${run}/bpf`]);
  assert.equal(before.status, 0);
  // In one network namespace, as a plane belongs to one.
  const kept = within(`exec ${add}`);
  assert.deepEqual([kept.status, kept.stderr], [0, ""]);
  const seen = within(`exec ${list}`);
  assert.match(seen.stdout, /^TCP {2}10\.0\.0\.1:80 wlc$/m);
  spawnSync(launcher, ["ipvsadm", "-C"], { env: { ...process.env, EVENKEEL_RUN: run } });
  removeBpffs(`${run}/bpf`);
  const beside = within(`exec ${add}`, false);
  assert.deepEqual([beside.status, beside.stderr], [0, ""]);
  assert.match(within(`exec ${list}`, false).stdout, /^TCP {2}10\.0\.0\.1:80 wlc$/m);
  spawnSync(launcher, ["ipvsadm", "-C"], { env: { ...process.env, EVENKEEL_RUN: run } });
});
