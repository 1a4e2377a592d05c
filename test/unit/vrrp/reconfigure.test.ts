/** SIGHUP: what is unchanged does not notice, and differences are applied. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import type { VirtualAddress, VrrpConfiguration, VrrpInstance } from "../../../src/config/model/vrrp.ts";
import type { Output } from "../../../src/vrrp/messages.ts";
import { readPacket } from "../../../src/vrrp/receive.ts";
import { judgeChecksum } from "../../../src/wire/vrrp.ts";
import { SimulatedLan } from "../../support/simulated-lan.ts";
import { configuration, group, instance, ip, script, vip } from "../../support/vrrp-configuration.ts";
import { deeds, lines, Machine, of } from "../../support/vrrp-machine.ts";

const A = (more: Partial<VrrpInstance> = {}) => instance({ name: "A", ...more });
const B = (more: Partial<VrrpInstance> = {}) =>
  instance({
    name: "B",
    interface: "eth1",
    virtualRouterId: 6,
    virtualAddresses: [vip("10.9.1.50", { interface: "eth1" })],
    ...more,
  });

function styleOf(packet: string): string {
  const received = readPacket(Uint8Array.fromHex(packet));
  assert(received);
  return judgeChecksum(received.payload, received);
}

function master(from: VrrpConfiguration): Machine {
  const machine = new Machine(from);
  machine.start();
  machine.wait(seconds(4));
  assert.equal(machine.is, "MASTER");
  return machine;
}

const reconfigured = (machine: Machine, next: VrrpConfiguration) =>
  machine.feed({ type: "reconfigure", configuration: structuredClone(next) });

describe("A new configuration", () => {
  it("that says the same changes nothing and does nothing", () => {
    const machine = master(configuration([A(), B()]));
    const before = JSON.stringify(machine.state);
    assert.deepEqual(reconfigured(machine, configuration([A(), B()])), []);
    assert.equal(JSON.stringify(machine.state), before);
  });

  it("adds and removes addresses of a master, and announces the new ones", () => {
    const garp = { ...instance().garp, masterRepeat: 1 };
    const machine = master(configuration([A({ garp, virtualAddresses: [vip("10.9.0.50"), vip("10.9.0.51")] })]));
    const next = configuration([A({ garp, virtualAddresses: [vip("10.9.0.50"), vip("10.9.0.52")] })]);
    assert.deepEqual(deeds(reconfigured(machine, next)), [
      "remove-address 10.9.0.51",
      "add-address 10.9.0.52",
      "arp 10.9.0.52",
    ]);
    assert.equal(machine.is, "MASTER");
    assert.deepEqual(deeds(machine.wait(seconds(0.7))), ["refresh 10.9.0.50 10.9.0.52", "advert A 100"]);
  });

  it("replaces an address whose prefix, label or interface has changed", () => {
    const machine = master(configuration([A()]));
    const next = configuration([A({ virtualAddresses: [vip("10.9.0.50", { label: "eth0:1" })] })]);
    assert.deepEqual(deeds(reconfigured(machine, next)).slice(0, 2), [
      "remove-address 10.9.0.50",
      "add-address 10.9.0.50",
    ]);
  });

  it("changes a priority without an election", () => {
    const machine = master(configuration([A({ priority: 100 })]));
    const said = reconfigured(machine, configuration([A({ priority: 50 })]));
    assert.deepEqual(lines(said), ["(A) Changing effective priority from 100 to 50"]);
    assert.equal(machine.is, "MASTER");
    assert.ok(deeds(machine.wait(seconds(1))).includes("advert A 50"));
  });

  it("advertises sooner when the interval is shorter", () => {
    const machine = master(configuration([A({ version: 3 })]));
    reconfigured(machine, configuration([A({ version: 3, advertInterval: seconds(0.1) })]));
    assert.equal(machine.due, 0.1);
  });

  it("makes a backup wait by a new interval", () => {
    const machine = new Machine(configuration([A({ version: 2 })]));
    machine.start();
    machine.wait(seconds(1));
    reconfigured(machine, configuration([A({ version: 2, advertInterval: seconds(2) })]));
    assert.equal(machine.due, 6.609375);
  });

  it("leaves a backup what it has learnt from a version 3 master", () => {
    const machine = new Machine(configuration([A({ version: 3 })]));
    machine.start();
    machine.hear(200, "10.9.0.2", { advertInterval: seconds(5) });
    reconfigured(machine, configuration([A({ version: 3, advertInterval: seconds(2) })]));
    assert.equal(machine.instance().masterAdvertInterval, seconds(5));
  });

  it("lets go of a router that it no longer has", () => {
    const machine = master(configuration([A(), B()]));
    const said = reconfigured(machine, configuration([B()]));
    assert.deepEqual(lines(said), ["(A) Entering FAULT STATE", "(A) sent 0 priority", "(A) removing VIPs."]);
    assert.deepEqual(deeds(said), [
      "advert A 0",
      "remove-address 10.9.0.50",
      "A MASTER→FAULT",
      "notify INSTANCE A FAULT 100",
    ]);
    assert.equal(machine.state.routers.length, 1);
    assert.equal(machine.instance("B").state, "MASTER");
  });

  it("starts a router that is new, as a backup", () => {
    const machine = master(configuration([A()]));
    const said = reconfigured(machine, configuration([A(), B()]));
    assert.deepEqual(lines(said), ["(B) removing VIPs.", "(B) Entering BACKUP STATE (init)"]);
    assert.equal(machine.is, "MASTER");
    machine.wait(seconds(4));
    assert.equal(machine.instance("B").state, "MASTER");
  });

  it("treats a router with another number, interface or version as another router", () => {
    for (const change of [{ virtualRouterId: 99 }, { interface: "eth1" }, { version: 3 as const }]) {
      const machine = master(configuration([A()]));
      reconfigured(machine, configuration([A(change)]));
      assert.equal(machine.is, "BACKUP");
    }
  });

  it("keeps a router that is called otherwise now", () => {
    const machine = master(configuration([A()]));
    assert.deepEqual(reconfigured(machine, configuration([A({ name: "X" })])), []);
    assert.equal(machine.instance("X").state, "MASTER");
    assert.ok(deeds(machine.wait(seconds(1))).includes("advert X 100"));
  });

  it("moves an address from one master to another without losing it", () => {
    const shared = vip("10.9.0.60");
    const machine = master(configuration([A(), A({ name: "C", virtualRouterId: 9, virtualAddresses: [shared] })]));
    const next = [
      A({ virtualAddresses: [vip("10.9.0.50"), shared] }),
      A({ name: "C", virtualRouterId: 9, virtualAddresses: [vip("10.9.0.61")] }),
    ];
    const moved = deeds(reconfigured(machine, configuration(next))).filter((deed) => deed.includes("-address"));
    assert.deepEqual(moved, ["remove-address 10.9.0.60", "add-address 10.9.0.60", "add-address 10.9.0.61"]);
  });

  it("swaps the addresses of two masters, of which keepalived 2.2.7 loses one", () => {
    const garp = { ...instance().garp, masterRepeat: 1, masterDelay: seconds(0) };
    const [one, other] = [vip("10.9.0.60"), vip("10.9.0.61")];
    const both = (a: VirtualAddress, c: VirtualAddress) =>
      configuration([
        A({ garp, virtualAddresses: [a] }),
        A({ garp, name: "C", virtualRouterId: 9, virtualAddresses: [c] }),
      ]);
    const lan = new SimulatedLan();
    lan.add("a", both(one, other), { eth0: ip("10.9.0.1") });
    lan.start("a");
    lan.run(seconds(4));
    lan.reconfigure("a", both(other, one));
    lan.run(seconds(2));
    assert.deepEqual(lan.held("a"), [
      { address: "10.9.0.61", instance: "A" },
      { address: "10.9.0.60", instance: "C" },
    ]);
    assert.deepEqual([lan.masters("A"), lan.masters("C")], [["a"], ["a"]]);
  });

  it("takes an address from a master for a router that is new, which has it when it is master", () => {
    const [kept, moved] = [vip("10.9.0.50"), vip("10.9.0.60")];
    const lan = new SimulatedLan();
    lan.add("a", configuration([A({ virtualAddresses: [kept, moved] })]), { eth0: ip("10.9.0.1") });
    lan.start("a");
    lan.run(seconds(4));
    const next = [A({ name: "N", virtualRouterId: 9, virtualAddresses: [moved] }), A({ virtualAddresses: [kept] })];
    lan.reconfigure("a", configuration(next));
    lan.run(seconds(2));
    assert.deepEqual(lan.held("a"), [{ address: "10.9.0.50", instance: "A" }]);
    lan.run(seconds(2));
    assert.deepEqual(lan.held("a"), [
      { address: "10.9.0.50", instance: "A" },
      { address: "10.9.0.60", instance: "N" },
    ]);
  });

  it("says from the next advert on what has changed in it, without losing a beat", () => {
    const before = A({ version: 3 });
    const peer = { address: ip("10.9.0.9"), minTtl: 0, maxTtl: 255 };
    const changes: [Partial<VrrpInstance>, (advert: Extract<Output, { type: "send-advert" }>) => unknown, unknown][] = [
      [{ unicastPeers: [peer] }, ({ destination }) => destination, "10.9.0.9"],
      [{ multicastGroup: ip("224.0.0.19") }, ({ destination }) => destination, "224.0.0.19"],
      [{ sourceAddress: ip("10.9.0.8") }, ({ source }) => source, "10.9.0.8"],
      [{ checksumWithoutPseudoHeader: true }, ({ packet }) => styleOf(packet), "valid-without-pseudo-header"],
      [{ priority: 7 }, ({ priority }) => priority, 7],
    ];
    for (const [change, what, expected] of changes) {
      const machine = master(configuration([before]));
      const due = machine.due;
      reconfigured(machine, configuration([{ ...before, ...change }]));
      assert.equal(machine.due, due);
      const [advert] = of(machine.wait(seconds(1)), "send-advert");
      assert(advert);
      assert.equal(what(advert), expected);
    }
  });

  it("moves the addresses of a master to its new macvlan", () => {
    const machine = master(configuration([A()]));
    machine.feed({ type: "link", interface: "vrrp.5", up: true });
    const vmac = { interface: "vrrp.5", mac: undefined, transmitOnBase: false };
    const next = A({ vmac, virtualAddresses: [vip("10.9.0.50", { interface: "vrrp.5" })] });
    const said = reconfigured(machine, configuration([next]));
    assert.deepEqual(
      said.flatMap((output) =>
        output.type === "add-address" || output.type === "remove-address"
          ? [`${output.type} ${output.address.interface}`]
          : [],
      ),
      ["remove-address eth0", "add-address vrrp.5"],
    );
    const adverts = of(machine.wait(seconds(1)), "send-advert");
    assert.deepEqual([machine.is, adverts[0]?.interface, adverts[0]?.source], ["MASTER", "vrrp.5", "10.9.0.1"]);
  });

  it("leaves routers alone that it does not speak of", () => {
    const machine = master(configuration([A(), B()]));
    const before = JSON.stringify(machine.state.routers.find(({ name }) => name === "B"));
    reconfigured(machine, configuration([A({ priority: 7, virtualAddresses: [vip("10.9.0.77")] }), B()]));
    assert.equal(JSON.stringify(machine.state.routers.find(({ name }) => name === "B")), before);
    reconfigured(machine, configuration([B()]));
    assert.equal(JSON.stringify(machine.state.routers.find(({ name }) => name === "B")), before);
  });

  it("says nothing when an address that is virtual no more is gone", () => {
    const machine = master(configuration([A(), B()]));
    const [eth1] = [{ type: "address", interface: "eth1", address: ip("10.9.1.50") } as const];
    machine.feed({ ...eth1, present: true });
    reconfigured(machine, configuration([A()]));
    assert.deepEqual(machine.feed({ ...eth1, present: false }), []);
  });

  it("keeps what scripts have found out", () => {
    const tracked = A({ trackScripts: [{ script: "chk", weight: 0, reverse: false }] });
    const machine = new Machine(configuration([tracked], { scripts: [script("chk")] }));
    machine.start();
    machine.feed({ type: "script-result", script: "chk", outcome: { type: "exited", status: 0 } });
    machine.wait(seconds(4));
    const said = reconfigured(
      machine,
      configuration([tracked], { scripts: [script("chk", { interval: seconds(9) })] }),
    );
    assert.deepEqual(lines(said), ["VRRP_Script(chk) considered successful on reload"]);
    assert.equal(machine.is, "MASTER");
    assert.equal(machine.due, 0);
  });

  it("does not stop a master for a script that has yet to run", () => {
    const machine = master(configuration([A()]));
    const tracked = A({ trackScripts: [{ script: "chk", weight: 0, reverse: false }] });
    reconfigured(machine, configuration([tracked], { scripts: [script("chk")] }));
    assert.equal(machine.is, "MASTER");
    machine.feed({ type: "script-result", script: "chk", outcome: { type: "exited", status: 1 } });
    assert.equal(machine.is, "FAULT");
  });

  it("lets a new member of a sync group join it as a master", () => {
    const machine = master(configuration([A()]));
    reconfigured(machine, configuration([A(), B()], { syncGroups: [group("G", ["A", "B"])] }));
    assert.equal(machine.is, "MASTER");
    assert.equal(machine.instance("B").state, "MASTER");
  });

  it("lets a new member join when the script that it depends on has reported", () => {
    const machine = master(configuration([A()]));
    const tracked = B({ trackScripts: [{ script: "chk", weight: 0, reverse: false }] });
    reconfigured(
      machine,
      configuration([A(), tracked], { scripts: [script("chk")], syncGroups: [group("G", ["A", "B"])] }),
    );
    assert.deepEqual([machine.is, machine.instance("B").state], ["MASTER", "INIT"]);
    machine.feed({ type: "script-result", script: "chk", outcome: { type: "exited", status: 0 } });
    assert.deepEqual([machine.is, machine.instance("B").state], ["MASTER", "MASTER"]);
  });

  it("lets a sync group follow a new member that is in FAULT", () => {
    const machine = master(configuration([A()]));
    machine.feed({ type: "link", interface: "eth1", up: false });
    reconfigured(machine, configuration([A(), B()], { syncGroups: [group("G", ["A", "B"])] }));
    assert.equal(machine.is, "FAULT");
    reconfigured(machine, configuration([A(), B()]));
    assert.equal(machine.is, "BACKUP");
    assert.equal(machine.instance("B").state, "FAULT");
  });

  it("forgets a conflict between owners when the priority is corrected", () => {
    const machine = new Machine(configuration([A({ priority: 255 })]));
    machine.start();
    machine.wait(seconds(1));
    machine.hear(255);
    assert.equal(machine.instance().effectivePriority, 254);
    reconfigured(machine, configuration([A({ priority: 120 })]));
    assert.equal(machine.instance().effectivePriority, 120);
  });

  it("that comes before the start is the one that is started", () => {
    const machine = new Machine(configuration([A()]));
    reconfigured(machine, configuration([B()]));
    machine.feed({ type: "start", interfaces: [{ name: "eth1", up: true, addresses: [ip("10.9.1.1")] }] });
    assert.equal(machine.instance("B").state, "BACKUP");
  });
});
