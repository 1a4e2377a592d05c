/** `withIdentification` against the codec that writes the header from nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Ipv4Address } from "../../../src/base/ip.ts";
import { encodeIpv4, withIdentification } from "../../../src/wire/ipv4.ts";

const packet = {
  typeOfService: 0xc0,
  flagsAndOffset: 0,
  timeToLive: 255,
  protocol: 112,
  destination: "224.0.0.18" as Ipv4Address,
  options: new Uint8Array(0),
};
const octet = fc.integer({ min: 0, max: 255 });

test("a packet that gets another identification is the packet that is encoded with it", () => {
  fc.assert(
    fc.property(
      fc.tuple(octet, octet, octet, octet),
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 0, max: 0xffff }),
      (address, payload, identification) => {
        const same = { ...packet, source: address.join(".") as Ipv4Address, payload };
        const patched = withIdentification(encodeIpv4({ ...same, identification: 0 }).toHex(), identification);
        assert.equal(patched, encodeIpv4({ ...same, identification }).toHex());
      },
    ),
  );
});

test("every identification gives a header whose checksum is right", () => {
  const same = { ...packet, source: "192.0.2.1" as Ipv4Address, payload: new Uint8Array(20) };
  const digits = encodeIpv4({ ...same, identification: 0 }).toHex();
  for (let identification = 0; identification <= 0xffff; identification += 251)
    assert.equal(withIdentification(digits, identification), encodeIpv4({ ...same, identification }).toHex());
});
