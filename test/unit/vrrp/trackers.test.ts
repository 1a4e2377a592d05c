/** Files, processes, proxies and virtual servers as trackers, and the causes that trackers give (keepalived.conf(5)). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import type { TrackedProcess, VrrpInstance } from "../../../src/config/model/vrrp.ts";
import type { Input } from "../../../src/vrrp/messages.ts";
import { configuration, group, instance, vip } from "../../support/vrrp-configuration.ts";
import { lines, Machine, of } from "../../support/vrrp-machine.ts";

const FILE = { name: "f", file: "/run/f", weight: 1, reverse: false, init: undefined };
const PROCESS: TrackedProcess = {
  name: "haproxy",
  command: ["haproxy"],
  match: "exact",
  fullCommand: false,
  weight: 0,
  reverse: false,
  quorum: 1,
  quorumMax: undefined,
  forkDelay: seconds(0),
  terminateDelay: seconds(0),
};

const machineOf = (router: Partial<VrrpInstance>, process = {}): Machine =>
  new Machine(
    configuration([instance({ priority: 150, ...router })], {
      trackFiles: [FILE],
      trackProcesses: [{ ...PROCESS, ...process }],
    }),
  );

const value = (number: number): Input => ({ type: "file-value", file: "f", value: number });
const count = (number: number): Input => ({ type: "process-count", process: "haproxy", count: number });
const proxy = (up: boolean | null, cause: string): Input => ({
  type: "service-state",
  kind: "proxy",
  name: "web",
  up,
  cause,
});

describe("A tracked file", () => {
  const tracking = (weight: number, reverse = false): Machine => {
    const machine = machineOf({ trackFiles: [{ name: "f", weight, reverse }] });
    machine.start();
    return machine;
  };

  it("adds its value times the weight, and the other way round with reverse", () => {
    for (const [weight, reverse, number, expected] of [
      [1, false, 20, 170],
      [-2, false, 20, 110],
      [2, true, 20, 110],
      [10, false, -3, 120],
      [100, false, 3, 254],
    ] as const) {
      const machine = tracking(weight, reverse);
      machine.feed(value(number));
      assert.equal(machine.instance().effectivePriority, expected, `${number} × ${weight}`);
      assert.equal(machine.is, "BACKUP");
    }
  });

  it("is a FAULT when the product is -254 or less, and -253 is none", () => {
    const machine = tracking(-1);
    machine.feed(value(253));
    assert.deepEqual([machine.is, machine.instance().effectivePriority], ["BACKUP", 1]);
    machine.feed(value(254));
    assert.deepEqual([machine.is, machine.instance().effectivePriority], ["FAULT", 150]);
    machine.feed(value(1_000_000));
    assert.equal(machine.is, "FAULT");
    machine.feed(value(0));
    assert.equal(machine.is, "BACKUP");
  });

  it("without a weight is a FAULT unless it holds 0, with reverse while it does", () => {
    const machine = tracking(0);
    assert.equal(machine.is, "BACKUP");
    machine.feed(value(-5));
    assert.deepEqual([machine.is, machine.instance().cause], ["FAULT", "/run/f holds -5"]);
    machine.feed(value(0));
    assert.deepEqual([machine.is, machine.instance().cause], ["BACKUP", "/run/f holds 0"]);
    assert.equal(tracking(0, true).is, "FAULT");
  });

  it("counts from the start when it is reported before, with keepalived's line", () => {
    const machine = machineOf({ trackFiles: [{ name: "f", weight: 0, reverse: false }] });
    machine.feed(value(1));
    const said = lines(machine.start());
    assert.ok(said.includes("(V): entering FAULT state (tracked file f has status -254)"), said.join("\n"));
    assert.ok(
      !of(
        machine.told.map(({ output }) => output),
        "state",
      ).some(({ to }) => to === "BACKUP"),
    );
  });
});

describe("A tracked process", () => {
  const tracked = { trackProcesses: [{ name: "haproxy", weight: 0, reverse: false }] };

  it("holds back a start until its count is known", () => {
    const machine = machineOf(tracked);
    machine.start();
    assert.equal(machine.is, "INIT");
    machine.feed(count(1));
    assert.deepEqual([machine.is, machine.instance().cause], ["BACKUP", "process haproxy runs"]);
  });

  it("that has ended takes a master out", () => {
    const machine = machineOf(tracked);
    machine.feed(count(2));
    machine.start();
    machine.wait(seconds(4));
    assert.equal(machine.is, "MASTER");
    assert.deepEqual(machine.feed(count(1)), []);
    const [state] = of(machine.feed(count(0)), "state");
    assert.deepEqual([state?.to, state?.cause], ["FAULT", "process haproxy does not run"]);
  });

  it("must run quorum times and no more than quorum_max", () => {
    const machine = machineOf(tracked, { quorum: 2, quorumMax: 3 });
    machine.feed(count(2));
    machine.start();
    const seen = [3, 4, 2, 1].map((number) => {
      machine.feed(count(number));
      return `${machine.is}: ${machine.instance().cause}`;
    });
    assert.deepEqual(seen, [
      "BACKUP: started",
      "FAULT: process haproxy runs 4 times, 3 at most",
      "BACKUP: process haproxy runs 2 times",
      "FAULT: process haproxy runs, needs 2",
    ]);
  });

  it("says at a start what keepalived says", () => {
    const machine = machineOf(tracked);
    machine.feed(count(0));
    const line = "(V) entering FAULT state (tracked process haproxy quorum not achieved)";
    assert.ok(lines(machine.start()).includes(line));
  });

  it("only weighs with a weight: known or not, it holds nothing back", () => {
    const machine = machineOf({ trackProcesses: [{ name: "haproxy", weight: 20, reverse: false }] });
    machine.start();
    assert.deepEqual([machine.is, machine.instance().effectivePriority], ["BACKUP", 150]);
    const [priority] = of(machine.feed(count(1)), "priority");
    assert.deepEqual(priority, { type: "priority", instance: "V", from: 150, to: 170, cause: "process haproxy runs" });
  });
});

describe("A tracked proxy", () => {
  const tracked = (weight: number) => ({ trackProxies: [{ name: "web", weight, reverse: false }] });

  it("without a weight holds back a start until somebody knows, and is a FAULT while it cannot serve", () => {
    const machine = machineOf(tracked(0));
    machine.start();
    assert.equal(machine.is, "INIT");
    machine.feed(proxy(true, "backend web has a server up"));
    assert.equal(machine.is, "BACKUP");
    machine.feed(proxy(false, "backend web has no server up"));
    assert.deepEqual([machine.is, machine.instance().cause], ["FAULT", "backend web has no server up"]);
    machine.feed(proxy(true, "backend web has a server up"));
    assert.deepEqual([machine.is, machine.instance().cause], ["BACKUP", "backend web has a server up"]);
  });

  it("of which nobody knows any more is no FAULT, and earns nothing", () => {
    const cause = "the director has been gone for 15 s";
    const alone = machineOf(tracked(0));
    alone.feed(proxy(true, "backend web has a server up"));
    alone.start();
    alone.feed(proxy(null, cause));
    assert.equal(alone.is, "BACKUP");
    for (const [weight, known, unknown] of [
      [20, 170, 150],
      [-20, 150, 130],
    ] as const) {
      const machine = machineOf(tracked(weight));
      machine.feed(proxy(true, "backend web has a server up"));
      machine.start();
      assert.equal(machine.instance().effectivePriority, known);
      machine.feed(proxy(null, cause));
      assert.equal(machine.instance().effectivePriority, unknown);
    }
  });

  it("is not the virtual server of the same name", () => {
    const machine = machineOf(tracked(0));
    machine.start();
    machine.feed({ type: "service-state", kind: "service", name: "web", up: false, cause: "no quorum" });
    assert.equal(machine.is, "INIT");
  });
});

describe("A chain of causes", () => {
  const pair = (more: Partial<VrrpInstance> = {}): Machine =>
    new Machine(
      configuration(
        [
          instance({ name: "EXT", ...more }),
          instance({
            name: "INT",
            interface: "eth1",
            virtualRouterId: 6,
            virtualAddresses: [vip("10.9.1.50", { interface: "eth1" })],
          }),
        ],
        { syncGroups: [group("RH", ["EXT", "INT"])] },
      ),
    );
  const causes = (machine: Machine, input: Input): string[] =>
    machine.feed(input).flatMap((output) => {
      if (output.type === "state") return [`${output.instance} ${output.to}: ${output.cause}`];
      return output.type === "group-state" ? [`group ${output.group} ${output.to}: ${output.cause}`] : [];
    });

  it("goes from the root over the member to its group and the other members, and back the same way", () => {
    const machine = pair();
    machine.start();
    machine.wait(seconds(4));
    assert.deepEqual(causes(machine, { type: "link", interface: "eth0", up: false, lack: "carrier" }), [
      "EXT FAULT: eth0 lost carrier",
      "INT FAULT: eth0 lost carrier → EXT FAULT → group RH",
      "group RH FAULT: eth0 lost carrier → EXT FAULT",
    ]);
    assert.deepEqual(causes(machine, { type: "link", interface: "eth0", up: true }), [
      "EXT BACKUP: eth0 is up again",
      "INT BACKUP: eth0 is up again → EXT BACKUP → group RH",
      "group RH BACKUP: eth0 is up again → EXT BACKUP",
    ]);
  });

  it("names what an interface lacks", () => {
    const says = (lack?: "up" | "carrier" | "interface") => {
      const machine = machineOf({});
      machine.start();
      machine.feed({ type: "link", interface: "eth0", up: false, ...(lack && { lack }) });
      return machine.instance().cause;
    };
    assert.deepEqual(
      [says("up"), says("carrier"), says("interface"), says()],
      ["eth0 was set down", "eth0 lost carrier", "eth0 was removed", "eth0 went down"],
    );
  });

  it("names what a lost interface lacks now, beside what it went down by", () => {
    const machine = machineOf({});
    machine.start();
    machine.feed({ type: "link", interface: "eth0", up: false, lack: "up" });
    const outputs = machine.feed({ type: "link", interface: "eth0", up: false, lack: "interface" });
    assert.deepEqual(outputs, []);
    const { cause, faults } = machine.instance();
    assert.deepEqual({ cause, faults }, { cause: "eth0 was set down", faults: ["eth0 was removed"] });
  });

  it("says what is different when a priority changes twice for different reasons", () => {
    const machine = machineOf({
      trackFiles: [{ name: "f", weight: -1, reverse: false }],
      trackProcesses: [{ name: "haproxy", weight: 30, reverse: false }],
      notifyPriorityChanges: true,
    });
    machine.feed(count(1));
    machine.start();
    const told = [value(40), count(0)].map((input) => {
      const outputs = machine.feed(input);
      const fifo = of(outputs, "notify").map(({ state, priority }) => `${state} ${priority}`);
      return [...of(outputs, "priority").map(({ from, to, cause }) => `${from} ${to} ${cause}`), ...fifo];
    });
    assert.deepEqual(told, [
      ["180 140 /run/f holds 40", "BACKUP_PRIORITY 140"],
      ["140 110 process haproxy does not run", "BACKUP_PRIORITY 110"],
    ]);
  });

  it("has several roots when several trackers fail at once", () => {
    const machine = machineOf({ trackFiles: [{ name: "f", weight: 0, reverse: false }] });
    machine.feed(value(1));
    machine.feed({ type: "start", interfaces: [] });
    const cause = "there is no eth0 and eth0 has no IPv4 address and /run/f holds 1";
    assert.deepEqual([machine.is, machine.instance().cause], ["FAULT", cause]);
  });
});
