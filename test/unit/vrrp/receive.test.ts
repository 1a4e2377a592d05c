/** The checks of RFC 3768 §7.1 and RFC 9568 §7.1, with the words of keepalived 2.2.7. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { centiseconds, seconds } from "../../../src/base/time.ts";
import type { VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { type AdvertHeader, advertPacket } from "../../../src/vrrp/advert.ts";
import { judgePacket, type ReceivedPacket, readPacket } from "../../../src/vrrp/receive.ts";
import { type Advert, authDataOf, encodeAdvert } from "../../../src/wire/vrrp.ts";
import { instance, ip, vip } from "../../support/vrrp-configuration.ts";
import { lines, Machine } from "../../support/vrrp-machine.ts";

const GROUP = ip("224.0.0.18");
const HEADER = { source: ip("10.9.0.2"), destination: GROUP, identification: 1 };

function packetOf(
  theirs: VrrpInstance,
  change: (packet: ReceivedPacket) => Partial<ReceivedPacket> = () => ({}),
  header: AdvertHeader = HEADER,
): ReceivedPacket {
  const packet = readPacket(advertPacket(theirs, 200, header));
  assert(packet);
  return { ...packet, ...change(packet) };
}

/** `reason: words`, or what was accepted. */
function verdictOn(mine: VrrpInstance, packet: ReceivedPacket): string {
  const verdict = judgePacket(mine, packet);
  if (verdict.ok) return `accepted ${verdict.advert.priority}`;
  return `${verdict.refused.reason}: ${verdict.refused.detail}`;
}

const v2 = instance();
const v3 = instance({ version: 3 });
const withPass = instance({ authPass: "secret" });

const forged = (advert: Advert): ReceivedPacket => packetOf(v2, () => ({ payload: encodeAdvert(advert, HEADER) }));
const plain = {
  version: 2 as const,
  type: 1,
  virtualRouterId: 5,
  priority: 200,
  authType: 0,
  advertInterval: 1,
  addresses: [ip("10.9.0.50")],
  authData: new Uint8Array(8),
};

describe("An advert", () => {
  it("is accepted from a router that is configured alike", () => {
    for (const mine of [v2, v3, withPass]) assert.equal(verdictOn(mine, packetOf(mine)), "accepted 200");
  });

  it("is refused when it was routed", () => {
    const packet = packetOf(v2, () => ({ timeToLive: 254 }));
    assert.equal(verdictOn(v2, packet), "ttl: invalid TTL/HL. Received 254 and expect 255");
  });

  it("is refused when it was sent to this host alone", () => {
    const packet = packetOf(v2, () => ({ destination: ip("10.9.0.1") }));
    assert.equal(verdictOn(v2, packet), "destination: discarding unicast packet on multicast instance");
  });

  it("is refused in another version", () => {
    assert.equal(verdictOn(v2, packetOf(v3)), "version: wrong version. Received 3 and expect 2");
    assert.equal(verdictOn(v3, packetOf(v2)), "version: wrong version. Received 2 and expect 3");
  });

  it("is refused when it is too short or too long", () => {
    const cut = packetOf(v2, ({ payload }) => ({ payload: payload.subarray(0, 19) }));
    assert.equal(verdictOn(v2, cut), "packet-length: vrrp packet too short, length 19 and expect 20");
    const padded = packetOf(v3, ({ payload }) => ({ payload: Uint8Array.of(...payload, 0, 0) }));
    assert.equal(verdictOn(v3, padded), "packet-length: vrrp packet too long, length 14 and expect 12");
  });

  it("is refused when it is no advertisement", () => {
    assert.equal(verdictOn(v2, forged({ ...plain, type: 3 })), "packet-type: Invalid packet type. 3 and expect 1");
  });

  it("is refused when a bit has changed", () => {
    for (const [mine, version] of [[v2, 2] as const, [v3, 3] as const]) {
      const packet = packetOf(mine, ({ payload }) => ({
        payload: payload.map((byte, at) => (at === 2 ? byte ^ 1 : byte)),
      }));
      assert.equal(verdictOn(mine, packet), `checksum: Invalid VRRPv${version} checksum`);
    }
  });

  it("is accepted in version 3 with the checksum of RFC 9568, which has no pseudo header", () => {
    const packet = packetOf(v3, ({ payload }) => {
      const advert: Advert = {
        version: 3,
        type: 1,
        virtualRouterId: 5,
        priority: 200,
        reserved: 0,
        maxAdvertInterval: 100,
        addresses: [ip("10.9.0.50")],
      };
      assert.notEqual(encodeAdvert(advert, undefined).toHex(), payload.toHex());
      return { payload: encodeAdvert(advert, undefined) };
    });
    assert.equal(verdictOn(v3, packet), "accepted 200");
  });

  it("is refused when only one of the two uses a password", () => {
    assert.equal(verdictOn(withPass, packetOf(v2)), "auth-type-mismatch: received a 0 auth, expecting 1!");
    assert.equal(verdictOn(v2, packetOf(withPass)), "auth-type-mismatch: received a 1 auth, expecting 0!");
    assert.equal(verdictOn(v2, forged({ ...plain, authType: 9 })), "auth-type-invalid: Invalid auth type: 9");
  });

  it("is refused with another password", () => {
    const packet = packetOf(instance({ authPass: "secreT" }));
    assert.equal(verdictOn(withPass, packet), "auth-failure: received an invalid passwd!");
  });

  it("is accepted with a password that differs after the eighth byte only", () => {
    const theirs = forged({ ...plain, authType: 1, authData: authDataOf("12345678abc") });
    assert.equal(verdictOn(instance({ authPass: "12345678" }), theirs), "accepted 200");
  });

  it("is refused with another interval in version 2, and accepted in version 3", () => {
    const slow = { advertInterval: seconds(2) };
    assert.equal(
      verdictOn(v2, packetOf(instance(slow))),
      "advert-interval: advertisement interval mismatch mine=1 sec rcv'd=2 sec",
    );
    const verdict = judgePacket(v3, packetOf(instance({ ...slow, version: 3 })));
    assert.ok(verdict.ok && verdict.advert.advertInterval === seconds(2));
  });

  it("does not make anybody wait for no time at all", () => {
    const advert: Advert = { ...plain, version: 3, reserved: 0, maxAdvertInterval: 0 };
    const verdict = judgePacket(v3, forged(advert));
    assert.ok(verdict.ok && verdict.advert.advertInterval === centiseconds(1));
  });

  it("is accepted with other addresses, and the difference is named", () => {
    const theirs = (...addresses: string[]) => instance({ virtualAddresses: addresses.map((address) => vip(address)) });
    const difference = (packet: ReceivedPacket, mine = v2) => {
      const verdict = judgePacket(mine, packet);
      assert(verdict.ok);
      return verdict.advert.addressListDiffers;
    };
    assert.equal(difference(packetOf(theirs("10.9.0.50"))), undefined);
    assert.equal(difference(packetOf(theirs("10.9.0.50", "10.9.0.51"))), "expected 1 VIPs but received 2");
    assert.equal(
      difference(packetOf(theirs("10.9.0.51"))),
      "ip address associated with VRID 5 not present in MASTER advert: 10.9.0.50",
    );
  });
});

describe("A refused advert", () => {
  it("does not reset the timer, is counted under its reason and kept for the status", () => {
    const machine = new Machine({ authPass: "secret" });
    machine.start();
    machine.wait(seconds(2));
    machine.hear(200, "10.9.0.2", { authPass: undefined });
    assert.equal(machine.due, 1.609375);
    const { counters, lastRefused, lastAdvert } = machine.instance();
    assert.equal(counters["auth-type-mismatch"], 1);
    assert.equal(counters["adverts-received"], 0);
    assert.equal(lastAdvert, undefined);
    assert.deepEqual(lastRefused, {
      from: "10.9.0.2",
      priority: 200,
      at: seconds(2),
      reason: "auth-type-mismatch",
      detail: "received a 0 auth, expecting 1!",
    });
  });

  it("is logged once in a state for each reason", () => {
    const machine = new Machine({ authPass: "secret" });
    machine.start();
    const complaint = ["(V) received a 0 auth, expecting 1!"];
    assert.deepEqual(lines(machine.hear(200, "10.9.0.2", { authPass: undefined })), complaint);
    assert.deepEqual(lines(machine.hear(200, "10.9.0.3", { authPass: undefined })), []);
    assert.deepEqual(lines(machine.hear(200, "10.9.0.3", { authPass: "other" })), ["(V) received an invalid passwd!"]);
    machine.wait(seconds(4));
    assert.equal(machine.is, "MASTER");
    assert.deepEqual(lines(machine.hear(200, "10.9.0.2", { authPass: undefined })), complaint);
  });
});

describe("Bytes that are no packet", () => {
  it("are counted and change nothing", () => {
    const machine = new Machine();
    machine.start();
    const before = { ...machine.state, malformed: 0 };
    for (const packet of [
      "",
      "zz",
      "abc",
      "45",
      "4500001400010000ff70000000000000e0000012",
      "4500001500010000ff70000000000000e000001221",
    ]) {
      assert.deepEqual(machine.feed({ type: "packet", interface: "eth0", packet }), []);
    }
    assert.equal(machine.state.malformed, 6);
    assert.deepEqual({ ...machine.state, malformed: 0 }, before);
  });
});
