/** Virtual routes and rules, what others take away from a master (`on_vip_loss`), and who is told of what. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import type { ScriptCommand, VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { configuration, instance, ip, NO_NOTIFY, route, rule, vip } from "../../support/vrrp-configuration.ts";
import { deeds, lines, Machine, of } from "../../support/vrrp-machine.ts";

const NO_ARP = { ...instance().garp, masterRepeat: 1, masterDelay: seconds(0) };
const ROUTES = {
  virtualRoutes: [route("10.20.0.0/16"), route("10.30.0.0/16")],
  virtualRules: [rule("10.9.0.50/32", 100), rule("10.9.0.51/32", 101)],
};

function master(more: Partial<VrrpInstance> = {}): Machine {
  const machine = new Machine(configuration([instance({ garp: NO_ARP, ...more })]));
  machine.start();
  machine.wait(seconds(4));
  machine.feed({ type: "address", interface: "eth0", address: ip("10.9.0.50"), present: true });
  assert.equal(machine.is, "MASTER");
  return machine;
}

const lose = (machine: Machine, by?: string) => {
  const gone = { type: "address", interface: "eth0", address: ip("10.9.0.50") } as const;
  machine.feed({ ...gone, present: true });
  return machine.feed({ ...gone, present: false, ...(by === undefined ? {} : { by }) });
};

describe("Virtual routes and rules", () => {
  const excludedAddresses = [vip("10.9.0.60")];

  it("are added after the addresses and removed before them, in the opposite order", () => {
    const machine = new Machine(configuration([instance({ garp: NO_ARP, excludedAddresses, ...ROUTES })]));
    machine.start();
    const taken = deeds(machine.wait(seconds(4))).filter((deed) => /address|route|rule|advert/.test(deed));
    assert.deepEqual(taken, [
      "add-address 10.9.0.50",
      "add-address 10.9.0.60",
      "add-route 10.20.0.0/16 dev eth0",
      "add-route 10.30.0.0/16 dev eth0",
      "add-rule from 10.9.0.50/32 table 100",
      "add-rule from 10.9.0.51/32 table 101",
      "advert V 100",
    ]);
    const gone = deeds(machine.hear(200));
    assert.deepEqual(gone.slice(0, 6), [
      "remove-rule from 10.9.0.51/32 table 101",
      "remove-rule from 10.9.0.50/32 table 100",
      "remove-route 10.30.0.0/16 dev eth0",
      "remove-route 10.20.0.0/16 dev eth0",
      "remove-address 10.9.0.50",
      "remove-address 10.9.0.60",
    ]);
  });

  it("that an earlier process left are removed at a start", () => {
    const machine = new Machine(configuration([instance(ROUTES)]));
    const said = deeds(machine.start());
    assert.equal(said.filter((deed) => /remove-r/.test(deed)).length, 4);
  });

  it("are held while a master leaves, until its successor speaks", () => {
    const machine = master(ROUTES);
    assert.ok(deeds(machine.feed({ type: "stop" })).every((deed) => !deed.includes("remove")));
    assert.ok(deeds(machine.hear(90)).includes("remove-route 10.20.0.0/16 dev eth0"));
  });

  it("make a master give up when somebody else removes one", () => {
    for (const what of ["10.20.0.0/16 dev eth0", "from 10.9.0.51/32 table 101"]) {
      const machine = master(ROUTES);
      const said = machine.feed({ type: "route-lost", instance: "V", what, by: "NetworkManager" });
      assert.equal(machine.is, "BACKUP");
      assert.equal(of(said, "state")[0]?.cause, `${what} was removed by NetworkManager`);
      assert.deepEqual(deeds(said)[0], `V lost ${what}: failed over`);
    }
  });

  it("do not when they say no_track, are no more configured, or the router is no master", () => {
    const lost = (machine: Machine, what: string) => machine.feed({ type: "route-lost", instance: "V", what });
    const machine = master({ virtualRoutes: [route("10.20.0.0/16", { noTrack: true })] });
    assert.deepEqual(lost(machine, "10.20.0.0/16 dev eth0"), []);
    assert.deepEqual(lost(machine, "10.99.0.0/16 dev eth0"), []);
    assert.deepEqual(machine.feed({ type: "route-lost", instance: "W", what: "10.20.0.0/16 dev eth0" }), []);
    const backup = new Machine(configuration([instance(ROUTES)]));
    backup.start();
    assert.deepEqual(lost(backup, "10.20.0.0/16 dev eth0"), []);
  });

  it("come back with the link under dont_track_primary", () => {
    const machine = master({ ...ROUTES, ignoreOwnLink: true });
    machine.feed({ type: "link", interface: "eth0", up: false });
    assert.equal(machine.is, "MASTER");
    const said = deeds(machine.feed({ type: "link", interface: "eth0", up: true }));
    assert.deepEqual(
      said.filter((deed) => deed.startsWith("add")),
      [...ROUTES.virtualRoutes, ...ROUTES.virtualRules].map(({ written }) =>
        written.startsWith("from") ? `add-rule ${written}` : `add-route ${written}`,
      ),
    );
  });

  it("change at a reload one by one", () => {
    const machine = master(ROUTES);
    const [first, second] = ROUTES.virtualRoutes;
    assert(first && second);
    const next = instance({
      garp: NO_ARP,
      virtualRoutes: [second, route("10.40.0.0/16")],
      virtualRules: ROUTES.virtualRules.slice(1),
    });
    const due = machine.due;
    const said = deeds(machine.feed({ type: "reconfigure", configuration: configuration([next]) }));
    assert.deepEqual(said, [
      "remove-rule from 10.9.0.50/32 table 100",
      "remove-route 10.20.0.0/16 dev eth0",
      "add-route 10.40.0.0/16 dev eth0",
    ]);
    assert.equal(machine.due, due);
  });

  it("are known under the new name when an instance is renamed", () => {
    const machine = master(ROUTES);
    const next = instance({ garp: NO_ARP, name: "X", ...ROUTES });
    const said = machine.feed({ type: "reconfigure", configuration: configuration([next]) });
    assert.deepEqual(
      of(said, "add-route").map((output) => output.instance),
      ["X", "X"],
    );
    machine.feed({ type: "route-lost", instance: "X", what: "10.20.0.0/16 dev eth0" });
    assert.equal(machine.is, "BACKUP");
  });
});

describe("An address that somebody else takes from a master", () => {
  it("is named with who did it", () => {
    const machine = master();
    const said = lose(machine, "systemd-networkd");
    const [lost] = of(said, "virtual-address-lost");
    assert.deepEqual(lost, {
      type: "virtual-address-lost",
      instance: "V",
      what: "10.9.0.50",
      by: "systemd-networkd",
      reaction: "failed over",
    });
    assert.equal(of(said, "state")[0]?.cause, "10.9.0.50 was removed from eth0 by systemd-networkd");
  });

  it("is put back at once, and announced, under on_vip_loss restore", () => {
    const machine = master({ onVipLoss: "restore" });
    const said = lose(machine, "NetworkManager");
    assert.deepEqual(deeds(said), ["V lost 10.9.0.50: restored", "add-address 10.9.0.50", "arp 10.9.0.50"]);
    assert.equal(machine.is, "MASTER");
  });

  it("is put back five times in ten seconds, and then left to another router", () => {
    const machine = master({ onVipLoss: "restore" });
    for (let n = 0; n < 5; n++) {
      lose(machine);
      machine.wait(seconds(1));
      assert.equal(machine.is, "MASTER");
    }
    const [state] = of(lose(machine), "state");
    assert.equal(machine.is, "BACKUP");
    assert.equal(state?.cause, "10.9.0.50 was removed from eth0, 6 times in 10 s");
  });

  it("is put back any number of times when that is rare", () => {
    const machine = master({ onVipLoss: "restore" });
    for (let n = 0; n < 20; n++) {
      assert.equal(deeds(lose(machine))[0], "V lost 10.9.0.50: restored");
      machine.wait(seconds(2.1));
    }
  });

  it("is put back with all others when a program flushes them together", () => {
    const virtualAddresses = Array.from({ length: 20 }, (_, n) => vip(`10.9.0.${50 + n}`));
    const machine = master({ onVipLoss: "restore", virtualAddresses });
    const report = (present: boolean) =>
      virtualAddresses.flatMap(({ address }) => machine.feed({ type: "address", interface: "eth0", address, present }));
    report(true);
    assert.equal(of(report(false), "add-address").length, 20);
    assert.equal(machine.is, "MASTER");
  });

  it("on another interface is another address", () => {
    const machine = master();
    machine.feed({ type: "address", interface: "eth1", address: ip("10.9.0.50"), present: true });
    machine.feed({ type: "address", interface: "eth1", address: ip("10.9.0.50"), present: false });
    assert.equal(machine.is, "MASTER");
  });

  it("that was a route is put back as well", () => {
    const machine = master({ onVipLoss: "restore", ...ROUTES });
    const said = machine.feed({ type: "route-lost", instance: "V", what: "10.20.0.0/16 dev eth0" });
    assert.deepEqual(deeds(said), ["V lost 10.20.0.0/16 dev eth0: restored", "add-route 10.20.0.0/16 dev eth0"]);
  });
});

describe("Notifications", () => {
  const command = (name: string): ScriptCommand => ({ argv: [`/notify/${name}`], user: undefined });
  const removed = (deleted: VrrpInstance["notify"]["deleted"]) => {
    const notify = { ...NO_NOTIFY, fault: command("fault"), any: command("any"), deleted };
    const machine = master({ notify });
    const said = machine.feed({ type: "reconfigure", configuration: configuration([]) });
    return of(said, "notify").flatMap(({ state, commands }) => [state, ...commands.map(({ argv }) => argv.join(" "))]);
  };

  it("of an instance that is no longer configured say FAULT", () => {
    assert.deepEqual(removed(undefined), ["FAULT", "/notify/fault", "/notify/any INSTANCE V FAULT 100"]);
  });

  it("say DELETED under notify_deleted, by its script if it has one", () => {
    assert.deepEqual(removed("say-deleted"), ["DELETED", "/notify/any INSTANCE V DELETED 100"]);
    assert.deepEqual(removed(command("deleted")), ["DELETED", "/notify/deleted", "/notify/any INSTANCE V DELETED 100"]);
  });

  it("of a fault say FAULT, whatever notify_deleted is", () => {
    const machine = master({ notify: { ...NO_NOTIFY, deleted: "say-deleted" } });
    const [told] = of(machine.feed({ type: "link", interface: "eth0", up: false }), "notify");
    assert.equal(told?.state, "FAULT");
  });

  it("of a master with lower priority run notify_master_rx_lower_pri alone, after the answer to it", () => {
    const notify = { ...NO_NOTIFY, master: command("master"), any: command("any"), masterRxLowerPri: command("lower") };
    const machine = master({ notify });
    const said = machine.hear(50);
    const told = of(said, "notify");
    assert.deepEqual(
      told.map(({ state, commands }) => [state, commands]),
      [["MASTER_RX_LOWER_PRI", [command("lower")]]],
    );
    assert.equal(deeds(said).at(-1), "notify INSTANCE V MASTER_RX_LOWER_PRI 100");
  });

  it("of a flood of such adverts are as rare as the answers", () => {
    const machine = master();
    let told = 0;
    for (let n = 0; n < 1_000; n++) {
      told += of(machine.hear(50), "notify").length;
      machine.wait(seconds(0.001));
    }
    assert.equal(told, 10);
  });

  it("that two owners are one too many reach those that follow the priority", () => {
    const machine = master({ priority: 255, notifyPriorityChanges: true });
    const said = machine.hear(255);
    assert.deepEqual(of(said, "priority")[0], {
      type: "priority",
      instance: "V",
      from: 255,
      to: 254,
      cause: "10.9.0.2 is configured as owner too",
    });
    assert.equal(deeds(said)[0], "notify INSTANCE V MASTER_PRIORITY 254");
  });
});

describe("owner_ignore_adverts", () => {
  it("keeps an owner master whatever others say", () => {
    const machine = new Machine({ priority: 255, ownerIgnoreAdverts: true });
    machine.start();
    machine.hear(255);
    assert.equal(machine.due, 0);
    machine.wait(seconds(1));
    const said = machine.hear(255);
    assert.deepEqual(lines(said), []);
    assert.deepEqual([machine.is, machine.instance().effectivePriority], ["MASTER", 255]);
  });

  it("is nothing to who is no owner", () => {
    const machine = master({ ownerIgnoreAdverts: true });
    machine.hear(200);
    assert.equal(machine.is, "BACKUP");
  });
});

describe("timer_expired_backup", () => {
  it("gives a master that stalled the wait of that priority", () => {
    const due = (timerExpiredBackup: number | undefined) => {
      const machine = master({ priority: 100, nopreempt: true, timerExpiredBackup });
      machine.freeze(seconds(20));
      machine.feed({ type: "timer" });
      assert.equal(machine.is, "BACKUP");
      return machine.due;
    };
    assert.equal(due(undefined), 3.609375);
    assert.equal(due(254), 3.007813);
  });
});

describe("skip_check_adv_addr", () => {
  it("compares the list of addresses of each new master once", () => {
    const differing = (skipCheckAdvAddr: boolean) => {
      const machine = new Machine({ skipCheckAdvAddr });
      machine.start();
      for (const from of ["10.9.0.2", "10.9.0.2", "10.9.0.3", "10.9.0.3"])
        machine.hear(200, from, { virtualAddresses: [] });
      return machine.instance().counters["address-list"];
    };
    assert.deepEqual([differing(false), differing(true)], [4, 2]);
  });
});
