import assert from "node:assert/strict";
import { test } from "node:test";
import { buildRule, RT_TABLE_LOCAL } from "../../../src/wire/netlink-rule.ts";

test("a rule by mark is laid out as ip rule add pref 1 fwmark 5 table 17739 sends it", () => {
  assert.deepEqual(
    [...buildRule({ family: 2, priority: 1, table: 0x454b, mark: 5 })],
    [
      ...[2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
      ...[8, 0, 6, 0, 1, 0, 0, 0],
      ...[8, 0, 15, 0, 0x4b, 0x45, 0, 0],
      ...[8, 0, 10, 0, 5, 0, 0, 0],
      ...[8, 0, 16, 0, 255, 255, 255, 255],
    ],
  );
});

test("a rule of everything names its table twice, and who put it there", () => {
  assert.deepEqual(
    [...buildRule({ family: 2, priority: 0, table: RT_TABLE_LOCAL, protocol: 2 })],
    [
      ...[2, 0, 0, 0, 255, 0, 0, 1, 0, 0, 0, 0],
      ...[8, 0, 6, 0, 0, 0, 0, 0],
      ...[8, 0, 15, 0, 255, 0, 0, 0],
      ...[5, 0, 21, 0, 2, 0, 0, 0],
    ],
  );
});
