/** Where rr and wrr go on after edits; that the sequences are IPVS's shows test/netns/scheduling.test.ts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  currentCursor,
  cursorAfterEdit,
  encodeCursor,
  firstCursor,
  type TurnList,
} from "../../../src/balance/ipvs/cursor.ts";
import { weightFigures } from "../../../src/balance/ipvs/weights.ts";

const list = (...servers: [number, number][]): TurnList => servers.map(([number, weight]) => ({ number, weight }));

test("a cursor survives its packing, and holds for its own generation only", () => {
  const cursor = { position: 65_535, weight: 0xffff_ffff };
  const packed = encodeCursor(cursor, 0x1_0007);
  assert.deepEqual(currentCursor({ cursor: 0n, generation: 7 }, packed), cursor);
  assert.deepEqual(currentCursor({ cursor: encodeCursor({ position: 2, weight: 3 }, 8), generation: 8 }, packed), {
    position: 2,
    weight: 3,
  });
});

test("rr starts before the first, wrr with the greatest pass", () => {
  const servers = list([1, 6], [2, 4], [3, 0]);
  assert.deepEqual(firstCursor("rr", servers), { position: 0, weight: 0 });
  assert.deepEqual(firstCursor("wrr", servers), { position: 0, weight: 5 });
  assert.deepEqual(firstCursor("wrr", []), { position: 0, weight: 0 });
});

test("rr goes on after the server that it chose last, wherever that is now", () => {
  const before = list([1, 1], [2, 1], [3, 1]);
  const cursor = { position: 2, weight: 0 };
  assert.equal(cursorAfterEdit("rr", cursor, before, list([9, 1], [1, 1], [2, 1], [3, 1])).position, 3);
  assert.equal(cursorAfterEdit("rr", cursor, before, list([2, 1], [3, 1])).position, 1);
});

test("when that server is deleted rr goes on after the one before it", () => {
  const before = list([1, 1], [2, 1], [3, 1]);
  assert.equal(cursorAfterEdit("rr", { position: 2, weight: 0 }, before, list([1, 1], [3, 1])).position, 1);
  assert.equal(cursorAfterEdit("rr", { position: 1, weight: 0 }, before, list([2, 1], [3, 1])).position, 0);
});

test("wrr starts its pass anew after an edit", () => {
  const before = list([1, 1], [2, 1]);
  assert.deepEqual(cursorAfterEdit("wrr", { position: 2, weight: 1 }, before, list([1, 5], [2, 1])), {
    position: 0,
    weight: 1,
  });
});

test("wrr's pass is cut to the greatest, and to the step of the weights", () => {
  const edit = (weight: number, after: TurnList) => cursorAfterEdit("wrr", { position: 1, weight }, [], after).weight;
  assert.equal(edit(40, list([1, 30], [2, 20])), 21);
  assert.equal(edit(18, list([1, 30], [2, 20])), 11);
  assert.equal(edit(7, list([1, 30], [2, 20])), 1);
  assert.equal(edit(0, list([1, 3])), 1);
  assert.equal(edit(3, list([1, 0])), 0);
});

test("other schedulers have no turns", () => {
  assert.deepEqual(cursorAfterEdit("wlc", { position: 3, weight: 3 }, [], list([1, 1])), { position: 0, weight: 0 });
});

test("the figures of weights leave out what weighs nothing, but for the number of servers", () => {
  assert.deepEqual(weightFigures([6, 0, 4]), { max: 6, gcd: 2, sum: 10 });
  assert.deepEqual(weightFigures([0, 0]), { max: 0, gcd: 1, sum: 0 });
  assert.deepEqual(weightFigures([]), { max: 0, gcd: 1, sum: 0 });
});
