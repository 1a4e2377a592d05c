import assert from "node:assert/strict";
import { test } from "node:test";
import { type IpAddress, parseIp } from "../../../src/base/ip.ts";
import { buildRule, parseRule, RT_TABLE_LOCAL } from "../../../src/wire/netlink-rule.ts";

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

test("everything that a rule can say comes back as it was built", () => {
  const address = (text: string) => parseIp(text) as IpAddress;
  const rule = {
    ...{ family: 2, priority: 100, table: 0, mark: 5, mask: 15, protocol: 18, tos: 8, not: true, action: 2, goto: 200 },
    from: { address: address("10.0.0.0"), length: 8 },
    to: { address: address("10.1.0.0"), length: 16 },
    ...{ incomingInterface: "eth0", outgoingInterface: "eth1" },
  };
  assert.deepEqual(parseRule(buildRule(rule)), rule);
  assert.equal(parseRule(new Uint8Array(11)), undefined);
});
