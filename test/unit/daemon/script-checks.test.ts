/** Check scripts are never run twice at once, also after a time-out. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import { ScriptChecks } from "../../../src/daemon/vrrp/trackers/script-checks.ts";
import type { ScriptOutcome } from "../../../src/vrrp/messages.ts";

const COMMAND = { argv: ["/chk"], user: undefined };

test("the next run waits until one that timed out has ended, and one of another name does not", async () => {
  const ends: (() => void)[] = [];
  const timeout: ScriptOutcome = { type: "timeout" };
  const checks = new ScriptChecks({
    async run(_command, _timeout, { ended } = {}) {
      ends.push(ended ?? (() => undefined));
      return timeout;
    },
  });
  assert.equal(await checks.run("a", COMMAND, seconds(1)), timeout);
  const second = checks.run("a", COMMAND, seconds(1));
  assert.equal(await checks.run("b", COMMAND, seconds(1)), timeout);
  assert.equal(ends.length, 2, "only one of each runs");
  ends[0]?.();
  assert.equal(await second, timeout);
  assert.equal(ends.length, 3);
});
