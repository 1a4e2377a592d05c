/** A timer of the kernel: order and instants, never how late this machine is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { after, instantAt, milliseconds } from "../../src/base/time.ts";
import { monotonicNow } from "../../src/sys/clock.ts";
import { PreciseTimer } from "../../src/sys/precise-timer.ts";
import { until } from "../support/until.ts";

test("it calls once, not before its time, and can be set again from within the call", async () => {
  const calls: number[] = [];
  const first = after(monotonicNow(), milliseconds(20));
  const second = after(first, milliseconds(20));
  const timer = new PreciseTimer(() => {
    calls.push(monotonicNow());
    if (calls.length === 1) timer.set(second);
  });
  timer.set(first);
  await until("both calls", () => calls.length === 2);
  await sleep(50);
  assert.equal(calls.length, 2);
  assert.ok((calls[0] ?? 0) >= first && (calls[1] ?? 0) >= second);
  timer.close();
});

test("a time that has passed calls at once; what is cleared or closed does not call", async () => {
  const calls: string[] = [];
  const [passed, cleared, closed] = ["passed", "cleared", "closed"].map(
    (name) => new PreciseTimer(() => calls.push(name)),
  );
  passed?.set(instantAt(0));
  cleared?.set(after(monotonicNow(), milliseconds(10)));
  cleared?.clear();
  closed?.set(after(monotonicNow(), milliseconds(10)));
  closed?.close();
  closed?.close();
  closed?.set(monotonicNow());
  await until("the call", () => calls.length > 0);
  await sleep(50);
  assert.deepEqual(calls, ["passed"]);
  passed?.close();
  cleared?.close();
});
