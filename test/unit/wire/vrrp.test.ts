import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { IpAddress } from "../../../src/base/ip.ts";
import { isIpv4 } from "../../../src/base/ip.ts";
import {
  type Advert,
  authDataOf,
  decodeAdvert,
  encodeAdvert,
  judgeChecksum,
  type PseudoHeader,
} from "../../../src/wire/vrrp.ts";
import { ipv4Addresses, ipv6Addresses, plainRecord } from "../../support/arbitraries.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const ip = (text: string) => text as IpAddress;
const LB1_TO_GROUP = { source: ip("10.9.0.1"), destination: ip("224.0.0.18") };

interface Golden {
  readonly what: string;
  readonly bytes: string;
  readonly advert: Advert;
  readonly pseudoHeader: PseudoHeader;
}

/** As keepalived 2.2.7 sent them. */
const GOLDEN: readonly Golden[] = [
  {
    what: "version 2 with a password cut to eight characters",
    bytes: "2133 9602 0101 6219 0a09 0064 0a09 0065 3132 3334 3536 3738",
    advert: {
      version: 2,
      type: 1,
      virtualRouterId: 51,
      priority: 150,
      authType: 1,
      advertInterval: 1,
      addresses: [ip("10.9.0.100"), ip("10.9.0.101")],
      authData: authDataOf("1234567890"),
    },
    pseudoHeader: LB1_TO_GROUP,
  },
  {
    what: "version 2 of an address owner without authentication",
    bytes: "2109 ff01 0001 d5b8 0a09 0032 0000 0000 0000 0000",
    advert: {
      version: 2,
      type: 1,
      virtualRouterId: 9,
      priority: 255,
      authType: 0,
      advertInterval: 1,
      addresses: [ip("10.9.0.50")],
      authData: new Uint8Array(8),
    },
    pseudoHeader: LB1_TO_GROUP,
  },
  {
    what: "version 3 with half a second to the multicast group",
    bytes: "3107 c802 0032 07b0 0a09 0032 0a09 0033",
    advert: {
      version: 3,
      type: 1,
      virtualRouterId: 7,
      priority: 200,
      reserved: 0,
      maxAdvertInterval: 50,
      addresses: [ip("10.9.0.50"), ip("10.9.0.51")],
    },
    pseudoHeader: LB1_TO_GROUP,
  },
  {
    what: "version 3 to one peer, whose address is in the checksum",
    bytes: "3109 ff01 0064 b0c4 0a09 0032",
    advert: {
      version: 3,
      type: 1,
      virtualRouterId: 9,
      priority: 255,
      reserved: 0,
      maxAdvertInterval: 100,
      addresses: [ip("10.9.0.50")],
    },
    pseudoHeader: { source: ip("10.9.0.1"), destination: ip("10.9.0.2") },
  },
  {
    what: "version 3 for IPv6",
    bytes: "3107 c802 0064 e16c fe80 0000 0000 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0007",
    advert: {
      version: 3,
      type: 1,
      virtualRouterId: 7,
      priority: 200,
      reserved: 0,
      maxAdvertInterval: 100,
      addresses: [ip("fe80::7"), ip("2001:db8::7")],
    },
    pseudoHeader: { source: ip("fe80::5c5f:13ff:fe3b:8c14"), destination: ip("ff02::12") },
  },
];

const familyOf = ({ source }: PseudoHeader) => (isIpv4(source) ? ("ipv4" as const) : ("ipv6" as const));

describe("VRRP codec", () => {
  for (const { what, bytes, advert, pseudoHeader } of GOLDEN) {
    it(`takes apart ${what}`, () => {
      const decoded = decodeAdvert(hex(bytes), familyOf(pseudoHeader));
      assert(decoded.ok);
      assert.deepEqual(decoded.value.advert, advert);
      assert.equal(decoded.value.trailing.length, 0);
      assert.equal(judgeChecksum(hex(bytes), pseudoHeader), "valid");
    });

    it(`builds ${what}`, () => {
      assert.equal(encodeAdvert(advert, pseudoHeader).toHex(), bytes.replaceAll(" ", ""));
    });
  }

  it("tells a version 3 checksum without pseudo header from a bad one", () => {
    const advert = GOLDEN[2]?.advert;
    assert(advert);
    const plain = encodeAdvert(advert, undefined);
    assert.notEqual(plain.toHex(), encodeAdvert(advert, LB1_TO_GROUP).toHex());
    assert.equal(judgeChecksum(plain, LB1_TO_GROUP), "valid-without-pseudo-header");
    plain[2] = 7;
    assert.equal(judgeChecksum(plain, LB1_TO_GROUP), "bad");
  });

  it("always has the pseudo header for IPv6", () => {
    const { advert, pseudoHeader } = GOLDEN[4] ?? {};
    assert(advert && pseudoHeader);
    assert.equal(judgeChecksum(encodeAdvert(advert, undefined), pseudoHeader), "bad");
    const elsewhere = { ...pseudoHeader, destination: ip("ff02::13") };
    assert.equal(judgeChecksum(encodeAdvert(advert, pseudoHeader), elsewhere), "bad");
  });

  it("knows no version 2 for IPv6", () => {
    assert.deepEqual(decodeAdvert(hex(GOLDEN[1]?.bytes ?? ""), "ipv6"), {
      ok: false,
      error: { code: "unknown-version", version: 2, virtualRouterId: 9 },
    });
  });

  it("covers the authentication data with the version 2 checksum", () => {
    const bytes = hex(GOLDEN[0]?.bytes ?? "");
    bytes[23] = 0x39;
    assert.equal(judgeChecksum(bytes, LB1_TO_GROUP), "bad");
  });

  it("names the length that a message cut short should have had", () => {
    const whole = hex(GOLDEN[0]?.bytes ?? "");
    assert.deepEqual(decodeAdvert(whole.subarray(0, 7)), {
      ok: false,
      error: { code: "truncated", length: 7, expected: 8 },
    });
    assert.deepEqual(decodeAdvert(whole.subarray(0, 23)), {
      ok: false,
      error: { code: "truncated", length: 23, expected: 24 },
    });
  });

  it("shows a version that it does not know, and whose router it is for", () => {
    assert.deepEqual(decodeAdvert(hex("4107 c802 0032 07b0 0a09 0032")), {
      ok: false,
      error: { code: "unknown-version", version: 4, virtualRouterId: 7 },
    });
  });

  it("shows an unknown type, unknown authentication and reserved bits as they are", () => {
    const v2 = decodeAdvert(hex("2f07 c800 c832 07b0 0000 0000 0000 0000"));
    assert(v2.ok && v2.value.advert.version === 2);
    assert.deepEqual([v2.value.advert.type, v2.value.advert.authType, v2.value.advert.advertInterval], [15, 200, 50]);
    const v3 = decodeAdvert(hex("3107 c800 f032 07b0 beef"));
    assert(v3.ok && v3.value.advert.version === 3);
    assert.deepEqual([v3.value.advert.reserved, v3.value.advert.maxAdvertInterval], [15, 50]);
    assert.equal(v3.value.trailing.toHex(), "beef");
  });

  it("cuts a password after eight bytes and fills a shorter one with zeros", () => {
    assert.equal(authDataOf("1234567890").toHex(), "3132333435363738");
    assert.equal(authDataOf("x").toHex(), "7800000000000000");
  });

  it("takes apart whatever it built", () => {
    const common = {
      type: fc.integer({ min: 0, max: 15 }),
      virtualRouterId: fc.integer({ min: 0, max: 255 }),
      priority: fc.integer({ min: 0, max: 255 }),
      addresses: fc.array(ipv4Addresses, { maxLength: 20 }),
    };
    const adverts: fc.Arbitrary<Advert> = fc.oneof(
      plainRecord({
        version: fc.constant(2 as const),
        ...common,
        authType: fc.integer({ min: 0, max: 255 }),
        advertInterval: fc.integer({ min: 0, max: 255 }),
        authData: fc.uint8Array({ minLength: 8, maxLength: 8 }),
      }),
      plainRecord({
        version: fc.constant(3 as const),
        ...common,
        reserved: fc.integer({ min: 0, max: 15 }),
        maxAdvertInterval: fc.integer({ min: 0, max: 4095 }),
      }),
    );
    fc.assert(
      fc.property(adverts, ipv4Addresses, ipv4Addresses, (advert, source, destination) => {
        const bytes = encodeAdvert(advert, { source, destination });
        const decoded = decodeAdvert(bytes);
        assert(decoded.ok);
        assert.deepEqual(decoded.value.advert, advert);
        assert.equal(judgeChecksum(bytes, { source, destination }), "valid");
      }),
      { numRuns: 100 },
    );
  });

  it("takes apart whatever it built for IPv6", () => {
    const addresses = fc.array(ipv6Addresses, { maxLength: 20 });
    fc.assert(
      fc.property(addresses, ipv6Addresses, ipv6Addresses, (addresses, source, destination) => {
        const advert: Advert = {
          version: 3,
          type: 1,
          virtualRouterId: 1,
          priority: 2,
          addresses,
          reserved: 0,
          maxAdvertInterval: 3,
        };
        const bytes = encodeAdvert(advert, { source, destination });
        const decoded = decodeAdvert(bytes, "ipv6");
        assert(decoded.ok);
        assert.deepEqual(decoded.value.advert, advert);
        assert.equal(judgeChecksum(bytes, { source, destination }), "valid");
      }),
      { numRuns: 100 },
    );
  });

  it("answers to any bytes with a value", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom("ipv4", "ipv6"), (bytes, family) => {
        const decoded = decodeAdvert(bytes, family);
        assert.equal(typeof decoded.ok, "boolean");
        judgeChecksum(bytes, LB1_TO_GROUP);
      }),
      { numRuns: 200 },
    );
  });
});
