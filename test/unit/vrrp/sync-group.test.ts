/** `vrrp_sync_group`: its members move together, on one host and between two. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import type { VrrpConfiguration, VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { SimulatedLan } from "../../support/simulated-lan.ts";
import { configuration, group, instance, ip, script, vip } from "../../support/vrrp-configuration.ts";
import { deeds, lines, Machine, of } from "../../support/vrrp-machine.ts";

const inner = (more: Partial<VrrpInstance> = {}) =>
  instance({
    name: "INT",
    interface: "eth1",
    virtualRouterId: 2,
    virtualAddresses: [vip("10.9.1.50", { interface: "eth1" })],
    ...more,
  });

const pair = (priority: number, more: Partial<VrrpConfiguration> = {}): VrrpConfiguration =>
  configuration([instance({ name: "EXT", virtualRouterId: 1, priority }), inner({ priority })], {
    syncGroups: [group("G", ["EXT", "INT"])],
    ...more,
  });

const states = (machine: Machine) => [machine.instance("EXT").state, machine.instance("INT").state];

function started(of = pair(100)): Machine {
  const machine = new Machine(of);
  machine.start();
  return machine;
}

describe("A sync group on one host", () => {
  it("becomes master in one go when the last of its members may", () => {
    const machine = started();
    machine.wait(seconds(1));
    machine.hear(200, "10.9.1.2", {
      interface: "eth1",
      virtualRouterId: 2,
      virtualAddresses: inner().virtualAddresses,
    });
    machine.wait(seconds(3));
    assert.deepEqual(states(machine), ["BACKUP", "BACKUP"]);
    const became = machine.wait(seconds(1));
    assert.deepEqual(states(machine), ["MASTER", "MASTER"]);
    const order = deeds(became).filter((deed) => /advert|→|notify/.test(deed));
    assert.deepEqual(order, [
      "advert INT 100",
      "INT BACKUP→MASTER",
      "notify INSTANCE INT MASTER 100",
      "advert EXT 100",
      "EXT BACKUP→MASTER",
      "notify INSTANCE EXT MASTER 100",
      "G BACKUP→MASTER",
      "notify GROUP G MASTER 0",
    ]);
  });

  it("does not count a member as ready that has heard a master again", () => {
    const machine = started();
    machine.wait(seconds(2));
    const theirs = { interface: "eth1", virtualRouterId: 2, virtualAddresses: inner().virtualAddresses };
    machine.hear(200, "10.9.1.2", theirs);
    machine.wait(seconds(2));
    machine.hear(200, "10.9.0.2");
    machine.hear(0, "10.9.1.2", theirs);
    machine.wait(seconds(1));
    assert.deepEqual(states(machine), ["BACKUP", "BACKUP"]);
    machine.wait(seconds(3));
    assert.deepEqual(states(machine), ["MASTER", "MASTER"]);
  });

  it("says once that a member's wait is over, however long the others take", () => {
    const machine = started();
    for (let n = 0; n < 10; n++) {
      machine.hear(200, "10.9.1.2", {
        interface: "eth1",
        virtualRouterId: 2,
        virtualAddresses: inner().virtualAddresses,
      });
      machine.wait(seconds(1));
    }
    const said = machine.told.filter(({ output }) => output.type === "log" && output.line.includes("timeout"));
    assert.deepEqual(lines(said.map(({ output }) => output)), ["(EXT) Receive advertisement timeout"]);
  });

  it("gives way as a whole", () => {
    const machine = started();
    machine.wait(seconds(4));
    const said = machine.hear(200, "10.9.0.2");
    assert.deepEqual(states(machine), ["BACKUP", "BACKUP"]);
    assert.ok(lines(said).includes("VRRP_Group(G) Syncing instances to BACKUP state"));
    assert.equal(of(said, "send-advert").length, 0);
    assert.deepEqual(
      of(said, "remove-address").map(({ address }) => address.address),
      ["10.9.0.50", "10.9.1.50"],
    );
  });

  it("goes to FAULT as a whole, and only the member that began says aloud that it gives up", () => {
    const machine = started();
    machine.wait(seconds(4));
    const said = machine.feed({ type: "link", interface: "eth1", up: false });
    assert.deepEqual(lines(said), [
      "Netlink reports eth1 down",
      "(INT) Entering FAULT STATE",
      "(INT) sent 0 priority",
      "(INT) removing VIPs.",
      "VRRP_Group(G) Syncing instances to FAULT state",
      "(EXT) Entering FAULT STATE",
      "(EXT) removing VIPs.",
    ]);
    assert.deepEqual(
      of(said, "send-advert").map(({ instance: name, priority }) => [name, priority]),
      [
        ["INT", 0],
        ["EXT", 0],
      ],
    );
    assert.equal(machine.instance("EXT").cause, "eth1 went down → INT FAULT → group G");
  });

  it("gives up as a whole when one address is taken away, and is back after its skew", () => {
    const machine = started();
    machine.wait(seconds(4));
    machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.50"), present: true });
    const said = machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.50"), present: false });
    assert.deepEqual(
      of(said, "send-advert").map(({ instance: name, priority }) => [name, priority]),
      [
        ["EXT", 0],
        ["INT", 0],
      ],
    );
    assert.equal(lines(said).filter((line) => line.endsWith("sent 0 priority")).length, 1);
    machine.wait(seconds(0.61));
    assert.deepEqual(states(machine), ["MASTER", "MASTER"]);
  });

  it("waits for its successors as long as the slowest of its members has to", () => {
    const machine = started(
      configuration(
        [
          instance({ name: "EXT", version: 3, advertInterval: seconds(0.1) }),
          inner({ version: 3, advertInterval: seconds(1) }),
        ],
        { syncGroups: [group("G", ["EXT", "INT"])] },
      ),
    );
    machine.wait(seconds(6));
    assert.deepEqual(states(machine), ["MASTER", "MASTER"]);
    machine.feed({ type: "stop" });
    machine.wait(seconds(1));
    assert.deepEqual(states(machine), ["MASTER", "MASTER"]);
    machine.wait(seconds(0.2));
    assert.deepEqual(states(machine), ["STOP", "STOP"]);
  });

  it("comes back only when the last fault is over", () => {
    const machine = started();
    for (const name of ["eth0", "eth1"]) machine.feed({ type: "link", interface: name, up: false });
    machine.feed({ type: "link", interface: "eth0", up: true });
    assert.deepEqual(states(machine), ["FAULT", "FAULT"]);
    machine.feed({ type: "link", interface: "eth1", up: true });
    assert.deepEqual(states(machine), ["BACKUP", "BACKUP"]);
  });

  it("starts in FAULT as a whole", () => {
    const machine = new Machine(pair(100));
    machine.feed({ type: "start", interfaces: [{ name: "eth0", up: true, addresses: [ip("10.9.0.1")] }] });
    assert.deepEqual(states(machine), ["FAULT", "FAULT"]);
  });

  it("waits for the first result of a script that one of its members, or the group, depends on", () => {
    const trackers = { trackScripts: [{ script: "chk", weight: 0, reverse: false }] };
    const machine = started(
      pair(100, { scripts: [script("chk")], syncGroups: [group("G", ["EXT", "INT"], trackers)] }),
    );
    assert.deepEqual(states(machine), ["INIT", "INIT"]);
    assert.deepEqual(machine.instance("EXT").faults, ["script chk has not reported yet"]);
    machine.feed({ type: "script-result", script: "chk", outcome: { type: "exited", status: 0 } });
    assert.deepEqual(states(machine), ["BACKUP", "BACKUP"]);
    machine.feed({ type: "script-result", script: "chk", outcome: { type: "exited", status: 1 } });
    assert.deepEqual(states(machine), ["FAULT", "FAULT"]);
  });

  it("leaves as a whole: priority 0 on both at once, and the group's STOP after its members'", () => {
    const machine = started();
    machine.wait(seconds(4));
    const said = machine.feed({ type: "stop" });
    assert.deepEqual(deeds(said), ["advert EXT 0", "advert INT 0"]);
    const rest = deeds(machine.wait(seconds(2))).filter((deed) => /→|notify|stopped/.test(deed));
    assert.deepEqual(rest, [
      "EXT MASTER→STOP",
      "notify INSTANCE EXT STOP 100",
      "INT MASTER→STOP",
      "notify INSTANCE INT STOP 100",
      "G MASTER→STOP",
      "notify GROUP G STOP 0",
      "stopped",
    ]);
  });
});

describe("A sync group on two hosts", () => {
  const own = (number: number) => ({ eth0: ip(`10.9.0.${number}`), eth1: ip(`10.9.1.${number}`) });
  const BOTH = ["10.9.0.50", "10.9.1.50"];

  function twoHosts(seed = 1): SimulatedLan {
    const lan = new SimulatedLan({ seed });
    lan.add("lb1", pair(100), own(1));
    lan.add("lb2", pair(49), own(2));
    lan.start("lb1");
    lan.start("lb2");
    lan.run(seconds(5));
    return lan;
  }

  const holder = (lan: SimulatedLan) => BOTH.map((address) => lan.holders(address).join(" "));

  it("has both addresses on the better host", () => {
    assert.deepEqual(holder(twoHosts()), ["lb1", "lb1"]);
  });

  it("moves both when one link of the master goes down, and back when it returns", () => {
    const lan = twoHosts();
    lan.setLink("lb1", "eth0", false);
    lan.run(seconds(4.5));
    assert.deepEqual(holder(lan), ["lb2", "lb2"]);
    const last = lan.outputs("lb2", "send-advert").at(-1);
    assert.equal(last?.output.priority, 49);
    lan.setLink("lb1", "eth0", true);
    lan.run(seconds(4.5));
    assert.deepEqual(holder(lan), ["lb1", "lb1"]);
  });

  it("moves both on a clean stop without a moment in which nobody answers", () => {
    const lan = twoHosts();
    lan.stop("lb1");
    for (let n = 0; n < 2_000; n++) {
      lan.run(seconds(0.001));
      for (const held of holder(lan)) assert.notEqual(held, "");
    }
    assert.deepEqual(holder(lan), ["lb2", "lb2"]);
  });

  it("moves both when the master is killed or frozen, within the lifetime of its addresses", () => {
    for (const end of ["kill", "freeze"] as const) {
      const lan = twoHosts();
      lan[end]("lb1");
      lan.run(seconds(5));
      assert.deepEqual(holder(lan), ["lb2", "lb2"]);
    }
  });

  it("has them together whatever the order of packets", () => {
    for (let seed = 0; seed < 20; seed++) {
      const lan = twoHosts(seed);
      lan.loss = 0.4;
      for (let n = 0; n < 20; n++) {
        lan.run(seconds(0.7));
        for (const name of lan.names()) {
          assert.equal(lan.instance(name, "EXT").state, lan.instance(name, "INT").state);
        }
      }
    }
  });
});

describe("Two sync groups that are both configured as owners", () => {
  // Both hosts take everything at the same moment; each hears of the other on another LAN first.
  for (const seed of [-367315852, 1, 2, 3, 4, 5]) {
    it(`agree on one of them within a master-down interval (seed ${seed})`, () => {
      const lan = new SimulatedLan({ seed });
      lan.add("lb1", pair(255), { eth0: ip("10.9.0.1"), eth1: ip("10.9.1.1") });
      lan.add("lb2", pair(255), { eth0: ip("10.9.0.2"), eth1: ip("10.9.1.2") });
      for (const name of lan.names()) lan.start(name);
      lan.run(seconds(5));
      assert.deepEqual([lan.masters("EXT"), lan.masters("INT")], [["lb2"], ["lb2"]]);
      for (const name of lan.names()) {
        const priorities = ["EXT", "INT"].map((one) => lan.instance(name, one).effectivePriority);
        assert.deepEqual(priorities, [254, 254]);
        assert.equal(lan.log(name).filter((line) => line.includes("CONFIGURATION ERROR")).length, 1);
      }
    });
  }
});
