import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Ipv6Address } from "../../../src/base/ip.ts";
import type { MacAddress } from "../../../src/base/mac.ts";
import { decodeEthernet, ETHERTYPE_IPV6 } from "../../../src/wire/ethernet.ts";
import {
  asNeighbourAdvertisement,
  decodeIcmpv6,
  encodeNeighbourAdvertisement,
  PROTOCOL_ICMPV6,
  unsolicitedAdvertisementFrame,
} from "../../../src/wire/icmpv6.ts";
import { decodeIpv6, type Ipv6Packet } from "../../../src/wire/ipv6.ts";
import { ipv6Addresses, macAddresses } from "../../support/arbitraries.ts";
import { readPcap } from "../../support/pcap.ts";

const ip = (text: string) => text as Ipv6Address;
const mac = (text: string) => text as MacAddress;
const LINK = { source: ip("fe80::1"), destination: ip("ff02::1") };

/** Of the VIPs in the capture of keepalived 2.2.7. */
const captured = readPcap(new URL("../../fixtures/vrrp/lab2-v6.pcap", import.meta.url)).flatMap(({ bytes }) => {
  const frame = decodeEthernet(bytes);
  if (!frame.ok || frame.value.etherType !== ETHERTYPE_IPV6) return [];
  const packet = decodeIpv6(frame.value.payload);
  if (!packet.ok || packet.value.nextHeader !== PROTOCOL_ICMPV6) return [];
  return packet.value.payload[0] === 136 ? [{ bytes, packet: packet.value as Ipv6Packet }] : [];
});

describe("Neighbour advertisement codec", () => {
  it("builds what keepalived 2.2.7 sent, frame and all", () => {
    assert.equal(captured.length, 20);
    for (const { bytes, packet } of captured) {
      const frame = unsolicitedAdvertisementFrame(mac("5e:5f:13:3b:8c:14"), packet.source, false);
      assert.equal(frame.toHex(), bytes.toHex());
    }
  });

  it("takes it apart", () => {
    const [first] = captured;
    assert(first);
    const message = decodeIcmpv6(first.packet.payload, first.packet);
    assert(message.ok && message.value.checksumOk);
    assert.deepEqual(asNeighbourAdvertisement(message.value), {
      ok: true,
      value: {
        router: false,
        solicited: false,
        override: true,
        target: "fe80::7",
        targetMac: "5e:5f:13:3b:8c:14",
      },
    });
  });

  it("says router when this host forwards", () => {
    const frame = unsolicitedAdvertisementFrame(mac("5e:5f:13:3b:8c:14"), ip("fe80::7"), true);
    assert.equal(frame[14 + 40 + 4], 0xa0);
  });

  it("sees a bit that has changed, in the message or in the addresses", () => {
    const bytes = encodeNeighbourAdvertisement(
      { router: false, solicited: false, override: true, target: ip("fe80::7"), targetMac: undefined },
      LINK,
    );
    const checks = (of: Uint8Array, addresses = LINK) => {
      const message = decodeIcmpv6(of, addresses);
      return message.ok && message.value.checksumOk;
    };
    assert.equal(checks(bytes), true);
    assert.equal(checks(bytes, { ...LINK, source: ip("fe80::2") }), false);
    assert.equal(checks(bytes.map((byte, at) => (at === 9 ? byte ^ 1 : byte))), false);
  });

  it("refuses options of length zero and options beyond the end", () => {
    const head = [0x20, 0, 0, 0, ...new Array<number>(16).fill(0)];
    const read = (...options: number[]) =>
      asNeighbourAdvertisement({ type: 136, code: 0, body: Uint8Array.of(...head, ...options) });
    assert.deepEqual(read(1, 0, 0, 0, 0, 0, 0, 0), { ok: false, error: "bad-option" });
    assert.deepEqual(read(2, 1, 1, 2, 3), { ok: false, error: "bad-option" });
    assert.deepEqual(read(2), { ok: false, error: "bad-option" });
    const skipped = read(14, 1, 0, 0, 0, 0, 0, 0, 2, 1, 1, 2, 3, 4, 5, 6);
    assert.ok(skipped.ok && skipped.value.targetMac === "01:02:03:04:05:06");
    const cut = asNeighbourAdvertisement({ type: 136, code: 0, body: Uint8Array.of(...head).subarray(1) });
    assert.deepEqual(cut, { ok: false, error: "truncated" });
    const other = asNeighbourAdvertisement({ type: 135, code: 0, body: Uint8Array.of(...head) });
    assert.deepEqual(other, { ok: false, error: "not-an-advertisement" });
  });

  it("takes apart whatever it built", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        ipv6Addresses,
        fc.option(macAddresses, { nil: undefined }),
        (router, solicited, override, target, targetMac) => {
          const advert = { router, solicited, override, target, targetMac };
          const message = decodeIcmpv6(encodeNeighbourAdvertisement(advert, LINK), LINK);
          assert(message.ok && message.value.checksumOk);
          assert.deepEqual(asNeighbourAdvertisement(message.value), { ok: true, value: advert });
        },
      ),
      { numRuns: 100 },
    );
  });

  it("answers to any bytes with a value", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, isAdvertisement) => {
        if (isAdvertisement && bytes.length > 1) bytes.set([136, 0]);
        const message = decodeIcmpv6(bytes, LINK);
        if (message.ok) assert.equal(typeof asNeighbourAdvertisement(message.value).ok, "boolean");
      }),
      { numRuns: 200 },
    );
  });
});
