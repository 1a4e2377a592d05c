/** RFC 9568 for IPv6, and keepalived 2.2.7's capture of it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import type { VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { readPacket } from "../../../src/vrrp/receive.ts";
import { decodeEthernet, ETHERTYPE_IPV6 } from "../../../src/wire/ethernet.ts";
import { judgeChecksum } from "../../../src/wire/vrrp.ts";
import { readPcap } from "../../support/pcap.ts";
import { SimulatedLan } from "../../support/simulated-lan.ts";
import { addressOf, configuration, instance, vip } from "../../support/vrrp-configuration.ts";
import { deeds, lines, Machine, of } from "../../support/vrrp-machine.ts";

const LINK_LOCAL = addressOf("fe80::5c5f:13ff:fe3b:8c14");
const v6 = (more: Partial<VrrpInstance> = {}) =>
  instance({
    name: "V6",
    family: "ipv6",
    version: 3,
    virtualRouterId: 7,
    priority: 200,
    multicastGroup: addressOf("ff02::12"),
    virtualAddresses: [vip("fe80::7"), vip("2001:db8::7")],
    ...more,
  });

function machineWith(...addresses: string[]): Machine {
  const machine = new Machine(configuration([v6()]));
  machine.feed({
    type: "start",
    interfaces: [{ name: "eth0", up: true, addresses: addresses.map((address) => addressOf(address)) }],
  });
  return machine;
}

describe("A virtual router for IPv6", () => {
  it("speaks from the first link-local address that is not a virtual one", () => {
    const machine = machineWith("10.9.0.1", "2001:db8::1", "fe80::7", LINK_LOCAL, "fe80::99");
    const [advert] = of(machine.wait(seconds(4)), "send-advert");
    assert.deepEqual([advert?.source, advert?.destination], [LINK_LOCAL, "ff02::12"]);
  });

  it("is in FAULT without a link-local address, until it has one", () => {
    const machine = machineWith("10.9.0.1", "2001:db8::1");
    assert.equal(machine.is, "FAULT");
    assert.ok(lines(machine.told.map(({ output }) => output)).some((line) => line.includes("no IPv6 address")));
    machine.feed({ type: "address", interface: "eth0", address: LINK_LOCAL, present: true });
    assert.equal(machine.is, "BACKUP");
  });

  it("sums with the pseudo header, v3_checksum_as_v2 or not", () => {
    const machine = new Machine(configuration([v6({ checksumWithoutPseudoHeader: true })]));
    machine.feed({ type: "start", interfaces: [{ name: "eth0", up: true, addresses: [LINK_LOCAL] }] });
    const [advert] = of(machine.wait(seconds(4)), "send-advert");
    const packet = readPacket(Uint8Array.fromHex(advert?.packet ?? ""));
    assert(packet);
    assert.equal(judgeChecksum(packet.payload, packet), "valid");
  });

  it("is another one than it was for IPv4 before a reload", () => {
    const machine = new Machine(configuration([instance({ version: 3, virtualRouterId: 7 })]));
    const addresses = [addressOf("10.9.0.1"), LINK_LOCAL];
    machine.feed({ type: "start", interfaces: [{ name: "eth0", up: true, addresses }] });
    machine.wait(seconds(4));
    machine.feed({ type: "reconfigure", configuration: configuration([v6({ name: "V" })]) });
    assert.equal(machine.is, "BACKUP");
  });

  it("announces its addresses by neighbour advertisements", () => {
    const machine = machineWith(LINK_LOCAL);
    const said = machine.wait(seconds(4));
    assert.deepEqual(of(said, "gratuitous-arp"), []);
    const announced = of(said, "neighbour-advertisement").map(({ address }) => address);
    assert.deepEqual(announced, new Array(5).fill(["fe80::7", "2001:db8::7"]).flat());
    assert.ok(lines(said).includes("(V6) Sending/queueing Unsolicited Neighbour Adverts on eth0 for fe80::7"));
    assert.ok(lines(said).includes("Sending unsolicited Neighbour Advert on eth0 for 2001:db8::7"));
  });

  it("spreads them by gna_interval, and ARP for excluded addresses by garp_interval", () => {
    const garp = { ...instance().garp, masterRepeat: 2, masterDelay: seconds(0), neighbourInterval: seconds(0.1) };
    const of6 = v6({ garp, virtualAddresses: [vip("fe80::7")], excludedAddresses: [vip("10.9.0.50")] });
    const machine = new Machine(configuration([of6]));
    machine.feed({ type: "start", interfaces: [{ name: "eth0", up: true, addresses: [LINK_LOCAL] }] });
    const before = machine.told.length;
    machine.wait(seconds(4));
    const when = machine.told.slice(before).flatMap(({ at, output }) => {
      return output.type === "gratuitous-arp" || output.type === "neighbour-advertisement"
        ? [`${output.address} ${(at - 3_218_750) / 1_000}`]
        : [];
    });
    assert.deepEqual(when, ["fe80::7 0", "10.9.0.50 0", "10.9.0.50 0", "fe80::7 100"]);
  });

  it("elects by priority, and among equals by address", () => {
    const machine = machineWith(LINK_LOCAL);
    machine.wait(seconds(4));
    machine.hear(200, "fe80::1");
    assert.equal(machine.is, "MASTER");
    machine.hear(200, "fe80::ffff:0:0:1");
    assert.equal(machine.is, "BACKUP");
    assert.equal(machine.instance().lastAdvert?.from, "fe80::ffff:0:0:1");
  });

  it("is another one than that for IPv4 with the same number on the same interface", () => {
    const both = configuration([instance({ name: "V4", version: 3, virtualRouterId: 7 }), v6()]);
    const machine = new Machine(both);
    machine.feed({
      type: "start",
      interfaces: [{ name: "eth0", up: true, addresses: [addressOf("10.9.0.1"), LINK_LOCAL] }],
    });
    machine.wait(seconds(5));
    machine.hear(220, "fe80::99", v6());
    assert.equal(machine.instance("V4").state, "MASTER");
    assert.equal(machine.instance("V6").state, "BACKUP");
    machine.hear(120, "10.9.0.2");
    assert.equal(machine.instance("V4").state, "BACKUP");
    assert.equal(machine.instance("V6").lastAdvert?.from, "fe80::99");
  });

  it("refuses adverts with a wrong hop limit, group, checksum or version", () => {
    const machine = machineWith(LINK_LOCAL);
    const sent = new Machine(configuration([v6()]));
    sent.feed({ type: "start", interfaces: [{ name: "eth0", up: true, addresses: [addressOf("fe80::9")] }] });
    const [advert] = of(sent.wait(seconds(4)), "send-advert");
    const right = Uint8Array.fromHex(advert?.packet ?? "");
    const refused = (at: number, value: number) => {
      const packet = right.map((byte, index) => (index === at ? value : byte));
      machine.feed({ type: "packet", interface: "eth0", packet: packet.toHex() });
      return machine.instance().lastRefused?.detail;
    };
    assert.equal(refused(7, 64), "invalid TTL/HL. Received 64 and expect 255");
    assert.equal(refused(39, 0x13), "discarding packet to group ff02::13, expect ff02::12");
    assert.equal(refused(40, 0x21), "wrong version. Received 2 and expect 3");
    assert.equal(refused(42, 7), "Invalid VRRPv3 checksum");
    assert.equal(machine.instance().counters["adverts-received"], 0);
    machine.feed({ type: "packet", interface: "eth0", packet: right.toHex() });
    assert.equal(machine.instance().counters["adverts-received"], 1);
  });

  it("keeps its addresses under dont_track_primary when the link is set down, and adds them when it is back", () => {
    const machine = new Machine(configuration([v6({ ignoreOwnLink: true })]));
    machine.feed({ type: "start", interfaces: [{ name: "eth0", up: true, addresses: [LINK_LOCAL] }] });
    machine.wait(seconds(4));
    const address = addressOf("2001:db8::7");
    machine.feed({ type: "address", interface: "eth0", address, present: true });
    machine.feed({ type: "link", interface: "eth0", up: false });
    machine.feed({ type: "address", interface: "eth0", address, present: false });
    assert.equal(machine.is, "MASTER");
    const said = deeds(machine.feed({ type: "link", interface: "eth0", up: true }));
    assert.deepEqual(said.slice(0, 2), ["refresh fe80::7 2001:db8::7", "neighbour fe80::7"]);
  });
});

describe("keepalived 2.2.7's lab with IPv6", () => {
  const frames = readPcap(new URL("../../fixtures/vrrp/lab2-v6.pcap", import.meta.url)).flatMap(({ bytes }) => {
    const frame = decodeEthernet(bytes);
    return frame.ok && frame.value.etherType === ETHERTYPE_IPV6 ? [frame.value.payload] : [];
  });

  function lab(): SimulatedLan {
    const lan = new SimulatedLan();
    lan.add("a", configuration([v6()]), { eth0: [addressOf("10.9.0.1"), LINK_LOCAL] });
    lan.add("b", configuration([v6({ priority: 100 })]), { eth0: [addressOf("10.9.0.2"), addressOf("fe80::2")] });
    lan.start("a");
    lan.run(seconds(8.4));
    lan.stop("a");
    lan.run(seconds(2));
    return lan;
  }

  it("gives the same adverts, but for the flow label that the kernel chooses", () => {
    const seen = frames.filter((bytes) => readPacket(bytes) !== undefined);
    assert.equal(seen.length, 7);
    for (const bytes of seen) bytes.set([0x6c, 0, 0, 0]);
    const sent = lab().outputs("a", "send-advert");
    assert.deepEqual(
      sent.map(({ output }) => output.packet),
      seen.map((bytes) => bytes.toHex()),
    );
  });

  it("gives the same neighbour advertisements in the same order", () => {
    const seen = frames.flatMap((bytes) =>
      bytes[6] === 58 && bytes[40] === 136 ? [bytes.subarray(48, 64).toHex()] : [],
    );
    const sent = lab().outputs("a", "neighbour-advertisement");
    const hex = { "fe80::7": seen[0], "2001:db8::7": seen[1] } as Record<string, string | undefined>;
    assert.deepEqual(
      sent.map(({ output }) => hex[output.address]),
      seen,
    );
  });

  it("hands over to a backup", () => {
    const lan = new SimulatedLan();
    lan.add("a", configuration([v6()]), { eth0: LINK_LOCAL });
    lan.add("b", configuration([v6({ priority: 100 })]), { eth0: addressOf("fe80::2") });
    lan.start("a");
    lan.start("b");
    lan.run(seconds(6));
    assert.deepEqual([lan.masters("V6"), lan.holders("2001:db8::7")], [["a"], ["a"]]);
    lan.stop("a");
    lan.run(seconds(2));
    assert.deepEqual([lan.masters("V6"), lan.holders("2001:db8::7")], [["b"], ["b"]]);
  });
});
