/** How many connections a limit on descriptors allows. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { descriptorLimit, maxconnOf } from "../../../src/daemon/proxy/descriptor-limit.ts";

const limits = (soft: string) =>
  `Limit                     Soft Limit           Hard Limit           Units
Max processes             1000                 1000                 processes
Max open files            ${soft.padEnd(20)} 1048576              files
Max locked memory         8388608              8388608              bytes
`;

test("half of the descriptors that are left are for clients, and a hundred at least", () => {
  assert.equal(maxconnOf(descriptorLimit(limits("4160"))), 2048);
  assert.equal(maxconnOf(descriptorLimit(limits("64"))), 100);
  assert.equal(maxconnOf(descriptorLimit(limits("unlimited"))), 524_256);
});

test("this process has a limit", () => {
  const limit = descriptorLimit();
  assert.ok(Number.isInteger(limit) && limit >= 64, String(limit));
});
