/** `unicast_peer`, `unicast_src_ip`, TTL rules, both checksum styles, and macvlans: keepalived.conf(5), RFC 9568 §5.2.8. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import { NO_INTERFACE, type VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { snapshot } from "../../../src/vrrp/host.ts";
import { decodeEthernet, ETHERTYPE_IPV4 } from "../../../src/wire/ethernet.ts";
import { decodeIpv4, PROTOCOL_VRRP } from "../../../src/wire/ipv4.ts";
import { judgeChecksum } from "../../../src/wire/vrrp.ts";
import { readPcap } from "../../support/pcap.ts";
import { SimulatedLan } from "../../support/simulated-lan.ts";
import { addressOf, configuration, instance, ip, vip } from "../../support/vrrp-configuration.ts";
import { deeds, lines, Machine, of } from "../../support/vrrp-machine.ts";

const peers = (...addresses: string[]) =>
  addresses.map((address) => ({ address: addressOf(address), minTtl: 0, maxTtl: 255 }));

function master(more: Partial<VrrpInstance>): Machine {
  const machine = new Machine(configuration([instance(more)]));
  machine.start();
  machine.wait(seconds(4));
  assert.equal(machine.is, "MASTER");
  return machine;
}

describe("With unicast peers", () => {
  const unicastPeers = peers("10.9.0.2", "10.9.0.3");

  it("each advert goes to every peer, with one identification, and counts once", () => {
    const machine = master({ unicastPeers, unicastTtl: 64 });
    const adverts = of(machine.wait(seconds(1)), "send-advert");
    const headers = adverts.map(({ packet }) => decodeIpv4(Uint8Array.fromHex(packet)));
    assert.deepEqual(
      adverts.map(({ destination }) => destination),
      ["10.9.0.2", "10.9.0.3"],
    );
    assert.deepEqual(
      headers.map((one) => (one.ok ? [one.value.destination, one.value.timeToLive, one.value.identification] : [])),
      [
        ["10.9.0.2", 64, 2],
        ["10.9.0.3", 64, 2],
      ],
    );
    assert.equal(machine.instance().counters["adverts-sent"], 2);
  });

  it("an advert from a peer counts, whatever its TTL, and one to the group does not", () => {
    const machine = new Machine({ unicastPeers });
    machine.start();
    machine.hear(200, "10.9.0.2", { unicastTtl: 3 });
    assert.equal(machine.instance().lastAdvert?.from, "10.9.0.2");
    const said = machine.hear(200, "10.9.0.2", { unicastPeers: undefined });
    assert.deepEqual(lines(said), ["(V) discarding multicast packet on unicast instance"]);
    assert.equal(machine.instance().counters.destination, 1);
  });

  it("without interface the source address decides, no link is tracked, and adverts count whatever way they came", () => {
    const sourceAddress = addressOf("10.9.0.1");
    const machine = new Machine({ unicastPeers, interface: NO_INTERFACE, sourceAddress });
    machine.feed({ type: "start", interfaces: [{ name: "eth0", up: true, addresses: [] }] });
    const adverts = of(machine.wait(seconds(4)), "send-advert");
    assert.deepEqual(
      adverts.slice(0, 2).map(({ interface: name, source, destination }) => [name, source, destination]),
      [
        ["", "10.9.0.1", "10.9.0.2"],
        ["", "10.9.0.1", "10.9.0.3"],
      ],
    );
    assert.equal(machine.is, "MASTER");
    machine.hear(200, "10.9.0.2", { interface: "eth0" });
    assert.equal(machine.is, "MASTER");
    assert.equal(snapshot(machine.state).unknownVrid, 0);
    machine.hear(200, "10.9.0.2");
    assert.equal(machine.is, "BACKUP");
  });

  it("a stranger counts too, unless check_unicast_src is set", () => {
    for (const checkUnicastSource of [false, true]) {
      const machine = new Machine({ unicastPeers, checkUnicastSource });
      machine.start();
      machine.hear(200, "10.9.0.77");
      assert.equal(machine.instance().lastAdvert?.from, checkUnicastSource ? undefined : "10.9.0.77");
      const detail = machine.instance().lastRefused?.detail;
      assert.equal(detail, checkUnicastSource ? "unicast source address 10.9.0.77 not a unicast peer" : undefined);
      machine.hear(200, "10.9.0.3");
      assert.equal(machine.instance().lastAdvert?.from, "10.9.0.3");
    }
  });

  it("the TTL of a peer must be between its min_ttl and max_ttl", () => {
    const [peer] = unicastPeers;
    assert(peer);
    const machine = new Machine({ unicastPeers: [{ ...peer, minTtl: 60, maxTtl: 64 }], checkUnicastSource: true });
    machine.start();
    for (const [unicastTtl, heard] of [
      [59, undefined],
      [60, "10.9.0.2"],
    ] as const) {
      machine.hear(200, "10.9.0.2", { unicastTtl });
      assert.equal(machine.instance().lastAdvert?.from, heard);
    }
    machine.hear(201, "10.9.0.2", { unicastTtl: 65 });
    assert.equal(machine.instance().lastAdvert?.priority, 200);
    assert.equal(machine.instance().lastRefused?.detail, "TTL/HL 65 not in range 60 - 64");
    assert.equal(machine.instance().counters.ttl, 2);
  });

  it("of which there are none, it is in FAULT", () => {
    const machine = new Machine({ unicastPeers: [] });
    machine.start();
    assert.equal(machine.is, "FAULT");
    assert.equal(of(machine.wait(seconds(10)), "send-advert").length, 0);
  });

  it("adverts leave from unicast_src_ip, also when the interface has other addresses", () => {
    const machine = master({ unicastPeers, sourceAddress: ip("10.9.0.9") });
    const [advert] = of(machine.wait(seconds(1)), "send-advert");
    assert.equal(advert?.source, "10.9.0.9");
  });

  it("track_src_ip makes it wait for that address", () => {
    const machine = new Machine({ unicastPeers, sourceAddress: ip("10.9.0.9"), trackSourceAddress: true });
    machine.start();
    assert.equal(machine.is, "FAULT");
    const change = (present: boolean) =>
      machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.9"), present });
    change(true);
    assert.equal(machine.is, "BACKUP");
    machine.wait(seconds(4));
    const said = change(false);
    assert.equal(machine.is, "FAULT");
    assert.match(of(said, "state")[0]?.cause ?? "", /10\.9\.0\.9 is not on eth0/);
  });

  it("two routers elect one master and hand over", () => {
    const lan = new SimulatedLan();
    const router = (priority: number, peer: string) =>
      configuration([instance({ version: 3, priority, unicastPeers: peers(peer) })]);
    lan.add("a", router(150, "10.9.0.2"), { eth0: ip("10.9.0.1") });
    lan.add("b", router(100, "10.9.0.1"), { eth0: ip("10.9.0.2") });
    lan.add("c", router(200, "10.9.0.77"), { eth0: ip("10.9.0.3") });
    lan.start("a");
    lan.start("b");
    lan.run(seconds(6));
    assert.deepEqual(lan.masters("V"), ["a"]);
    // Nobody is told of it, so nobody knows.
    lan.start("c");
    lan.run(seconds(6));
    assert.deepEqual(lan.masters("V"), ["a", "c"]);
    lan.stop("a");
    lan.run(seconds(2));
    assert.deepEqual(lan.masters("V"), ["b", "c"]);
  });
});

describe("keepalived 2.2.7's adverts", () => {
  const sent = (fixture: string, destination: string) =>
    readPcap(new URL(`../../fixtures/vrrp/${fixture}.pcap`, import.meta.url)).flatMap(({ bytes }) => {
      const frame = decodeEthernet(bytes);
      if (!frame.ok || frame.value.etherType !== ETHERTYPE_IPV4) return [];
      const packet = decodeIpv4(frame.value.payload);
      if (!packet.ok || packet.value.protocol !== PROTOCOL_VRRP || packet.value.destination !== destination) return [];
      return [frame.value.payload.toHex()];
    });

  const labs: Record<string, { readonly of: Partial<VrrpInstance>; readonly to: string; readonly wait: number }> = {
    noauth: { of: { virtualRouterId: 9, priority: 255 }, to: "224.0.0.18", wait: 0 },
    uni: {
      of: { virtualRouterId: 9, priority: 255, unicastPeers: peers("10.9.0.2", "10.9.0.3") },
      to: "10.9.0.2",
      wait: 0,
    },
    univ3: {
      of: { virtualRouterId: 9, priority: 255, version: 3, unicastPeers: peers("10.9.0.2") },
      to: "10.9.0.2",
      wait: 0,
    },
    v3: {
      of: {
        virtualRouterId: 7,
        priority: 200,
        version: 3,
        advertInterval: seconds(0.5),
        virtualAddresses: [vip("10.9.0.50"), vip("10.9.0.51")],
      },
      to: "224.0.0.18",
      wait: 2,
    },
  };
  for (const [name, { of: settings, to, wait }] of Object.entries(labs)) {
    it(`in lab ${name} are sent bit for bit`, () => {
      const seen = sent(`lab2-${name}`, to);
      assert.ok(seen.length >= 8, `${seen.length}`);
      const machine = new Machine(configuration([instance(settings)]));
      machine.start();
      // As many as it sent before the one with priority 0.
      machine.wait(seconds(wait));
      const interval = (settings.advertInterval ?? seconds(1)) / 1_000_000;
      while (machine.instance().counters["adverts-sent"] < seen.length - 1) machine.wait(seconds(interval / 10));
      machine.feed({ type: "stop" });
      const adverts = of(
        machine.told.map(({ output }) => output),
        "send-advert",
      );
      assert.deepEqual(
        adverts.filter(({ destination }) => destination === to).map(({ packet }) => packet),
        seen,
      );
    });
  }
});

describe("A version 3 checksum", () => {
  const styleSent = (more: Partial<VrrpInstance>) => {
    const [advert] = of(master({ version: 3, ...more }).wait(seconds(1)), "send-advert");
    const packet = decodeIpv4(Uint8Array.fromHex(advert?.packet ?? ""));
    assert(packet.ok);
    return judgeChecksum(packet.value.payload, packet.value);
  };

  it("is sent with pseudo header, and without under v3_checksum_as_v2", () => {
    assert.equal(styleSent({}), "valid");
    assert.equal(styleSent({ checksumWithoutPseudoHeader: true }), "valid-without-pseudo-header");
  });

  it("counts in both styles, and the last one heard is told", () => {
    for (const mine of [false, true]) {
      const machine = new Machine({ version: 3, checksumWithoutPseudoHeader: mine });
      machine.start();
      for (const theirs of [true, false]) {
        machine.hear(200, "10.9.0.2", { checksumWithoutPseudoHeader: theirs });
        assert.equal(machine.instance().lastAdvert?.withoutPseudoHeader, theirs);
      }
    }
  });
});

describe("With use_vmac", () => {
  const vmac = { interface: "vrrp.5", mac: undefined, transmitOnBase: false };
  const virtualAddresses = [vip("10.9.0.50", { interface: "vrrp.5" })];
  const started = (more: Partial<VrrpInstance> = {}) => {
    const machine = new Machine(configuration([instance({ vmac, virtualAddresses, ...more })]));
    machine.feed({
      type: "start",
      interfaces: [
        { name: "eth0", up: true, addresses: [ip("10.9.0.1")] },
        { name: "vrrp.5", up: true, addresses: [] },
      ],
    });
    return machine;
  };

  it("adverts leave by the macvlan with the address of the interface below", () => {
    const said = started().wait(seconds(4));
    const [advert] = of(said, "send-advert");
    assert.deepEqual([advert?.interface, advert?.source], ["vrrp.5", "10.9.0.1"]);
    assert.deepEqual(new Set(of(said, "gratuitous-arp").map((arp) => arp.interface)), new Set(["vrrp.5"]));
  });

  it("vmac_xmit_base lets them leave by the interface below", () => {
    const machine = started({ vmac: { ...vmac, transmitOnBase: true } });
    assert.equal(of(machine.wait(seconds(4)), "send-advert")[0]?.interface, "eth0");
  });

  it("adverts that come in by either belong to it, but not its own", () => {
    const machine = started();
    const [own] = of(machine.wait(seconds(4)), "send-advert");
    for (const on of ["eth0", "vrrp.5"]) machine.feed({ type: "packet", interface: on, packet: own?.packet ?? "" });
    assert.equal(machine.instance().counters["adverts-received"], 0);
    machine.hear(50);
    machine.hear(50, "10.9.0.3", { vmac: undefined });
    assert.equal(machine.instance().counters["adverts-received"], 2);
  });

  it("garp_extra_if keeps the ports of a switch in mind that nothing else leaves by", () => {
    const garp = { ...instance().garp, masterDelay: seconds(0), extraInterfaces: seconds(2) };
    const machine = started({ garp, vmac: { ...vmac, transmitOnBase: true } });
    machine.wait(seconds(4));
    assert.deepEqual(
      deeds(machine.wait(seconds(4))).filter((deed) => deed.startsWith("arp")),
      ["arp 10.9.0.50", "arp 10.9.0.50"],
    );
    const silent = started({ garp });
    silent.wait(seconds(4));
    assert.deepEqual(of(silent.wait(seconds(4)), "gratuitous-arp"), []);
  });
});
