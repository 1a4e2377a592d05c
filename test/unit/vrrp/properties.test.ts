/**
 * What must hold for any LAN of two to five routers, on the simulated LAN.
 *
 * The bound for settling, once the last fault has ended at time T. Whoever is right to be master is one of
 *  - MASTER already: the others hear it within one advert interval;
 *  - BACKUP with a timer that was set at T at the latest: it speaks within the longest master-down interval. One that
 *    wakes from a freeze first gives its socket a skew time, which is no longer than an advert interval;
 *  - BACKUP behind a master that gives way meanwhile: its timer ran already.
 * Two that speak at once have settled an advert interval later. So: one master-down interval and one advert interval,
 * both with the longest advert interval on the LAN (version 3 learns it), and the way of a packet.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { compareIp } from "../../../src/base/ip.ts";
import { centiseconds, type Duration, microseconds, milliseconds, seconds } from "../../../src/base/time.ts";
import { advertPacket } from "../../../src/vrrp/advert.ts";
import {
  DEFAULT_HOST_PARAMETERS,
  type HostState,
  initialState,
  nextDeadline,
  transition,
} from "../../../src/vrrp/host.ts";
import type { Input, Output } from "../../../src/vrrp/messages.ts";
import { masterDownInterval } from "../../../src/vrrp/timers.ts";
import { SimulatedLan } from "../../support/simulated-lan.ts";
import {
  addressOf,
  configuration,
  group,
  instance,
  ip,
  route,
  rule,
  script,
  vip,
} from "../../support/vrrp-configuration.ts";

const VIP = "10.9.0.50";
const DELAY = milliseconds(2);

interface Router {
  readonly priority: number;
  readonly interval: Duration;
  readonly nopreempt: boolean;
}

interface Plan {
  readonly version: 2 | 3;
  readonly routers: readonly Router[];
}

const routersOf = (version: 2 | 3, nopreempt: fc.Arbitrary<boolean>): fc.Arbitrary<Plan> => {
  const interval =
    version === 2
      ? fc.integer({ min: 1, max: 3 }).map((s) => seconds(s))
      : fc.constantFrom(10, 50, 100, 250).map(centiseconds);
  const router = fc.record({
    priority: fc.oneof(fc.constantFrom(99, 100), fc.integer({ min: 1, max: 254 })),
    interval,
    nopreempt,
  });
  return fc.array(router, { minLength: 2, maxLength: 5 }).map((routers) => ({
    version,
    // Version 2 refuses adverts with another interval than its own.
    routers:
      version === 3 ? routers : routers.map((each) => ({ ...each, interval: routers[0]?.interval ?? each.interval })),
  }));
};

const plans = (nopreempt: fc.Arbitrary<boolean>) => fc.oneof(routersOf(2, nopreempt), routersOf(3, nopreempt));

const nameOf = (index: number) => `lb${index + 1}`;
const ownOf = (index: number) => ip(`10.9.0.${index + 1}`);

function lanOf(plan: Plan, seed: number): SimulatedLan {
  const lan = new SimulatedLan({ seed, delay: DELAY });
  for (const [index, { priority, interval, nopreempt }] of plan.routers.entries()) {
    const router = instance({
      version: plan.version,
      priority,
      advertInterval: interval,
      nopreempt,
      virtualAddresses: [vip(VIP)],
    });
    lan.add(nameOf(index), configuration([router]), { eth0: ownOf(index) });
  }
  return lan;
}

const longestInterval = ({ routers }: Plan) => Math.max(...routers.map(({ interval }) => interval)) as Duration;

function bound(plan: Plan): Duration {
  const interval = longestInterval(plan);
  const lowest = Math.min(...plan.routers.map(({ priority }) => priority));
  return microseconds(masterDownInterval(plan.version, lowest, interval, 3) + interval + 4 * DELAY);
}

/** The address of a dead process runs out, the ones of the living are where the master is. */
function assertOneOwner(lan: SimulatedLan, owner: string): void {
  assert.deepEqual(lan.masters("V"), [owner]);
  assert.deepEqual(lan.holders(VIP), [owner]);
}

describe("Any LAN of two to five routers", () => {
  it("has one master when it is quiet: the highest priority, or the highest address among equals", () => {
    fc.assert(
      fc.property(plans(fc.constant(false)), fc.integer(), (plan, seed) => {
        const lan = lanOf(plan, seed);
        for (const name of lan.names()) lan.start(name);
        lan.run(bound(plan));
        const highest = Math.max(...plan.routers.map(({ priority }) => priority));
        const [right] = plan.routers
          .map(({ priority }, index) => ({ priority, index }))
          .filter(({ priority }) => priority === highest)
          .sort((a, b) => compareIp(ownOf(b.index), ownOf(a.index)));
        const equals = plan.routers.filter(({ priority }) => priority === highest);
        // Equals that wait unequally long do not meet: the first one is accepted by the others (RFC 9568 §6.4.2).
        const meet = new Set(equals.map(({ interval }) => interval)).size === 1;
        const masters = lan.masters("V");
        assert.equal(masters.length, 1);
        if (meet) assert.deepEqual(masters, [nameOf(right?.index ?? 0)]);
        else assert.ok(equals.some((router) => masters[0] === nameOf(plan.routers.indexOf(router))));
        assertOneOwner(lan, masters[0] ?? "");
      }),
      { numRuns: 100 },
    );
  });

  const faults = fc.oneof(
    fc.record({ kind: fc.constant("loss" as const), percent: fc.integer({ min: 0, max: 100 }) }),
    fc.record({ kind: fc.constant("delay" as const), milliseconds: fc.integer({ min: 1, max: 1_500 }) }),
    fc.record({ kind: fc.constant("cut" as const), bits: fc.integer({ min: 0, max: 31 }) }),
    fc.record({
      kind: fc.constantFrom("stop", "kill", "start", "freeze", "thaw", "down", "up", "take"),
      host: fc.integer({ min: 0, max: 4 }),
    }),
  );
  const schedules = fc.array(fc.tuple(faults, fc.integer({ min: 0, max: 6_000 })), { maxLength: 12 });

  function apply(lan: SimulatedLan, fault: typeof faults extends fc.Arbitrary<infer F> ? F : never): void {
    const names = lan.names();
    switch (fault.kind) {
      case "loss":
        lan.loss = fault.percent / 100;
        return;
      case "delay":
        lan.delay = milliseconds(fault.milliseconds);
        return;
      case "cut": {
        const here = (_: string, index: number) => (fault.bits & (1 << index)) !== 0;
        lan.heal();
        lan.cut(
          names.filter(here),
          names.filter((name, index) => !here(name, index)),
        );
        return;
      }
      default: {
        const host = names[fault.host % names.length] ?? "";
        if (fault.kind === "down" || fault.kind === "up") lan.setLink(host, "eth0", fault.kind === "up");
        else if (fault.kind === "take") lan.takeAddress(host, "eth0", ip(VIP));
        else lan[fault.kind](host);
      }
    }
  }

  /** What is under way arrives first: an advert that comes late is a fault as well. */
  function endAllFaults(lan: SimulatedLan): void {
    const longestWay = lan.slowest;
    lan.loss = 0;
    lan.delay = DELAY;
    lan.run(microseconds(longestWay));
    lan.heal();
    for (const name of lan.names()) {
      lan.thaw(name);
      lan.setLink(name, "eth0", true);
      lan.start(name);
    }
  }

  /** Addresses are where a master is, leaving or not; what the dead and the frozen held runs out by itself. */
  function assertHeldByMastersOnly(lan: SimulatedLan): void {
    for (const name of lan.names()) {
      if (!lan.isRunning(name)) continue;
      for (const { instance: holder, address } of lan.held(name)) {
        assert.equal(lan.instance(name, holder).state, "MASTER", `${name} holds ${address}`);
      }
    }
  }

  it("settles to one master within a master-down and an advert interval after any faults", () => {
    fc.assert(
      fc.property(plans(fc.boolean()), schedules, fc.integer(), (plan, schedule, seed) => {
        const lan = lanOf(plan, seed);
        for (const name of lan.names()) lan.start(name);
        for (const [fault, pause] of schedule) {
          apply(lan, fault);
          assertHeldByMastersOnly(lan);
          lan.run(milliseconds(pause));
          assertHeldByMastersOnly(lan);
        }
        endAllFaults(lan);
        const staying = lan.names().filter((name) => !lan.instance(name, "V").leaving);
        fc.pre(staying.length > 0);
        lan.run(bound(plan));
        const masters = lan.masters("V");
        assert.equal(masters.length, 1, `masters: ${masters.join(" ")}`);
        assertHeldByMastersOnly(lan);
        // What a dead process held takes its lifetime to go.
        lan.run(DEFAULT_HOST_PARAMETERS.addressLifetime);
        assertOneOwner(lan, masters[0] ?? "");
      }),
      { numRuns: 150 },
    );
  });

  it("does again exactly what it did when its inputs are replayed, also from saved state", () => {
    fc.assert(
      fc.property(plans(fc.boolean()), schedules, fc.integer(), (plan, schedule, seed) => {
        const lan = lanOf(plan, seed);
        for (const name of lan.names()) lan.start(name);
        for (const [fault, pause] of schedule) {
          if (fault.kind === "stop" || fault.kind === "kill" || fault.kind === "start") continue;
          apply(lan, fault);
          lan.run(milliseconds(pause));
        }
        for (const name of lan.names()) {
          const outputs: Output[] = [];
          let state: HostState = initialState(lan.configuration(name));
          for (const { at, input } of lan.recorded(name)) {
            const saved: { state: HostState; input: Input } = JSON.parse(JSON.stringify({ state, input }));
            const next = transition(DEFAULT_HOST_PARAMETERS, saved.state, saved.input, at);
            state = next.state;
            outputs.push(...next.outputs);
          }
          const before = lan.happenings.filter(({ host }) => host === name).map(({ output }) => output);
          assert.equal(JSON.stringify(outputs), JSON.stringify(before));
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("Any sequence of inputs", () => {
  const hosts = configuration(
    [
      instance({ name: "A", authPass: "secret", trackScripts: [{ script: "s", weight: 0, reverse: false }] }),
      instance({
        name: "B",
        interface: "eth1",
        virtualRouterId: 6,
        virtualAddresses: [vip("10.9.1.50", { interface: "eth1" })],
      }),
      instance({ name: "C", version: 3, virtualRouterId: 7, priority: 255, virtualAddresses: [vip("10.9.0.51")] }),
      instance({
        name: "D",
        virtualRouterId: 8,
        preemptDelay: seconds(2),
        virtualAddresses: [vip("10.9.0.52")],
        trackScripts: [{ script: "w", weight: -20, reverse: false }],
        garp: { ...instance().garp, interval: milliseconds(10), masterRefresh: seconds(1) },
      }),
      instance({
        name: "E",
        family: "ipv6",
        version: 3,
        virtualRouterId: 5,
        multicastGroup: addressOf("ff02::12"),
        virtualAddresses: [vip("fe80::50"), vip("2001:db8::50")],
        excludedAddresses: [vip("10.9.0.54")],
        virtualRoutes: [route("2001:db8:1::/48"), route("10.20.0.0/16")],
        virtualRules: [rule("10.9.0.54/32", 100)],
        onVipLoss: "restore",
        garp: { ...instance().garp, neighbourInterval: milliseconds(10), extraInterfaces: seconds(1) },
      }),
      instance({
        name: "F",
        virtualRouterId: 9,
        priority: 255,
        ownerIgnoreAdverts: true,
        unicastPeers: [{ address: ip("10.9.0.9"), minTtl: 255, maxTtl: 255 }],
        checkUnicastSource: true,
        virtualAddresses: [vip("10.9.0.55", { interface: "vrrp.9" })],
        vmac: { interface: "vrrp.9", mac: undefined, transmitOnBase: false },
        ignoreOwnLink: true,
        notifyPriorityChanges: true,
      }),
    ],
    { scripts: [script("s"), script("w", { rise: 2, fall: 2 })], syncGroups: [group("G", ["A", "B"])] },
  );
  const smaller = configuration(
    hosts.instances.slice(1).map((each) => ({ ...each, priority: 120, virtualAddresses: [vip("10.9.0.60")] })),
    { scripts: [script("w")] },
  );
  const names = fc.constantFrom("eth0", "eth1", "vrrp.9", "eth9");
  const hexOf = (bytes: Uint8Array) => bytes.toHex();
  /** A header that is right up to the payload, so that the checks behind it are reached too. */
  const adverts = fc
    .tuple(
      fc.constantFrom(0x21, 0x31, 0x22, 0x41),
      fc.integer({ min: 4, max: 9 }),
      fc.integer({ min: 0, max: 255 }),
      fc.uint8Array({ maxLength: 24 }),
    )
    .chain(([first, vrid, priority, rest]) => {
      const body = `${hexOf(Uint8Array.of(first, vrid, priority))}${hexOf(rest)}`;
      const length = (20 + 3 + rest.length).toString(16).padStart(4, "0");
      const length6 = (3 + rest.length).toString(16).padStart(4, "0");
      return fc.constantFrom(
        `45c0${length}00010000ff7000000a090009e0000012${body}`,
        `45c0${length}00010000ff7000000a0900090a090001${body}`,
        `6c000000${length6}70fffe800000000000000000000000000009ff020000000000000000000000000012${body}`,
      );
    });
  /** Right to the last bit, so that what is done with them is reached. */
  const genuine = fc
    .tuple(fc.constantFrom(...hosts.instances), fc.integer({ min: 0, max: 255 }), fc.integer({ min: 2, max: 250 }))
    .map(([theirs, priority, host]) => {
      const source = addressOf(theirs.family === "ipv4" ? `10.9.0.${host}` : `fe80::${host}`);
      const destination = theirs.unicastPeers === undefined ? theirs.multicastGroup : ip("10.9.0.1");
      const packet = advertPacket(theirs, priority, { source, destination, identification: 1 });
      return { type: "packet" as const, interface: theirs.interface, packet: hexOf(packet) };
    });
  const by = fc.option(fc.constantFrom("NetworkManager", "pid 7"), { nil: undefined });
  const inputs: fc.Arbitrary<Input> = fc.oneof(
    fc.constant<Input>({ type: "timer" }),
    fc.constant<Input>({ type: "timer" }),
    fc.record({ type: fc.constant("packet" as const), interface: names, packet: adverts }),
    fc.record({
      type: fc.constant("packet" as const),
      interface: names,
      packet: fc.uint8Array({ maxLength: 64 }).map(hexOf),
    }),
    fc.record({ type: fc.constant("packet" as const), interface: names, packet: fc.string() }),
    genuine,
    genuine,
    fc.record({ type: fc.constant("link" as const), interface: names, up: fc.boolean() }),
    fc
      .record({
        type: fc.constant("address" as const),
        interface: names,
        address: fc.constantFrom(
          ...["10.9.0.1", "10.9.1.1", "10.9.0.50", "10.9.0.51", "fe80::1", "fe80::50", "2001:db8::50"].map((text) =>
            addressOf(text),
          ),
        ),
        present: fc.boolean(),
        by,
      })
      .map(({ by: who, ...rest }): Input => ({ ...rest, ...(who === undefined ? {} : { by: who }) })),
    fc.record({
      type: fc.constant("route-lost" as const),
      instance: fc.constantFrom("A", "E", "Z"),
      what: fc.constantFrom("10.20.0.0/16 dev eth0", "from 10.9.0.54/32 table 100", ""),
    }),
    fc.record({
      type: fc.constant("script-result" as const),
      script: fc.constantFrom("s", "w", "none"),
      outcome: fc.oneof(
        fc.record({ type: fc.constant("exited" as const), status: fc.integer({ min: 0, max: 3 }) }),
        fc.constant({ type: "timeout" as const }),
        fc.record({ type: fc.constant("error" as const), message: fc.string() }),
      ),
    }),
    fc.record({ type: fc.constant("reconfigure" as const), configuration: fc.constantFrom(hosts, smaller) }),
  );

  it("is taken without an exception, and leaves a state that JSON can carry", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(inputs, fc.integer({ min: 0, max: 5_000_000 })), { maxLength: 60 }),
        fc.boolean(),
        (sequence, stops) => {
          let state = initialState(hosts);
          let now = 0;
          const feed = (input: Input) => {
            const next = transition(DEFAULT_HOST_PARAMETERS, state, input, microseconds(now) as never);
            state = next.state;
            const text = JSON.stringify(state);
            assert.equal(JSON.stringify(JSON.parse(text)), text);
            JSON.stringify(next.outputs);
          };
          feed({
            type: "start",
            interfaces: [
              { name: "eth0", up: true, addresses: [ip("10.9.0.1"), addressOf("fe80::1")] },
              { name: "eth1", up: true, addresses: [ip("10.9.1.1")] },
            ],
          });
          for (const [input, pause] of sequence) {
            now += pause;
            feed(input);
            const deadline = nextDeadline(state);
            assert.ok(deadline === undefined || Number.isSafeInteger(deadline));
          }
          if (!stops) return;
          feed({ type: "stop" });
          for (let n = 0; n < 200 && nextDeadline(state) !== undefined; n++) {
            now = Math.max(now, nextDeadline(state) ?? now);
            feed({ type: "timer" });
          }
          assert.equal(state.phase, "stopped");
        },
      ),
      { numRuns: 150 },
    );
  });
});
