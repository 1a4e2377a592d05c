/** When a master speaks whose timers are late: RFC 9568 §6.4.3 (640), and why lateness must not add up. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { milliseconds } from "../../../src/base/time.ts";
import { Machine, of } from "../../support/vrrp-machine.ts";

/** Its timers come so late; when it has sent adverts, in milliseconds since the first. */
function paceOf(latenessMs: readonly number[]): number[] {
  const machine = new Machine({ version: 3, advertInterval: milliseconds(10), priority: 200 });
  machine.start();
  while (machine.is !== "MASTER") machine.wait(milliseconds(1));
  const first = machine.now;
  const sent: number[] = [];
  for (const late of latenessMs) {
    machine.freeze(milliseconds(machine.due * 1_000 + late));
    const adverts = of(machine.feed({ type: "timer" }), "send-advert");
    assert.equal(adverts.length, 1);
    sent.push((machine.now - first) / 1_000);
  }
  return sent.map((at) => Math.round(at - (sent[0] ?? 0)));
}

test("an advert that was late does not put off those after it", () => {
  assert.deepEqual(paceOf([0, 1, 1, 3, 0]), [0, 11, 21, 33, 40]);
});

test("an advert that was late by an interval or more begins a new pace, and none is sent twice to catch up", () => {
  assert.deepEqual(paceOf([0, 15, 0, 0]), [0, 25, 35, 45]);
  assert.deepEqual(paceOf([0, 10, 0]), [0, 20, 30]);
});
