import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Ipv4Address } from "../../../src/base/ip.ts";
import type { MacAddress } from "../../../src/base/mac.ts";
import { decodeArp, encodeArp } from "../../../src/wire/arp.ts";
import { internetChecksum } from "../../../src/wire/checksum.ts";
import { decodeEthernet, encodeEthernet } from "../../../src/wire/ethernet.ts";
import { asEcho, decodeIcmp, encodeEcho } from "../../../src/wire/icmp.ts";
import { decodeIpv4, encodeIpv4, type Ipv4Packet } from "../../../src/wire/ipv4.ts";
import { ipv4Addresses, macAddresses, plainRecord } from "../../support/arbitraries.ts";

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

describe("Internet checksum", () => {
  it("gives RFC 1071's example", () => {
    assert.equal(internetChecksum(hex("0001 f203 f4f5 f6f7")), 0x220d);
  });

  it("pads an odd last byte with zero", () => {
    assert.equal(internetChecksum(hex("0102 03")), internetChecksum(hex("0102 0300")));
  });

  it("is the same over parts as over the whole", () => {
    assert.equal(internetChecksum(hex("0001 f203"), hex("f4f5 f6f7")), 0x220d);
  });
});

describe("IPv4 codec", () => {
  const packets: fc.Arbitrary<Ipv4Packet> = plainRecord({
    typeOfService: u8,
    identification: u16,
    flagsAndOffset: u16,
    timeToLive: u8,
    protocol: u8,
    source: ipv4Addresses,
    destination: ipv4Addresses,
    options: fc
      .integer({ min: 0, max: 10 })
      .chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 })),
    payload: fc.uint8Array({ maxLength: 64 }),
  });

  it("builds the header that keepalived puts before its first advert", () => {
    const packet = encodeIpv4({
      typeOfService: 0xc0,
      identification: 1,
      flagsAndOffset: 0,
      timeToLive: 255,
      protocol: 112,
      source: "10.9.0.1" as Ipv4Address,
      destination: "224.0.0.18" as Ipv4Address,
      options: new Uint8Array(0),
      payload: hex("2109 ff01 0001 d5b8 0a09 0032 0000 0000 0000 0000"),
    });
    assert.equal(packet.subarray(0, 20).toHex(), "45c000280001 0000ff70 d088 0a090001e0000012".replaceAll(" ", ""));
  });

  it("takes apart whatever it built", () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const bytes = encodeIpv4(packet);
        const decoded = decodeIpv4(bytes);
        assert(decoded.ok);
        const { checksum, ...rest } = decoded.value;
        assert.deepEqual(rest, packet);
        assert.equal(internetChecksum(bytes.subarray(0, 20 + packet.options.length)), 0);
        assert.equal(checksum, (bytes[10] ?? 0) * 256 + (bytes[11] ?? 0));
      }),
      { numRuns: 100 },
    );
  });

  it("leaves out the padding behind a short packet", () => {
    const bytes = hex("4500 0016 0001 0000 ff70 0000 0a09 0001 0a09 0002 abcd 0000 0000");
    const decoded = decodeIpv4(bytes);
    assert(decoded.ok);
    assert.equal(decoded.value.payload.toHex(), "abcd");
  });

  it("refuses what is too short, of another version, or longer in its header than in all", () => {
    const bytes = hex("4500 0016 0001 0000 ff70 0000 0a09 0001 0a09 0002 abcd");
    const refused = (change: (copy: Uint8Array) => Uint8Array | undefined) => {
      const copy = bytes.slice();
      const decoded = decodeIpv4(change(copy) ?? copy);
      return decoded.ok ? "accepted" : decoded.error;
    };
    assert.equal(
      refused((copy) => copy.subarray(0, 19)),
      "truncated",
    );
    assert.equal(
      refused((copy) => copy.subarray(0, 21)),
      "truncated",
    );
    assert.equal(
      refused((copy) => {
        copy[0] = 0x65;
        return undefined;
      }),
      "not-ipv4",
    );
    assert.equal(
      refused((copy) => {
        copy[0] = 0x44;
        return undefined;
      }),
      "bad-header-length",
    );
    assert.equal(
      refused((copy) => {
        copy[0] = 0x46;
        return undefined;
      }),
      "bad-header-length",
    );
  });

  it("answers to any bytes with a value", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => typeof decodeIpv4(bytes).ok === "boolean"),
      { numRuns: 200 },
    );
  });
});

describe("Ethernet codec", () => {
  it("takes apart whatever it built", () => {
    const frames = plainRecord({
      destination: macAddresses,
      source: macAddresses,
      etherType: u16,
      payload: fc.uint8Array({ maxLength: 64 }),
    });
    fc.assert(
      fc.property(frames, (frame) =>
        assert.deepEqual(decodeEthernet(encodeEthernet(frame)), { ok: true, value: frame }),
      ),
      { numRuns: 100 },
    );
  });

  it("refuses a frame without a whole header", () => {
    assert.deepEqual(decodeEthernet(new Uint8Array(13)), { ok: false, error: "truncated" });
  });
});

describe("ARP codec", () => {
  it("takes apart whatever it built", () => {
    const packets = plainRecord({
      operation: u16,
      senderMac: macAddresses,
      senderIp: ipv4Addresses,
      targetMac: macAddresses,
      targetIp: ipv4Addresses,
    });
    fc.assert(
      fc.property(packets, (packet) => assert.deepEqual(decodeArp(encodeArp(packet)), { ok: true, value: packet })),
      { numRuns: 100 },
    );
  });

  it("refuses other hardware, other protocols and packets cut short", () => {
    const packet = encodeArp({
      operation: 2,
      senderMac: "02:00:00:00:00:01" as MacAddress,
      senderIp: "10.9.0.1" as Ipv4Address,
      targetMac: "02:00:00:00:00:02" as MacAddress,
      targetIp: "10.9.0.2" as Ipv4Address,
    });
    assert.deepEqual(decodeArp(packet.subarray(0, 27)), { ok: false, error: "truncated" });
    for (const at of [1, 2, 4, 5]) {
      const odd = packet.slice();
      odd[at] = 0x77;
      assert.deepEqual(decodeArp(odd), { ok: false, error: "not-ipv4-over-ethernet" });
    }
  });
});

describe("ICMP codec", () => {
  it("takes apart the echoes that it built", () => {
    const echoes = plainRecord({
      kind: fc.constantFrom("request" as const, "reply" as const),
      identifier: u16,
      sequence: u16,
      data: fc.uint8Array({ maxLength: 64 }),
    });
    fc.assert(
      fc.property(echoes, (echo) => {
        const decoded = decodeIcmp(encodeEcho(echo));
        assert(decoded.ok);
        assert.equal(decoded.value.checksumOk, true);
        assert.deepEqual(asEcho(decoded.value), echo);
      }),
      { numRuns: 100 },
    );
  });

  it("builds the echo request that ping sends", () => {
    const request = encodeEcho({ kind: "request", identifier: 0x1234, sequence: 1, data: hex("6162") });
    assert.equal(request.toHex(), "08008468123400016162");
  });

  it("sees a changed byte by the checksum, and does not take other messages for echoes", () => {
    const bytes = encodeEcho({ kind: "reply", identifier: 1, sequence: 2, data: hex("00ff") });
    bytes[9] = 0;
    const decoded = decodeIcmp(bytes);
    assert(decoded.ok);
    assert.equal(decoded.value.checksumOk, false);
    const unreachable = decodeIcmp(hex("0301 fcfe 0000 0000 4500"));
    assert(unreachable.ok);
    assert.equal(asEcho(unreachable.value), undefined);
    assert.deepEqual(decodeIcmp(new Uint8Array(7)), { ok: false, error: "truncated" });
  });
});
