/** Scripts and links: what they do to the priority, and when they take a router out (keepalived.conf(5)). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import type { SyncGroup, VrrpInstance, VrrpScript } from "../../../src/config/model/vrrp.ts";
import type { ScriptOutcome } from "../../../src/vrrp/messages.ts";
import { configuration, group, instance, ip, script, vip } from "../../support/vrrp-configuration.ts";
import { deeds, lines, Machine } from "../../support/vrrp-machine.ts";

const exited = (status: number): ScriptOutcome => ({ type: "exited", status });

function tracking(
  weight: number,
  more: Partial<VrrpScript> = {},
  router: Partial<VrrpInstance> = {},
  syncGroups: readonly SyncGroup[] = [],
): Machine {
  const tracker = { script: "chk", weight, reverse: more.reverse ?? false };
  const machine = new Machine(
    configuration([instance({ priority: 150, trackScripts: [tracker], ...router })], {
      scripts: [script("chk", { weight, ...more })],
      syncGroups,
    }),
  );
  machine.start();
  return machine;
}

const result = (machine: Machine, outcome: ScriptOutcome) => {
  machine.wait(seconds(1));
  return machine.feed({ type: "script-result", script: "chk", outcome });
};

describe("A script", () => {
  it("is run at the start and once an interval, for no longer than its time-out", () => {
    const machine = tracking(10, { interval: seconds(2), timeout: seconds(5) });
    const first = machine.wait(seconds(0));
    assert.deepEqual(
      first.map((output) => output.type === "run-script" && output.timeout),
      [seconds(5)],
    );
    machine.feed({ type: "script-result", script: "chk", outcome: exited(0) });
    assert.deepEqual(deeds(machine.wait(seconds(1.9))), []);
    machine.hear(200);
    machine.hear(0);
    assert.deepEqual(deeds(machine.wait(seconds(0.2))), ["run chk"]);
  });

  it("is not run because something else is due", () => {
    const machine = tracking(10, { interval: seconds(60) }, { advertInterval: seconds(1) });
    machine.wait(seconds(0));
    machine.feed({ type: "script-result", script: "chk", outcome: exited(0) });
    assert.ok(!deeds(machine.wait(seconds(20))).includes("run chk"));
  });

  it("is not run again while it runs", () => {
    const machine = tracking(10);
    machine.wait(seconds(0));
    const second = machine.wait(seconds(1));
    assert.deepEqual(deeds(second), []);
    assert.deepEqual(lines(second), ["Track script chk is already running, expect idle - skipping run"]);
  });

  it("is believed at once the first time, good or bad", () => {
    for (const [status, state] of [[0, "BACKUP"] as const, [1, "FAULT"] as const]) {
      const machine = tracking(0, { rise: 3, fall: 3 });
      assert.equal(machine.is, "INIT");
      result(machine, exited(status));
      assert.equal(machine.is, state);
    }
  });

  it("then needs fall failures in a row, and rise successes in a row", () => {
    const machine = tracking(0, { rise: 2, fall: 3 });
    const good = [0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 0].map((status) => {
      result(machine, exited(status));
      return machine.instance().faults.length === 0 ? "+" : "-";
    });
    assert.equal(good.join(""), "++++++----+");
  });

  it("fails by its exit status, by a signal, by its time-out, and when it cannot be started", () => {
    const said: readonly [ScriptOutcome, string[]][] = [
      [exited(3), ["Script `chk` now returning 3", "VRRP_Script(chk) failed (exited with status 3)"]],
      [{ type: "signal", signal: 9 }, ["VRRP_Script(chk) failed (due to signal 9)"]],
      [{ type: "timeout" }, ["VRRP_Script(chk) timed_out"]],
      [{ type: "error", message: "no such file" }, ["VRRP_Script(chk) failed (no such file)"]],
    ];
    for (const [outcome, expected] of said) {
      const machine = tracking(-10);
      result(machine, exited(0));
      assert.deepEqual(lines(result(machine, outcome)).slice(0, expected.length), expected);
      assert.equal(machine.instance().effectivePriority, 140);
    }
  });

  it("starts as failed under init_fail", () => {
    assert.equal(tracking(0, { initFail: true }).is, "FAULT");
  });

  it("adds a positive weight while it is good and subtracts a negative one while it is bad", () => {
    const priorities = (weight: number, reverse = false) => {
      const machine = tracking(weight, { reverse });
      const seen = [machine.instance().effectivePriority];
      for (const status of [0, 1]) {
        result(machine, exited(status));
        seen.push(machine.instance().effectivePriority);
      }
      return seen;
    };
    assert.deepEqual(priorities(10), [150, 160, 150]);
    assert.deepEqual(priorities(-30), [150, 150, 120]);
    assert.deepEqual(priorities(10, true), [150, 140, 150], "as keepalived 2.2.7");
    assert.deepEqual(priorities(-30, true), [150, 150, 180], "as keepalived 2.2.7");
  });

  it("never moves the priority out of 1 to 254", () => {
    const up = tracking(253);
    result(up, exited(0));
    assert.equal(up.instance().effectivePriority, 254);
    const down = tracking(-253);
    result(down, exited(1));
    assert.equal(down.instance().effectivePriority, 1);
  });

  it("is the reason of the priority for as long as it weighs", () => {
    const machine = tracking(-30);
    result(machine, exited(0));
    assert.equal(machine.instance().priorityCause, undefined);
    result(machine, exited(1));
    assert.equal(machine.instance().priorityCause, "script chk exited with status 1");
    result(machine, exited(0));
    assert.equal(machine.instance().priorityCause, undefined);
  });

  it("never changes the priority of an owner", () => {
    const machine = tracking(-100, {}, { priority: 255 });
    result(machine, exited(1));
    assert.equal(machine.instance().effectivePriority, 255);
  });

  it("changes what a master advertises from its next advert on", () => {
    const machine = tracking(-30);
    result(machine, exited(0));
    machine.wait(seconds(3));
    assert.equal(machine.is, "MASTER");
    assert.deepEqual(deeds(result(machine, exited(1))), ["script chk failed"]);
    assert.ok(deeds(machine.wait(seconds(1))).includes("advert V 120"));
  });

  it("takes a master out with weight 0: priority 0, and all addresses", () => {
    const machine = tracking(0);
    result(machine, exited(0));
    machine.wait(seconds(4));
    const failed = result(machine, exited(1));
    assert.deepEqual(deeds(failed), [
      "script chk failed",
      "advert V 0",
      "remove-address 10.9.0.50",
      "V MASTER→FAULT",
      "notify INSTANCE V FAULT 150",
    ]);
    assert.deepEqual(machine.instance().faults, ["script chk exited with status 1"]);
  });

  it("lets it come back as a backup that waits its full time", () => {
    const machine = tracking(0);
    result(machine, exited(1));
    result(machine, exited(0));
    assert.equal(machine.is, "BACKUP");
    machine.wait(seconds(3.41));
    assert.equal(machine.is, "BACKUP");
    machine.wait(seconds(0.01));
    assert.equal(machine.is, "MASTER");
  });
});

describe("A script's result after a stop", () => {
  it("changes nothing", () => {
    const machine = tracking(-30);
    result(machine, exited(0));
    machine.wait(seconds(4));
    machine.feed({ type: "stop" });
    const late = machine.feed({ type: "script-result", script: "chk", outcome: exited(1) });
    assert.deepEqual(deeds(late), ["script chk failed"]);
    assert.equal(machine.instance().effectivePriority, 150);
  });
});

describe("A link", () => {
  const down = (machine: Machine, name: string, up = false) => machine.feed({ type: "link", interface: name, up });

  it("that is the router's own takes it out, unless dont_track_primary says otherwise", () => {
    const machine = new Machine();
    machine.start();
    assert.deepEqual(lines(down(machine, "eth0")), ["Netlink reports eth0 down", "(V) Entering FAULT STATE"]);
    const twice = new Machine({ trackInterfaces: [{ interface: "eth0", weight: 0, reverse: false }] });
    twice.start();
    down(twice, "eth0");
    assert.deepEqual(twice.instance().faults, ["eth0 went down"]);
    const careless = new Machine({ ignoreOwnLink: true });
    careless.start();
    down(careless, "eth0");
    assert.equal(careless.is, "BACKUP");
  });

  it("that is tracked takes it out with weight 0 and changes its priority with another", () => {
    const tracked = (weight: number, reverse = false) => {
      const machine = new Machine({ trackInterfaces: [{ interface: "eth1", weight, reverse }] });
      machine.start();
      down(machine, "eth1");
      return [machine.is, machine.instance().effectivePriority];
    };
    assert.deepEqual(tracked(0), ["FAULT", 100]);
    assert.deepEqual(tracked(-20), ["BACKUP", 80]);
    assert.deepEqual(tracked(-20, true), ["BACKUP", 120], "as keepalived 2.2.7");
  });

  it("of a virtual address takes it out whatever weight it is tracked with, unless the address says no_track", () => {
    const holder = (noTrack: boolean, more: Partial<VrrpInstance> = {}) => {
      const machine = new Machine({
        excludedAddresses: [vip("10.9.1.50", { interface: "eth1", noTrack })],
        trackInterfaces: [{ interface: "eth1", weight: -20, reverse: false }],
        ...more,
      });
      machine.start();
      down(machine, "eth1");
      return machine;
    };
    const machine = holder(false);
    assert.equal(machine.is, "FAULT");
    assert.deepEqual(machine.instance().faults, ["eth1 went down"]);
    down(machine, "eth1", true);
    assert.equal(machine.is, "BACKUP");
    assert.equal(holder(true).is, "BACKUP");
    const tracked = holder(false, { trackInterfaces: [{ interface: "eth1", weight: 0, reverse: false }] });
    assert.deepEqual(tracked.instance().faults, ["eth1 went down"], "said once");
    assert.equal(holder(false, { excludedAddresses: [vip("10.9.0.51")], ignoreOwnLink: true }).is, "BACKUP");
  });

  it("that is reported again unchanged is no news", () => {
    const machine = new Machine();
    machine.start();
    assert.deepEqual(down(machine, "eth0", true), []);
  });

  it("that is not there counts as down until it appears", () => {
    const machine = new Machine({ interface: "eth7" });
    machine.start();
    assert.equal(machine.is, "FAULT");
    machine.feed({ type: "address", interface: "eth7", address: ip("10.9.7.1"), present: true });
    assert.equal(machine.is, "FAULT");
    down(machine, "eth7", true);
    assert.equal(machine.is, "BACKUP");
  });
});

describe("The address that adverts come from", () => {
  it("takes the router out when it goes and lets it back when it returns", () => {
    const machine = new Machine();
    machine.start();
    const gone = machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.1"), present: false });
    assert.deepEqual(lines(gone), ["Deassigned address 10.9.0.1 from interface eth0", "(V) Entering FAULT STATE"]);
    const back = machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.1"), present: true });
    assert.deepEqual(lines(back), ["Assigned address 10.9.0.1 for interface eth0", "(V) Entering BACKUP STATE"]);
  });

  it("is still the source of the priority 0 that a master sends when it goes", () => {
    const machine = new Machine();
    machine.start();
    machine.wait(seconds(4));
    const gone = machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.1"), present: false });
    assert.equal(deeds(gone)[0], "advert V 0");
  });

  it("is followed when another one takes its place", () => {
    const machine = new Machine();
    machine.start([ip("10.9.0.8")]);
    machine.wait(seconds(4));
    machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.1"), present: false });
    const [advert] = machine.wait(seconds(1)).filter((output) => output.type === "send-advert");
    assert.equal(advert?.type === "send-advert" && advert.source, "10.9.0.8");
  });
});

describe("Weights of a member of a sync group", () => {
  it("do not count, unless sync_group_tracking_weight says so", () => {
    const plain = tracking(10, {}, {}, [group("G", ["V"])]);
    result(plain, exited(0));
    assert.equal(plain.instance().effectivePriority, 150);
    const weighted = tracking(10, {}, {}, [group("G", ["V"], { trackingWeight: true })]);
    result(weighted, exited(0));
    assert.equal(weighted.instance().effectivePriority, 160);
  });
});
