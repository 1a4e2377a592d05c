import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Ipv6Address, ipv6FromBytes } from "../../../src/base/ip.ts";
import { decodeIpv6, encodeIpv6 } from "../../../src/wire/ipv6.ts";

const HEX = "6abcdef100030640fd000000000000000000000000000001fd000000000000000000000000000002010203";

test("a packet is taken apart and put together to the byte", () => {
  const packet = {
    trafficClass: 0xab,
    flowLabel: 0xcdef1,
    nextHeader: 6,
    hopLimit: 64,
    source: "fd00::1" as Ipv6Address,
    destination: "fd00::2" as Ipv6Address,
    payload: Uint8Array.of(1, 2, 3),
  };
  assert.equal(encodeIpv6(packet).toHex(), HEX);
  assert.deepEqual(decodeIpv6(Uint8Array.fromHex(HEX)), { ok: true, value: packet });
  assert.deepEqual(decodeIpv6(Uint8Array.fromHex(`${HEX}0000`)), { ok: true, value: packet });
});

test("what is encoded is decoded again", () => {
  const address = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => ipv6FromBytes(bytes));
  const packets = fc.record({
    trafficClass: fc.nat(0xff),
    flowLabel: fc.nat(0xfffff),
    nextHeader: fc.nat(0xff),
    hopLimit: fc.nat(0xff),
    source: address,
    destination: address,
    payload: fc.uint8Array({ maxLength: 60 }),
  });
  fc.assert(
    fc.property(packets, (packet) =>
      assert.deepEqual(decodeIpv6(encodeIpv6(packet)), { ok: true, value: { ...packet } }),
    ),
  );
});

test("what is cut short or no IPv6 gives the reason", () => {
  const bytes = Uint8Array.fromHex(HEX);
  for (let length = 0; length < bytes.length; length++)
    assert.deepEqual(decodeIpv6(bytes.subarray(0, length)), { ok: false, error: "truncated" });
  bytes[0] = 0x45;
  assert.deepEqual(decodeIpv6(bytes), { ok: false, error: "not-ipv6" });
});
