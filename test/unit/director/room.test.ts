import assert from "node:assert/strict";
import { test } from "node:test";
import { Room } from "../../../src/director/room.ts";

test("what was given back rests as long as there is other room, and is taken only after programs have settled", () => {
  let settled = 0;
  const room = new Room(4, 0, () => {
    settled++;
  });
  assert.equal(room.take(2), 0);
  room.giveBack(0, 2);
  assert.equal(room.take(1), 2);
  assert.equal(room.take(1), 3);
  assert.equal(settled, 0);
  assert.equal(room.take(2), 0);
  assert.equal(settled, 1);
  assert.equal(room.take(1), undefined);
});

test("the search goes on where the last one ended, over the end and past what is in use", () => {
  const room = new Room(8, 6, () => assert.fail("nothing rests"));
  room.occupy(0, 1);
  room.occupy(7, 1);
  assert.equal(room.take(3), 1);
  assert.equal(room.next, 4);
  assert.equal(room.take(3), 4);
  assert.equal(room.take(0), 0);
  assert.equal(room.take(2), undefined);
});
