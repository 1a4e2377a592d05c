/**
 * What must hold for routers between two LANs, whatever is configured and whatever happens: sync groups, IPv6, unicast,
 * `nopreempt`, `preempt_delay`, `on_vip_loss`, trackers, reloads, stalls. `properties.test.ts` has one LAN and exact bounds.
 *
 * When the faults are over and every wait that is configured has passed, each virtual router has one master, the members
 * of a group have the same one, and from then on nothing changes any more.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Duration, milliseconds, seconds } from "../../../src/base/time.ts";
import type { VrrpConfiguration, VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { DEFAULT_HOST_PARAMETERS } from "../../../src/vrrp/host.ts";
import { SimulatedLan } from "../../support/simulated-lan.ts";
import { addressOf, configuration, group, instance, script, vip } from "../../support/vrrp-configuration.ts";

const DELAY = milliseconds(2);
const INTERVAL = milliseconds(250);
const PREEMPT_DELAY = seconds(3);
/** Of the lowest priority: 3 intervals and a skew of nearly one. */
const MASTER_DOWN = milliseconds(1_000);
/** `preempt_delay`, after it the longest wait of version 2 (4 s), and what a group needs to agree. */
const SETTLED = seconds(12);

interface Plan {
  readonly version: 2 | 3;
  readonly family: "ipv4" | "ipv6";
  readonly unicast: boolean;
  readonly grouped: boolean;
  readonly priorities: readonly number[];
  readonly nopreempt: readonly boolean[];
  readonly preemptDelay: boolean;
  readonly restore: boolean;
  readonly expiredBackup: boolean;
  /** How the script weighs. */
  readonly weight: number;
}

const plans: fc.Arbitrary<Plan> = fc
  .record({
    version: fc.constantFrom<2 | 3>(2, 3),
    family: fc.constantFrom<"ipv4" | "ipv6">("ipv4", "ipv6"),
    unicast: fc.boolean(),
    grouped: fc.boolean(),
    priorities: fc.array(fc.oneof(fc.constantFrom(100, 255), fc.integer({ min: 1, max: 254 })), {
      minLength: 2,
      maxLength: 4,
    }),
    nopreempt: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    preemptDelay: fc.boolean(),
    restore: fc.boolean(),
    expiredBackup: fc.boolean(),
    weight: fc.constantFrom(0, -30, 30),
  })
  // RFC 9568: version 2 is IPv4's.
  .map((plan) => ({ ...plan, version: plan.family === "ipv6" ? 3 : plan.version }));

const LANS = ["eth0", "eth1"] as const;
const nameOf = (index: number) => `lb${index + 1}`;
const own = (plan: Plan, lan: number, host: number) =>
  addressOf(plan.family === "ipv4" ? `10.9.${lan}.${host + 1}` : `fe80::${lan + 1}:${host + 1}`);
const virtual = (plan: Plan, lan: number) => (plan.family === "ipv4" ? `10.9.${lan}.50` : `fe80::${lan + 1}:50`);

/** `shift`: another priority, as a reload brings it. */
function configurationOf(plan: Plan, host: number, shift = 0): VrrpConfiguration {
  const priority = plan.priorities[host] ?? 1;
  const routers = LANS.map((name, lan): VrrpInstance => {
    const peers = plan.priorities.flatMap((_, other) => (other === host ? [] : [own(plan, lan, other)]));
    return instance({
      name: name === "eth0" ? "A" : "B",
      interface: name,
      virtualRouterId: 5 + lan,
      version: plan.version,
      family: plan.family,
      advertInterval: plan.version === 2 ? seconds(1) : INTERVAL,
      priority: priority === 255 ? 255 : Math.min(254, Math.max(1, priority + shift)),
      multicastGroup: addressOf(plan.family === "ipv4" ? "224.0.0.18" : "ff02::12") as VrrpInstance["multicastGroup"],
      virtualAddresses: [vip(virtual(plan, lan), { interface: name })],
      nopreempt: (plan.nopreempt[host] ?? false) && priority !== 255,
      preemptDelay: plan.preemptDelay ? PREEMPT_DELAY : (0 as Duration),
      onVipLoss: plan.restore ? "restore" : "failover",
      trackScripts: priority === 255 ? [] : [{ script: "s", weight: plan.weight, reverse: false }],
      ...(plan.unicast
        ? { unicastPeers: peers.map((address) => ({ address, minTtl: 0, maxTtl: 255 })), checkUnicastSource: true }
        : {}),
      ...(plan.expiredBackup ? { timerExpiredBackup: 200 } : {}),
    });
  });
  const syncGroups = plan.grouped ? [{ ...group("G", ["A", "B"]), trackingWeight: true }] : [];
  return configuration(routers, { syncGroups, scripts: [script("s")] });
}

const faults = fc.oneof(
  fc.record({ kind: fc.constant("loss" as const), percent: fc.integer({ min: 0, max: 100 }) }),
  fc.record({ kind: fc.constant("delay" as const), milliseconds: fc.integer({ min: 1, max: 1_500 }) }),
  fc.record({ kind: fc.constant("cut" as const), bits: fc.integer({ min: 0, max: 15 }) }),
  fc.record({
    kind: fc.constantFrom("stop", "kill", "start", "freeze", "thaw", "down", "up", "take", "script", "reload"),
    host: fc.integer({ min: 0, max: 3 }),
    lan: fc.integer({ min: 0, max: 1 }),
    shift: fc.integer({ min: -60, max: 60 }),
  }),
);
const schedules = fc.array(fc.tuple(faults, fc.integer({ min: 0, max: 4_000 })), { maxLength: 14 });
type Fault = typeof faults extends fc.Arbitrary<infer F> ? F : never;

class World {
  readonly lan: SimulatedLan;
  readonly #plan: Plan;
  readonly #failing = new Set<string>();

  constructor(plan: Plan, seed: number) {
    this.#plan = plan;
    this.lan = new SimulatedLan({ seed, delay: DELAY });
    this.lan.scriptOutcome = (host) => ({ type: "exited", status: this.#failing.has(host) ? 1 : 0 });
    for (const host of plan.priorities.keys()) {
      const addresses = Object.fromEntries(LANS.map((name, lan) => [name, own(plan, lan, host)]));
      this.lan.add(nameOf(host), configurationOf(plan, host), addresses);
    }
    for (const name of this.lan.names()) this.lan.start(name);
  }

  apply(fault: Fault): void {
    const { lan } = this;
    const names = lan.names();
    switch (fault.kind) {
      case "loss":
        lan.loss = fault.percent / 100;
        return;
      case "delay":
        lan.delay = milliseconds(fault.milliseconds);
        return;
      case "cut": {
        lan.heal();
        const here = (_: string, index: number) => (fault.bits & (1 << index)) !== 0;
        lan.cut(
          names.filter(here),
          names.filter((name, index) => !here(name, index)),
        );
        return;
      }
      default:
        this.#strike(fault, fault.host % names.length);
    }
  }

  #strike(fault: Extract<Fault, { host: number }>, host: number): void {
    const { lan } = this;
    const name = nameOf(host);
    const at = LANS[fault.lan] ?? "eth0";
    switch (fault.kind) {
      case "down":
      case "up":
        lan.setLink(name, at, fault.kind === "up");
        return;
      case "take":
        lan.takeAddress(name, at, addressOf(virtual(this.#plan, fault.lan)));
        return;
      case "script":
        if (!this.#failing.delete(name)) this.#failing.add(name);
        return;
      case "reload":
        lan.reconfigure(name, configurationOf(this.#plan, host, fault.shift));
        return;
      default:
        lan[fault.kind](name);
    }
  }

  endAllFaults(): void {
    const { lan } = this;
    const longestWay = lan.slowest;
    lan.loss = 0;
    lan.delay = DELAY;
    lan.run(longestWay as Duration);
    lan.heal();
    this.#failing.clear();
    for (const name of lan.names()) {
      lan.thaw(name);
      for (const at of LANS) lan.setLink(name, at, true);
      lan.start(name);
    }
    // Those that were asked to stop are gone after that.
    lan.run(seconds(4));
    for (const name of lan.names()) lan.start(name);
  }
}

const RUNS = 100;

describe("Any routers between two LANs", () => {
  it("settle: one master each, the same for a group, and no change afterwards", () => {
    fc.assert(
      fc.property(plans, schedules, fc.integer(), (plan, schedule, seed) => {
        const world = new World(plan, seed);
        const { lan } = world;
        for (const [fault, pause] of schedule) {
          world.apply(fault);
          lan.run(milliseconds(pause));
        }
        world.endAllFaults();
        lan.run(SETTLED);
        const [a, b] = [lan.masters("A"), lan.masters("B")];
        assert.equal(a.length, 1, `masters of A: ${a.join(" ")}`);
        assert.equal(b.length, 1, `masters of B: ${b.join(" ")}`);
        if (plan.grouped) assert.deepEqual(a, b);
        for (const [index, masters] of [a, b].entries()) assert.deepEqual(lan.holders(virtual(plan, index)), masters);
        const before = lan.happenings.length;
        lan.run((MASTER_DOWN * 4 + DEFAULT_HOST_PARAMETERS.addressLifetime) as Duration);
        const changes = lan.happenings.slice(before).filter(({ output }) => output.type === "state");
        assert.deepEqual(changes, []);
      }),
      { numRuns: RUNS },
    );
  });

  it("never hold an address where they are not master, nor differ within a group for longer than one input", () => {
    fc.assert(
      fc.property(plans, schedules, fc.integer(), (plan, schedule, seed) => {
        const world = new World(plan, seed);
        const { lan } = world;
        for (const [fault, pause] of schedule) {
          world.apply(fault);
          lan.run(milliseconds(pause));
          for (const name of lan.names()) {
            if (!lan.isRunning(name)) continue;
            for (const held of lan.held(name)) {
              assert.equal(lan.instance(name, held.instance).state, "MASTER", `${name} holds ${held.address}`);
            }
            const [a, b] = [lan.instance(name, "A"), lan.instance(name, "B")];
            if (plan.grouped && !a.leaving && !b.leaving && a.state !== "STOP" && b.state !== "STOP")
              assert.equal(a.state, b.state, `${name}: ${a.cause}; ${b.cause}`);
          }
        }
      }),
      { numRuns: RUNS },
    );
  });
});

describe("Two sync groups of the same priority, each with the higher address on another LAN", () => {
  /** `swapped`: lb2 names its members the other way round. */
  const settle = (version: 2 | 3, delay: number, seed: number, swapped: boolean) => {
    const lan = new SimulatedLan({ seed, delay: delay as Duration });
    const of = (members: readonly string[]) => {
      const member = (name: string, at: string, id: number) =>
        instance({
          ...{ name, interface: at, virtualRouterId: id, version, advertInterval: seconds(1), priority: 100 },
          virtualAddresses: [vip(`10.9.${id}.50`, { interface: at })],
        });
      return configuration([member("A", "eth0", 5), member("B", "eth1", 6)], { syncGroups: [group("G", members)] });
    };
    lan.add("lb1", of(["A", "B"]), { eth0: addressOf("10.9.5.1"), eth1: addressOf("10.9.6.2") });
    lan.add("lb2", of(swapped ? ["B", "A"] : ["A", "B"]), { eth0: addressOf("10.9.5.2"), eth1: addressOf("10.9.6.1") });
    lan.cut(["lb1"], ["lb2"]);
    for (const name of lan.names()) lan.start(name);
    lan.run(seconds(10));
    assert.deepEqual(lan.masters("A"), ["lb1", "lb2"]);
    lan.heal();
    lan.run(seconds(7));
    const before = lan.happenings.length;
    lan.run(seconds(60));
    assert.deepEqual(lan.masters("A"), lan.masters("B"));
    assert.equal(lan.masters("A").length, 1);
    assert.deepEqual(
      lan.happenings.slice(before).filter(({ output }) => output.type === "state"),
      [],
    );
  };

  it("agree within two master-down intervals after a partition, however alike they run", () => {
    for (const version of [2, 3] as const)
      for (const delay of [100, 1_000, 10_000])
        for (const swapped of [false, true]) for (const seed of [1, 2, 3, 4, 5]) settle(version, delay, seed, swapped);
  });
});
