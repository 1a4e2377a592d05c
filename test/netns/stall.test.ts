/** A master that did not run for a while, at adverts every 10 ms: somebody else is master by then. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../support/until.ts";
import { VrrpPair } from "../support/vrrp-pair.ts";

for (const backup of ["evenkeel", "keepalived"] as const) {
  test(`A master that was frozen for seconds beside ${backup} is a backup first, and never one of two masters`, async () => {
    await using pair = await VrrpPair.start({
      master: "evenkeel",
      backup,
      lines: ["version 3", "advert_int 0.01", "garp_master_delay 0"],
    });
    const { master } = pair;
    master.freeze();
    await pair.backup.holding();
    await master.lettingGo();
    await sleep(1_000);
    const before = master.program.output.length;
    master.resume();
    const since = () => master.program.output.slice(before);
    await until("the frozen one speaks", () => /Entering \w+ STATE/.test(since()));
    assert.match(since(), /A thread timer expired \d+\.\d+ seconds ago/);
    assert.equal(/Entering (\w+) STATE/.exec(since())?.[1], "BACKUP");
    // It has the higher priority: it takes over again, from a master that lets go.
    await pair.backup.lettingGo();
    await master.holding();
    assert.equal(await pair.backup.holdsVip(), false);
  });
}
