import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultCapacity } from "../../../src/daemon/plane/capacity.ts";

test("tables hold 1,048,576 connections each on a machine of 8 GiB, of which the kernel shows less, and 262,144 on smaller ones", () => {
  assert.equal(defaultCapacity(24e9), 1_048_576);
  assert.equal(defaultCapacity(7.8 * 2 ** 30), 1_048_576);
  assert.equal(defaultCapacity(4 * 2 ** 30), 262_144);
  assert.equal(defaultCapacity(512 * 2 ** 20), 262_144);
});
