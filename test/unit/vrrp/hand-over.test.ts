/** The two rules of design.md §1: an address never outlives its owner, and a planned hand-over has no gap. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { centiseconds, type Duration, seconds } from "../../../src/base/time.ts";
import { DEFAULT_HOST_PARAMETERS } from "../../../src/vrrp/host.ts";
import { SimulatedLan } from "../../support/simulated-lan.ts";
import { configuration, instance, ip, vip } from "../../support/vrrp-configuration.ts";
import { deeds, lines, Machine, of } from "../../support/vrrp-machine.ts";

const VIP = ip("10.9.0.50");

function master(more: Parameters<typeof instance>[0] = {}): Machine {
  const machine = new Machine({ priority: 150, ...more });
  machine.start();
  machine.wait(seconds(4));
  machine.feed({ type: "address", interface: "eth0", address: VIP, present: true });
  assert.equal(machine.is, "MASTER");
  return machine;
}

describe("A master that is stopped", () => {
  it("speaks of its two lists of addresses apart", () => {
    const machine = new Machine({ excludedAddresses: [vip("10.9.0.51")] });
    const both = (what: string) => [`(V) ${what} VIPs.`, `(V) ${what} E-VIPs.`];
    assert.deepEqual(lines(machine.start()).slice(-3, -1), both("removing"));
    assert.deepEqual(lines(machine.wait(seconds(4))).slice(2, 4), both("setting"));
    machine.feed({ type: "stop" });
    assert.deepEqual(lines(machine.wait(seconds(2))), both("removing"));
  });

  it("says priority 0 and keeps its address until its successor speaks", () => {
    const machine = master();
    const said = machine.feed({ type: "stop" });
    assert.deepEqual(deeds(said), ["advert V 0"]);
    assert.deepEqual(lines(said), ["(V) sent 0 priority"]);
    assert.equal(machine.instance().leaving, true);
    machine.wait(seconds(0.6));
    const heard = machine.hear(100);
    assert.deepEqual(lines(heard), ["(V) removing VIPs."]);
    assert.deepEqual(deeds(heard), [
      "remove-address 10.9.0.50",
      "V MASTER→STOP",
      "notify INSTANCE V STOP 150",
      "stopped",
    ]);
    assert.equal(machine.instance().cause, "10.9.0.2 took over with priority 100");
  });

  it("lets go after the longest skew and a little when nobody speaks, and sends nothing meanwhile", () => {
    const machine = master();
    machine.feed({ type: "stop" });
    const meanwhile = machine.wait(seconds(1.09));
    assert.deepEqual(
      deeds(meanwhile).filter((deed) => !deed.startsWith("refresh")),
      [],
    );
    assert.deepEqual(deeds(machine.wait(seconds(0.1))).slice(0, 1), ["remove-address 10.9.0.50"]);
    assert.equal(machine.instance().cause, "no successor spoke");
  });

  it("waits by its own advert interval in version 3", () => {
    const machine = master({ version: 3, advertInterval: centiseconds(10) });
    machine.feed({ type: "stop" });
    assert.equal(machine.due, 0.199609);
  });

  it("waits three seconds at most, however seldom it advertises", () => {
    const machine = new Machine({ version: 3, advertInterval: seconds(40) });
    machine.start();
    machine.wait(seconds(160));
    machine.feed({ type: "stop" });
    assert.ok(!deeds(machine.wait(seconds(2.9))).includes("stopped"));
    assert.ok(deeds(machine.wait(seconds(0.1))).includes("stopped"));
  });

  it("does not take another one's priority 0 for a successor", () => {
    const machine = master();
    machine.feed({ type: "stop" });
    assert.deepEqual(machine.hear(0), []);
    assert.equal(machine.is, "MASTER");
  });

  it("does not wait longer for being told twice, and takes no new configuration", () => {
    const machine = master();
    machine.feed({ type: "stop" });
    machine.wait(seconds(0.5));
    assert.deepEqual(machine.feed({ type: "stop" }), []);
    assert.deepEqual(machine.feed({ type: "reconfigure", configuration: configuration([]) }), []);
    machine.wait(seconds(0.6));
    assert.equal(machine.is, "STOP");
  });

  it("does not come back, whatever it hears or learns", () => {
    const machine = master();
    machine.feed({ type: "stop" });
    machine.feed({ type: "link", interface: "eth0", up: false });
    machine.feed({ type: "link", interface: "eth0", up: true });
    machine.hear(1);
    machine.wait(seconds(10));
    assert.equal(machine.is, "STOP");
    assert.deepEqual(machine.hear(200), []);
  });
});

describe("A backup that is stopped", () => {
  it("is done at once and sends nothing", () => {
    const machine = new Machine();
    machine.start();
    assert.deepEqual(deeds(machine.feed({ type: "stop" })), ["V BACKUP→STOP", "notify INSTANCE V STOP 100", "stopped"]);
  });

  it("has nothing to do when it was never started", () => {
    assert.deepEqual(deeds(new Machine().feed({ type: "stop" })), ["stopped"]);
  });
});

describe("A clean stop on a LAN", () => {
  it("leaves no moment without an owner, for any skew of the successor", () => {
    for (const priority of [1, 50, 149]) {
      const lan = new SimulatedLan();
      lan.add("lb1", configuration([instance({ priority: 150 })]), { eth0: ip("10.9.0.1") });
      lan.add("lb2", configuration([instance({ priority })]), { eth0: ip("10.9.0.2") });
      lan.start("lb1");
      lan.start("lb2");
      lan.run(seconds(5));
      lan.stop("lb1");
      for (let n = 0; n < 1_500; n++) {
        lan.run(seconds(0.001));
        assert.notEqual(lan.holders(VIP).length, 0);
      }
      assert.deepEqual(lan.holders(VIP), ["lb2"]);
    }
  });
});

describe("An address", () => {
  it("is refreshed often enough that two refreshes may be late", () => {
    const { addressLifetime, addressRefresh } = DEFAULT_HOST_PARAMETERS;
    assert.ok(addressLifetime >= 3 * addressRefresh);
  });

  it("is refreshed while its master leaves", () => {
    const machine = new Machine({ version: 3, advertInterval: seconds(10) });
    machine.start();
    machine.wait(seconds(40));
    machine.feed({ type: "stop" });
    assert.equal(of(machine.wait(seconds(2.9)), "refresh-addresses").length, 3);
  });

  it("that ran out in a short pause is announced again, and its loss is nobody's doing", () => {
    // Three intervals of ten seconds: others would not have missed this master yet.
    const garp = { ...instance().garp, masterDelay: seconds(0) };
    const machine = new Machine({ priority: 150, advertInterval: seconds(10), garp });
    machine.start();
    machine.wait(seconds(31));
    machine.feed({ type: "address", interface: "eth0", address: VIP, present: true });
    machine.freeze(seconds(6));
    const woke = machine.feed({ type: "timer" });
    assert.deepEqual(deeds(woke).slice(0, 2), ["refresh 10.9.0.50", "arp 10.9.0.50"]);
    machine.feed({ type: "address", interface: "eth0", address: VIP, present: false });
    assert.equal(machine.is, "MASTER");
    machine.feed({ type: "address", interface: "eth0", address: VIP, present: true });
    machine.wait(seconds(2));
    machine.feed({ type: "address", interface: "eth0", address: VIP, present: false });
    assert.equal(machine.is, "BACKUP");
  });

  it("that ran out in a short pause is added again when its loss is the first news", () => {
    const machine = new Machine({ priority: 150, advertInterval: seconds(10) });
    machine.start();
    machine.wait(seconds(31));
    machine.feed({ type: "address", interface: "eth0", address: VIP, present: true });
    machine.freeze(seconds(6));
    const lost = machine.feed({ type: "address", interface: "eth0", address: VIP, present: false });
    assert.equal(deeds(lost)[0], "refresh 10.9.0.50");
    assert.equal(machine.is, "MASTER");
  });
});

describe("A master that did not run for longer than others wait for it", () => {
  const pause = (machine: Machine, span: Duration) => {
    machine.freeze(span);
    return machine;
  };

  it("is a backup when it wakes, and says how late it was", () => {
    const machine = pause(master(), seconds(5));
    const woke = machine.feed({ type: "timer" });
    assert.match(lines(woke)[0] ?? "", /^A thread timer expired 4\.\d{6} seconds ago$/);
    assert.equal(of(woke, "send-advert").length, 0);
    assert.equal(machine.is, "BACKUP");
    assert.equal(machine.due, 3.414063);
  });

  it("is one before it looks at anything else: it does not fight its successor", () => {
    const machine = pause(master(), seconds(5));
    const heard = machine.hear(100);
    assert.equal(of(heard, "send-advert").length, 0);
    assert.equal(machine.is, "BACKUP");
  });

  it("stays master after a shorter pause", () => {
    const machine = pause(master(), seconds(2));
    machine.feed({ type: "timer" });
    assert.equal(machine.is, "MASTER");
  });
});

describe("Gratuitous ARP", () => {
  const arps = (machine: Machine, span: Duration) => {
    const from = machine.told.length;
    machine.wait(span);
    return machine.told
      .slice(from)
      .flatMap(({ at, output }) => (output.type === "gratuitous-arp" ? [`${at / 1_000_000} ${output.address}`] : []));
  };
  const garp = instance().garp;

  it("is repeated once after garp_master_delay, and not at all with 0", () => {
    const machine = new Machine({ garp: { ...garp, masterRepeat: 1, masterDelay: seconds(2) } });
    machine.start();
    assert.deepEqual(arps(machine, seconds(20)), ["3.609375 10.9.0.50", "5.609375 10.9.0.50"]);
    const once = new Machine({ garp: { ...garp, masterRepeat: 1, masterDelay: seconds(0) } });
    once.start();
    assert.deepEqual(arps(once, seconds(20)), ["3.609375 10.9.0.50"]);
  });

  it("is repeated for ever under garp_master_refresh, until somebody else is master", () => {
    const machine = new Machine({
      garp: { ...garp, masterRepeat: 1, masterDelay: seconds(0), masterRefresh: seconds(10), masterRefreshRepeat: 2 },
    });
    machine.start();
    assert.deepEqual(arps(machine, seconds(25)), [
      "3.609375 10.9.0.50",
      "13.609375 10.9.0.50",
      "13.609375 10.9.0.50",
      "23.609375 10.9.0.50",
      "23.609375 10.9.0.50",
    ]);
    machine.hear(200);
    machine.hear(200);
    assert.deepEqual(arps(machine, seconds(3)), []);
  });

  it("keeps garp_interval between two frames on one interface, in the order of the rounds", () => {
    const machine = new Machine({
      virtualAddresses: [vip("10.9.0.50"), vip("10.9.0.51")],
      garp: { ...garp, masterRepeat: 2, masterDelay: seconds(0), interval: seconds(0.1) },
    });
    machine.start();
    assert.deepEqual(arps(machine, seconds(5)), [
      "3.609375 10.9.0.50",
      "3.709375 10.9.0.51",
      "3.809375 10.9.0.50",
      "3.909375 10.9.0.51",
    ]);
  });

  it("keeps the gap of a garp_group between frames on any of its interfaces, whatever the instance says", () => {
    const vmac = { interface: "vrrp.5", mac: undefined, transmitOnBase: false };
    const of = instance({
      ...{
        vmac,
        virtualAddresses: [vip("10.9.0.50", { interface: "vrrp.5" }), vip("10.9.1.50", { interface: "eth1" })],
      },
      excludedAddresses: [vip("10.9.2.50", { interface: "eth2" }), vip("10.9.0.51", { interface: "vrrp.5" })],
      garp: { ...garp, masterRepeat: 2, masterDelay: seconds(0), interval: seconds(9) },
    });
    const garpGroups = [{ interfaces: ["eth1", "eth0"], interval: seconds(0.1), neighbourInterval: seconds(0) }];
    const machine = new Machine(configuration([of], { global: { garpGroups } }));
    const names = ["eth0", "eth1", "eth2", "vrrp.5"];
    const interfaces = names.map((name) => ({ name, up: true, addresses: [ip("10.9.0.1")] }));
    machine.feed({ type: "start", interfaces });
    assert.deepEqual(arps(machine, seconds(5)), [
      "3.609375 10.9.0.50",
      "3.609375 10.9.2.50",
      "3.709375 10.9.1.50",
      "3.809375 10.9.0.51",
      "3.909375 10.9.0.50",
      "4.009375 10.9.1.50",
      "4.109375 10.9.0.51",
    ]);
  });

  it("does not pile up when more is to be said than garp_interval lets through", () => {
    const machine = new Machine({
      garp: { ...garp, masterRefresh: seconds(1), masterRefreshRepeat: 100, interval: seconds(60) },
    });
    machine.start();
    machine.wait(seconds(200));
    assert.equal(machine.state.announcements[0]?.waiting.length, 10_000);
  });

  it("drops what still waits when the router is no longer master", () => {
    const machine = new Machine({ garp: { ...garp, interval: seconds(0.5) } });
    machine.start();
    machine.wait(seconds(4));
    machine.hear(200);
    assert.deepEqual(arps(machine, seconds(3)), []);
  });
});
