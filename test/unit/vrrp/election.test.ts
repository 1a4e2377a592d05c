/** RFC 9568 §6.4 and RFC 3768 §6.4, one rule a test, with keepalived 2.2.7's additions. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { centiseconds, milliseconds, seconds } from "../../../src/base/time.ts";
import type { Output } from "../../../src/vrrp/messages.ts";
import { masterDownInterval, skewTime } from "../../../src/vrrp/timers.ts";
import { configuration, instance, ip, vip } from "../../support/vrrp-configuration.ts";
import { deeds, lines, Machine, of } from "../../support/vrrp-machine.ts";

const master = (priority = 100, more: Parameters<typeof instance>[0] = {}): Machine => {
  const machine = new Machine({ priority, ...more });
  machine.start();
  machine.wait(seconds(4));
  assert.equal(machine.is, "MASTER");
  return machine;
};

const backup = (priority = 100, more: Parameters<typeof instance>[0] = {}): Machine => {
  const machine = new Machine({ priority, ...more });
  machine.start();
  machine.hear(200);
  assert.equal(machine.is, "BACKUP");
  return machine;
};

describe("Timers", () => {
  it("skew version 2 by up to a second, whatever the interval", () => {
    assert.equal(skewTime(2, 100, seconds(3)), 609_375);
    assert.equal(skewTime(2, 255, seconds(3)), 3_906);
  });

  it("skew version 3 by up to an advert interval", () => {
    assert.equal(skewTime(3, 100, centiseconds(50)), 304_688);
    assert.equal(skewTime(3, 1, centiseconds(100)), 996_094);
  });

  it("let a backup wait for three adverts and its skew", () => {
    assert.equal(masterDownInterval(2, 150, seconds(1), 3), 3_414_063);
    assert.equal(masterDownInterval(3, 150, centiseconds(10), 3), 341_406);
    assert.equal(masterDownInterval(2, 150, seconds(1), 5), 5_414_063);
  });
});

describe("A router that starts", () => {
  it("removes what an earlier process left and waits as a backup", () => {
    const machine = new Machine({ priority: 150 });
    const started = machine.start([ip("10.9.0.50")]);
    assert.deepEqual(deeds(started), ["remove-address 10.9.0.50", "V INIT→BACKUP", "notify INSTANCE V BACKUP 150"]);
    assert.equal(machine.due, 3.414063);
  });

  it("waits as long when the configuration says state MASTER", () => {
    const machine = new Machine({ priority: 150, state: "MASTER" });
    machine.start();
    assert.equal(machine.due, 3.414063);
  });

  it("is master at once as the owner of the addresses, with priority 255 in its advert", () => {
    const machine = new Machine({ priority: 255 });
    machine.start();
    const first = machine.wait(seconds(0));
    assert.equal(machine.is, "MASTER");
    assert.equal(
      deeds(first).find((deed) => deed.startsWith("advert")),
      "advert V 255",
    );
  });

  it("waits longer by vrrp_startup_delay", () => {
    const machine = new Machine(configuration([instance({ priority: 200 })], { global: { startupDelay: seconds(3) } }));
    assert.equal(lines(machine.start())[0], "Delaying startup for 3 seconds");
    assert.equal(machine.due, 6.21875);
  });

  it("is in FAULT without a link, and without an address to send from", () => {
    const machine = new Machine();
    const started = machine.feed({ type: "start", interfaces: [{ name: "eth0", up: false, addresses: [] }] });
    assert.equal(machine.is, "FAULT");
    assert.deepEqual(machine.instance().faults, ["eth0 is down", "eth0 has no IPv4 address"]);
    assert.deepEqual(lines(started), [
      "(V): entering FAULT state (interface eth0 down)",
      "(V) entering FAULT state (no IPv4 address for interface)",
      "(V) removing VIPs.",
      "(V) entering FAULT state",
    ]);
  });

  it("does not send from an address that is a virtual one", () => {
    const machine = new Machine({ priority: 150 });
    machine.feed({
      type: "start",
      interfaces: [{ name: "eth0", up: true, addresses: [ip("10.9.0.50"), ip("10.9.0.9")] }],
    });
    const [advert] = of(machine.wait(seconds(4)), "send-advert");
    assert.equal(advert?.source, "10.9.0.9");
  });

  it("sends from mcast_src_ip when it is given", () => {
    const machine = new Machine({ sourceAddress: ip("10.9.0.77") });
    machine.start();
    assert.equal(of(machine.wait(seconds(4)), "send-advert")[0]?.source, "10.9.0.77");
  });
});

describe("A backup", () => {
  it("becomes master when nothing is heard: addresses, advert, gratuitous ARP, notification, in this order", () => {
    const machine = new Machine({
      virtualAddresses: [vip("10.9.0.50"), vip("10.9.0.51")],
      excludedAddresses: [vip("10.9.0.60")],
      garp: { ...instance().garp, masterRepeat: 2 },
    });
    machine.start();
    const became = machine.wait(seconds(3.7));
    assert.deepEqual(deeds(became), [
      "add-address 10.9.0.50",
      "add-address 10.9.0.51",
      "add-address 10.9.0.60",
      "advert V 100",
      "arp 10.9.0.50",
      "arp 10.9.0.51",
      "arp 10.9.0.60",
      "arp 10.9.0.50",
      "arp 10.9.0.51",
      "arp 10.9.0.60",
      "V BACKUP→MASTER",
      "notify INSTANCE V MASTER 100",
    ]);
  });

  it("begins its wait anew with each advert of its priority or a higher one", () => {
    for (const priority of [100, 101, 255]) {
      const machine = backup();
      machine.wait(seconds(2));
      machine.hear(priority);
      assert.equal(machine.due, 3.609375, `priority ${priority}`);
    }
  });

  it("does not begin its wait anew for a lower priority", () => {
    const machine = backup();
    machine.wait(seconds(2));
    const said = machine.hear(99);
    assert.deepEqual(lines(said), ["(V) received lower priority (99) advert from 10.9.0.2 - discarding"]);
    assert.equal(machine.due, 1.609375);
    machine.wait(seconds(1.7));
    assert.equal(machine.is, "MASTER");
    assert.equal(machine.instance().cause, "10.9.0.2 has a lower priority, 99");
  });

  it("puts up with a lower priority under nopreempt, and takes over when it falls silent", () => {
    const machine = backup(100, { nopreempt: true });
    machine.wait(seconds(2));
    machine.hear(1);
    assert.equal(machine.due, 3.609375);
    machine.wait(seconds(3.7));
    assert.equal(machine.is, "MASTER");
    assert.equal(machine.instance().cause, "no advert for 3.61 s, last from 10.9.0.2 with priority 1");
  });

  it("waits only its skew after priority 0", () => {
    const machine = backup();
    assert.deepEqual(lines(machine.hear(0)), ["(V) Backup received priority 0 advertisement"]);
    assert.equal(machine.due, 0.609375);
    machine.wait(seconds(0.61));
    assert.equal(machine.instance().cause, "10.9.0.2 left with priority 0");
  });

  it("is not put off by further adverts with priority 0", () => {
    const machine = backup();
    machine.hear(0);
    machine.wait(seconds(0.4));
    machine.hear(0, "10.9.0.3");
    assert.equal(Math.round(machine.due * 1e6), 209_375);
  });

  it("accepts lower priorities for preempt_delay from the first one on", () => {
    const machine = new Machine({ priority: 150, preemptDelay: seconds(3) });
    machine.start();
    assert.deepEqual(lines(machine.hear(100)), ["(V) start preempt delay (3.000000)"]);
    machine.wait(seconds(2.9));
    assert.deepEqual(lines(machine.hear(100)), []);
    assert.equal(machine.due, 3.414063);
    machine.wait(seconds(0.2));
    assert.deepEqual(lines(machine.hear(100)), ["(V) received lower priority (100) advert from 10.9.0.2 - discarding"]);
  });

  it("forgets preempt_delay when a better master speaks", () => {
    const machine = new Machine({ priority: 150, preemptDelay: seconds(3) });
    machine.start();
    machine.hear(100);
    assert.deepEqual(lines(machine.hear(200)), ["(V) stop preempt delay"]);
    assert.deepEqual(lines(machine.hear(100)), ["(V) start preempt delay (3.000000)"]);
  });

  it("begins preempt_delay anew after it was master", () => {
    const machine = new Machine({ priority: 150, preemptDelay: seconds(3) });
    machine.start();
    machine.hear(100);
    machine.wait(seconds(4));
    assert.equal(machine.is, "MASTER");
    machine.hear(200);
    assert.deepEqual(lines(machine.hear(100)), ["(V) start preempt delay (3.000000)"]);
  });

  it("learns the interval of a version 3 master and waits by it", () => {
    const machine = new Machine({ version: 3, advertInterval: seconds(2) });
    machine.start();
    const said = machine.hear(200, "10.9.0.2", { advertInterval: centiseconds(50) });
    assert.deepEqual(lines(said), ["(V) advertisement interval updated from 2000ms to 500ms by master"]);
    assert.equal(machine.due, 1.804688);
    assert.ok(
      lines(machine.wait(seconds(2))).includes("(V) changing advert interval from 500ms to locally configured 2000ms"),
    );
    assert.equal(machine.instance().masterAdvertInterval, seconds(2));
  });

  it("reads its socket first when it wakes up late", () => {
    const machine = backup();
    machine.freeze(seconds(10));
    const woke = machine.feed({ type: "timer" });
    assert.deepEqual(lines(woke), ["A thread timer expired 6.390625 seconds ago"]);
    assert.equal(machine.is, "BACKUP");
    machine.hear(200);
    assert.equal(machine.due, 3.609375);
  });

  it("takes over a skew time after it woke up late when its socket was empty, however late it is again", () => {
    const machine = backup();
    machine.freeze(seconds(10));
    machine.feed({ type: "timer" });
    assert.equal(machine.due, 0.609375);
    machine.freeze(seconds(5));
    machine.feed({ type: "timer" });
    assert.equal(machine.is, "MASTER");
  });

  it("ignores its own adverts when they are looped back", () => {
    const machine = backup();
    machine.wait(seconds(2));
    machine.hear(255, "10.9.0.1");
    assert.equal(machine.due, 1.609375);
    assert.equal(machine.instance().counters["adverts-received"], 1);
  });
});

describe("A master", () => {
  it("advertises once an interval and refreshes its addresses once a second", () => {
    const machine = new Machine({ advertInterval: seconds(2) });
    machine.start();
    machine.wait(seconds(11));
    const at = (type: string) =>
      machine.told.flatMap(({ at: when, output }) => (output.type === type ? [when / 1_000_000] : []));
    assert.deepEqual(at("send-advert"), [6.609375, 8.609375, 10.609375]);
    assert.deepEqual(at("refresh-addresses"), [7.609375, 8.609375, 9.609375, 10.609375]);
  });

  it("gives way to a higher priority and waits by its own", () => {
    const machine = master();
    const said = machine.hear(101);
    assert.deepEqual(lines(said), [
      "(V) Master received advert from 10.9.0.2 with higher priority 101, ours 100",
      "(V) Entering BACKUP STATE",
      "(V) removing VIPs.",
    ]);
    assert.deepEqual(deeds(said), ["remove-address 10.9.0.50", "V MASTER→BACKUP", "notify INSTANCE V BACKUP 100"]);
    assert.equal(machine.due, 3.609375);
  });

  it("gives way to its own priority from a higher address, and not from a lower one", () => {
    const machine = new Machine();
    machine.feed({ type: "start", interfaces: [{ name: "eth0", up: true, addresses: [ip("10.9.0.5")] }] });
    machine.wait(seconds(4));
    assert.deepEqual(lines(machine.hear(100, "10.9.0.4")).slice(0, 1), [
      "(V) Received advert from 10.9.0.4 with lower priority 100, ours 100, forcing new election",
    ]);
    assert.equal(machine.is, "MASTER");
    assert.deepEqual(lines(machine.hear(100, "10.9.0.10")).slice(0, 1), [
      "(V) Master received advert from 10.9.0.10 with same priority 100 but higher IP address than ours",
    ]);
    assert.equal(machine.is, "BACKUP");
  });

  it("answers a lower priority with an advert and gratuitous ARP, and again after garp_lower_prio_delay", () => {
    const machine = master(100, {
      garp: { ...instance().garp, lowerPrioRepeat: 1, lowerPrioDelay: seconds(2), masterDelay: 0 as never },
    });
    assert.deepEqual(deeds(machine.hear(99)), [
      "advert V 100",
      "arp 10.9.0.50",
      "notify INSTANCE V MASTER_RX_LOWER_PRI 100",
    ]);
    assert.deepEqual(of(machine.wait(seconds(1.9)), "gratuitous-arp").length, 0);
    assert.deepEqual(of(machine.wait(seconds(0.2)), "gratuitous-arp").length, 1);
  });

  it("sends one batch of gratuitous ARP for any number of such adverts in that time", () => {
    const machine = master();
    machine.hear(99);
    for (let n = 0; n < 40; n++) {
      machine.wait(seconds(0.1));
      assert.deepEqual(deeds(machine.hear(99)), ["advert V 100", "notify INSTANCE V MASTER_RX_LOWER_PRI 100"]);
    }
  });

  it("does not repeat that batch when garp_lower_prio_delay is 0", () => {
    const machine = master(100, {
      garp: { ...instance().garp, lowerPrioRepeat: 1, lowerPrioDelay: seconds(0), masterDelay: seconds(0) },
    });
    machine.hear(99);
    assert.equal(of(machine.wait(seconds(2)), "gratuitous-arp").length, 0);
  });

  it("announces its addresses again when the other one is heard no more", () => {
    const machine = master(100, {
      garp: { ...instance().garp, masterRepeat: 1, masterDelay: seconds(0), lowerPrioRepeat: 0 },
    });
    for (let n = 0; n < 3; n++) {
      machine.hear(99);
      machine.wait(seconds(1));
    }
    const said = machine.wait(seconds(3));
    assert.deepEqual(
      deeds(said).filter((deed) => !/advert|refresh/.test(deed)),
      ["V alone again, without 10.9.0.2", "arp 10.9.0.50"],
    );
    const [ended] = of(said, "conflict-ended");
    assert.equal(ended?.lasted, seconds(2) + 2_000_000 + 996_094);
    assert.equal(of(machine.wait(seconds(9)), "conflict-ended").length, 0);
  });

  it("announces them at once when the other one leaves", () => {
    const machine = master(100, { garp: { ...instance().garp, masterRepeat: 1, masterDelay: seconds(0) } });
    machine.hear(99);
    const said = deeds(machine.hear(0));
    assert.deepEqual(said.slice(0, 2), ["V alone again, without 10.9.0.2", "arp 10.9.0.50"]);
  });

  it("leaves the advert out under lower_prio_no_advert", () => {
    const machine = master(100, { lowerPrioNoAdvert: true });
    const said = machine.hear(99);
    assert.equal(of(said, "send-advert").length, 0);
    assert.equal(lines(said)[0], "(V) Received advert from 10.9.0.2 with lower priority 99, ours 100");
  });

  it("says once more who was master under higher_prio_send_advert", () => {
    const machine = master(100, { higherPrioSendAdvert: true });
    assert.equal(deeds(machine.hear(101))[0], "advert V 100");
  });

  it("advertises at once when another one leaves with priority 0", () => {
    const machine = master();
    const said = machine.hear(0);
    assert.deepEqual(deeds(said), ["advert V 100"]);
    assert.deepEqual(lines(said), ["(V) Master received priority 0 message"]);
    assert.equal(machine.is, "MASTER");
  });

  it("gives way as an owner to another owner, and keeps 254 from then on", () => {
    const machine = new Machine({ priority: 255 });
    machine.start();
    machine.wait(seconds(1));
    const said = machine.hear(255);
    assert.match(lines(said)[0] ?? "", /CONFIGURATION ERROR: local instance and a remote instance/);
    assert.equal(machine.is, "BACKUP");
    assert.equal(machine.instance().effectivePriority, 254);
    assert.equal(machine.instance().priorityCause, "another router is configured as owner too");
    machine.feed({ type: "link", interface: "eth1", up: false });
    assert.equal(machine.instance().effectivePriority, 254);
  });

  it("learns that somebody took an address: priority 0, and back after its skew", () => {
    const machine = master(150);
    machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.50"), present: true });
    const said = machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.50"), present: false });
    assert.deepEqual(lines(said), [
      "Netlink reflector reports IP 10.9.0.50 removed from eth0",
      "(V) Entering BACKUP STATE",
      "(V) sent 0 priority",
      "(V) removing VIPs.",
    ]);
    assert.deepEqual(deeds(said).slice(0, 2), ["V lost 10.9.0.50: failed over", "advert V 0"]);
    assert.equal(machine.due, 0.414063);
  });

  it("does not mind the loss of an address with no_track", () => {
    const machine = master(150, { virtualAddresses: [vip("10.9.0.50", { noTrack: true })] });
    machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.50"), present: true });
    machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.50"), present: false });
    assert.equal(machine.is, "MASTER");
  });

  it("does not take the report of its own removal for a loss when it is master again before it comes", () => {
    const machine = new Machine({ version: 3, priority: 254, advertInterval: centiseconds(1) });
    machine.start();
    machine.wait(seconds(1));
    machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.50"), present: true });
    machine.hear(255);
    machine.hear(0);
    machine.wait(centiseconds(1));
    assert.equal(machine.is, "MASTER");
    machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.50"), present: false });
    assert.equal(machine.is, "MASTER");
  });

  it("takes a later loss for one again", () => {
    const machine = master(150);
    const report = (present: boolean) =>
      machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.50"), present });
    report(true);
    machine.hear(200);
    report(false);
    machine.wait(seconds(4));
    report(true);
    assert.equal(machine.is, "MASTER");
    report(false);
    assert.equal(machine.is, "BACKUP");
  });

  it("numbers its packets from 1 to 65535 and on from 0", () => {
    const machine = master();
    const numbers = (span: number) =>
      of(machine.wait(seconds(span)), "send-advert").map(({ packet }) => packet.slice(8, 12));
    assert.deepEqual(numbers(1), ["0002"]);
    machine.state = {
      ...machine.state,
      routers: machine.state.routers.map((router) => ({ ...router, identification: 65_534 })),
    };
    assert.deepEqual(numbers(2), ["ffff", "0000"]);
    assert.equal(machine.state.routers[0]?.identification, 0);
  });

  it("answers a flood of such adverts, and of zeros, ten times a second at most, and logs it twice", () => {
    for (const priority of [99, 0]) {
      const machine = master();
      const outputs: Output[] = [];
      for (let n = 0; n < 1_800; n++) {
        outputs.push(...machine.hear(priority), ...machine.wait(seconds(0.0005)));
      }
      assert.equal(of(outputs, "send-advert").length, 9, `priority ${priority}`);
      assert.equal(lines(outputs).filter((line) => /lower priority|priority 0/.test(line)).length, 2);
    }
  });

  it("that hears a deaf one every 10 ms for a minute answers each time, and does not fill the log", () => {
    const machine = master(100, { version: 3, advertInterval: milliseconds(10) });
    const outputs: Output[] = [];
    for (let n = 0; n < 6_000; n++) outputs.push(...machine.hear(50), ...machine.wait(milliseconds(10)));
    const told = lines(outputs).filter((line) => line.includes("lower priority"));
    assert.equal(told.length, 120);
    assert.ok(of(outputs, "send-advert").length >= 6_000);
  });

  it("counts what it sends and receives", () => {
    const machine = master();
    machine.wait(seconds(1));
    machine.hear(99);
    machine.wait(seconds(0.2));
    machine.hear(0);
    machine.hear(101);
    const { counters } = machine.instance();
    assert.equal(counters["adverts-sent"], 4);
    assert.equal(counters["adverts-received"], 3);
    assert.equal(counters["priority-zero-received"], 1);
    assert.equal(counters["became-master"], 1);
    assert.equal(counters["released-master"], 1);
  });
});

describe("An advert for nobody here", () => {
  it("fills no log, however many come", () => {
    const machine = new Machine(configuration([instance()], { global: { logUnknownVrids: true } }));
    machine.start();
    const outputs: Output[] = [];
    for (let n = 0; n < 2_000; n++)
      outputs.push(...machine.hear(200, "10.9.0.2", { virtualRouterId: 77 }), ...machine.wait(milliseconds(1)));
    assert.equal(lines(outputs).filter((line) => line.startsWith("Unknown VRID(77)")).length, 2 * 255);
    assert.equal(machine.state.unknownVrid, 2_000);
  });

  it("is counted, and logged under log_unknown_vrids only", () => {
    const quiet = new Machine();
    quiet.start();
    assert.deepEqual(quiet.hear(200, "10.9.0.2", { virtualRouterId: 77 }), []);
    assert.equal(quiet.state.unknownVrid, 1);
    const loud = new Machine(configuration([instance()], { global: { logUnknownVrids: true } }));
    loud.start();
    assert.deepEqual(lines(loud.hear(200, "10.9.0.2", { virtualRouterId: 77 })), [
      "Unknown VRID(77) received on interface(eth0) from 10.9.0.2. ignoring...",
    ]);
  });
});
