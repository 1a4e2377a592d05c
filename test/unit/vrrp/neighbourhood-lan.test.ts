/** The neighbourhood machine beside hosts of the simulated LAN: right routers give no false alarm, whatever happens to them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MacAddress } from "../../../src/base/mac.ts";
import { instantAt, milliseconds, seconds } from "../../../src/base/time.ts";
import type { VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { DEFAULT_HOST_PARAMETERS, initialState, snapshot, transition } from "../../../src/vrrp/host.ts";
import type { Finding, Observation } from "../../../src/vrrp/neighbourhood/findings.ts";
import { readForeign } from "../../../src/vrrp/neighbourhood/foreign-packet.ts";
import { initialNeighbourhood, observe } from "../../../src/vrrp/neighbourhood/neighbourhood.ts";
import { SimulatedLan } from "../../support/simulated-lan.ts";
import { configuration, instance, ip } from "../../support/vrrp-configuration.ts";

const HOSTS = ["a", "b", "c"] as const;
const addressOf = (host: string) => ip(`10.9.0.${HOSTS.indexOf(host as "a") + 1}`);
const macOf = (host: string) => `02:00:00:00:00:0${HOSTS.indexOf(host as "a") + 1}` as MacAddress;

function start(settings: Partial<VrrpInstance>, other: Partial<VrrpInstance> = settings): SimulatedLan {
  const lan = new SimulatedLan({ seed: 7 });
  for (const [index, host] of HOSTS.entries()) {
    const mine = instance({ ...(host === "a" ? settings : other), priority: 150 - 20 * index });
    lan.add(host, configuration([mine]), { eth0: addressOf(host) });
    lan.start(host);
    lan.run(milliseconds(300));
  }
  return lan;
}

interface Sleep {
  readonly from: number;
  to: number;
}

/**
 * What an observer in the last process of `host` would have found, from its inputs and the others' ARP.
 * @param slept while it was frozen it looked at nothing, and at everything when it woke
 */
function found(lan: SimulatedLan, host: string, slept: readonly Sleep[] = []): Finding[] {
  const asleep = (at: number) => slept.find(({ from, to }) => at >= from && at < to);
  const recorded = lan.recorded(host);
  const first = recorded[0]?.at ?? lan.now;
  const hears = (when: number) => {
    const last = recorded.findLast(({ at, input }) => at <= when && (input.type === "link" || input.type === "start"));
    return last?.input.type !== "link" || last.input.up;
  };
  const claims = lan.happenings.flatMap(({ at, host: from, output }) =>
    from !== host && at >= first && hears(at + 500) && output.type === "gratuitous-arp"
      ? [{ at: instantAt(asleep(at + 500)?.to ?? at + 500), observation: claimOf(from, output.address) }]
      : [],
  );
  let machine = initialState(lan.configuration(host));
  let state = initialNeighbourhood();
  const told: Finding[] = [];
  const hand = (observation: Observation, at: number) => {
    const step = observe(state, observation, instantAt(at));
    state = step.state;
    told.push(...step.outputs.flatMap((one) => (one.type === "found" ? [one.finding] : [])));
  };
  hand(
    {
      type: "own",
      configuration: lan.configuration(host),
      interfaces: [{ name: "eth0", macs: [macOf(host)], addresses: [addressOf(host)] }],
    },
    first,
  );
  const ticks = Array.from(
    { length: Math.floor((lan.now - first) / 1_000_000) },
    (_, n) => first + n * 1_000_000,
  ).filter((at) => asleep(at) === undefined);
  const all = [
    ...recorded.map(({ at, input }) => ({ at, run: () => void feed(at, input) })),
    ...claims.map(({ at, observation }) => ({ at, run: () => hand(observation, at) })),
    ...ticks.map((at) => ({ at, run: () => hand({ type: "tick", instances: snapshot(machine).instances }, at) })),
  ];
  const feed = (at: (typeof recorded)[number]["at"], input: (typeof recorded)[number]["input"]) => {
    machine = transition(DEFAULT_HOST_PARAMETERS, machine, input, at).state;
    if (input.type !== "packet") return;
    const source = readForeign(input.packet)?.source;
    const from = HOSTS.find((one) => addressOf(one) === source);
    const sourceMac = from === undefined ? undefined : macOf(from);
    hand({ type: "packet", interface: "eth0", sourceMac, packet: input.packet }, at);
  };
  for (const { run } of all.toSorted((one, other) => one.at - other.at)) run();
  return told;
}

const claimOf = (from: string, address: ReturnType<typeof ip>): Observation => ({
  type: "claim",
  interface: "eth0",
  address,
  mac: macOf(from),
});

const codes = (list: readonly Finding[]): string[] => [...new Set(list.map(({ code }) => code))];

const deed = fc.record({
  host: fc.constantFrom(...HOSTS),
  what: fc.constantFrom("stop", "start", "kill", "down", "up", "freeze", "thaw"),
  pause: fc.integer({ min: 50, max: 9_000 }),
});

test("three routers that are right find nothing wrong, whoever stops, dies, loses its link or comes back", () => {
  const settings = fc.constantFrom<Partial<VrrpInstance>>(
    { authPass: "same" },
    { version: 3 },
    { version: 3, advertInterval: milliseconds(100) },
    { nopreempt: true },
  );
  fc.assert(
    fc.property(settings, fc.array(deed, { maxLength: 12 }), (mine, deeds) => {
      const lan = start(mine);
      const slept = new Map<string, Sleep[]>(HOSTS.map((host) => [host, []]));
      for (const { host, what, pause } of deeds) {
        const sleeps = slept.get(host) ?? [];
        if (what === "freeze" && lan.isRunning(host)) sleeps.push({ from: lan.now, to: Number.POSITIVE_INFINITY });
        const last = sleeps.at(-1);
        if ((what === "thaw" || what === "kill") && last?.to === Number.POSITIVE_INFINITY) last.to = lan.now;
        if (what === "stop") lan.stop(host);
        if (what === "start") lan.start(host);
        if (what === "kill") lan.kill(host);
        if (what === "down" || what === "up") lan.setLink(host, "eth0", what === "up");
        if (what === "freeze") lan.freeze(host);
        if (what === "thaw") lan.thaw(host);
        lan.run(milliseconds(pause));
      }
      for (const host of HOSTS.filter((one) => lan.isRunning(one))) {
        // That nobody else has been heard is a note, and true.
        const worse = found(lan, host, slept.get(host)).filter(({ severity }) => severity !== "note");
        assert.deepEqual(worse, []);
      }
    }),
    { numRuns: 100 },
  );
});

test("a router with another password makes itself and the others name it, and both masters", () => {
  const lan = start({ authPass: "one" }, { authPass: "two" });
  lan.run(seconds(10));
  assert.deepEqual(codes(found(lan, "a")).toSorted(), ["password-differs", "two-masters"]);
  assert.deepEqual(codes(found(lan, "b")).toSorted(), ["password-differs", "two-masters"]);
  const [first] = found(lan, "b").filter(({ code }) => code === "two-masters");
  assert.deepEqual(first?.peer, { ip: "10.9.0.1", mac: macOf("a") });
});

test("two masters are named within five seconds after the second one began", () => {
  const lan = start({ version: 2 }, { version: 3 });
  lan.run(seconds(20));
  const [two] = found(lan, "a").filter(({ code }) => code === "two-masters");
  const second = Math.max(
    ...["a", "b"].map((host) => lan.outputs(host, "state").find(({ output }) => output.to === "MASTER")?.at ?? 0),
  );
  assert.ok(two !== undefined && two.lastSeen - second <= 5_000_000);
});
