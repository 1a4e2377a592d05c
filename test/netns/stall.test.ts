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

/** Longer than the backup waits (3 × 100 ms and its skew); adverts of all that time lie in its socket when it goes on. */
const FREEZE_MS = 700;

test("A backup that was frozen reads the adverts that came meanwhile before it takes over", async () => {
  await using pair = await VrrpPair.start({
    master: "evenkeel",
    backup: "evenkeel",
    lines: ["version 3", "advert_int 0.1", "garp_master_delay 0"],
  });
  const { backup } = pair;
  const before = backup.program.output.length;
  for (let round = 0; round < 5; round++) {
    backup.freeze();
    await sleep(FREEZE_MS);
    backup.resume();
    await sleep(200);
  }
  assert.doesNotMatch(backup.program.output.slice(before), /Entering MASTER STATE/);
});

test("A master that stands still again and again is never one of two masters for long", async () => {
  await using pair = await VrrpPair.start({
    master: "evenkeel",
    backup: "evenkeel",
    lines: ["version 3", "advert_int 0.01", "garp_master_delay 0"],
  });
  const { master, backup } = pair;
  for (let round = 0; round < 10; round++) {
    master.freeze();
    await sleep(100);
    master.resume();
    // Whoever wins: there is one, and there is no other.
    await until("one alone has the VIP", async () => (await master.holdsVip()) !== (await backup.holdsVip()));
  }
  await master.holding();
  await backup.lettingGo();
});
