/** What `evenkeel explain` says: who holds which address after which failure, tried on the machines of all hosts together. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inSeconds, milliseconds, seconds } from "../../../src/base/time.ts";
import { NO_INTERFACE, type VrrpConfiguration, type VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { type Fault, faultsOf, inWords, readFault } from "../../../src/vrrp/rehearsal/faults.ts";
import type { RehearsedHost } from "../../../src/vrrp/rehearsal/hosts.ts";
import { type Outcome, rehearse } from "../../../src/vrrp/rehearsal/rehearse.ts";
import { addressOf, configuration, group, instance, script, vip } from "../../support/vrrp-configuration.ts";

const hostsOf = (...configurations: VrrpConfiguration[]): RehearsedHost[] =>
  configurations.map((one, index) => ({ name: "abcd"[index] ?? "", configuration: one }));

/** Two routers of one virtual router, the first one better. */
const pair = (more: Partial<VrrpInstance> = {}, rest: Parameters<typeof configuration>[1] = {}): RehearsedHost[] =>
  hostsOf(...[101, 100].map((priority) => configuration([instance({ priority, ...more })], rest)));

/** One line a move: `a dies: 10.9.0.50 a → b after 3.61, nobody 3.61, then a`. */
function linesOf(hosts: readonly RehearsedHost[], ...texts: string[]): string[] {
  const faults = texts.map((text) => readFault(text, hosts));
  assert.deepEqual(
    faults.filter((one) => typeof one === "string"),
    [],
  );
  const together = texts.length === 0 ? undefined : (faults as Fault[]);
  return rehearse(hosts, together).outcomes.flatMap(movesIn);
}

function movesIn({ faults, moves }: Outcome): string[] {
  const what = faults.map(inWords).join(", ");
  if (moves.length === 0) return [`${what}: nothing moves`];
  return moves.map(({ addresses, from, to, after, nobody, several, repaired }) => {
    const also = several > 0 ? `, several ${inSeconds(several).toFixed(2)}` : "";
    const times = `after ${inSeconds(after).toFixed(2)}, nobody ${inSeconds(nobody).toFixed(2)}${also}`;
    return `${what}: ${addresses.join(" ")} ${from.join("+")} → ${to.join("+")} ${times}, then ${repaired.join("+")}`;
  });
}

test("every single failure of a pair: the death and the silence of the master take three adverts and skew, a stop no gap", () => {
  const hosts = pair();
  assert.deepEqual(rehearse(hosts).before, [{ address: "10.9.0.50", instance: "V", holders: ["a"] }]);
  assert.deepEqual(linesOf(hosts), [
    "a: interface eth0 goes down: 10.9.0.50 a → b after 3.61, nobody 3.61, then a",
    "a stops: 10.9.0.50 a → b after 0.61, nobody 0.00, several 0.00, then a",
    "a dies: 10.9.0.50 a → b after 3.61, nobody 3.61, then a",
    "b: interface eth0 goes down: nothing moves",
    "b stops: nothing moves",
    "b dies: nothing moves",
  ]);
});

test("a failed check moves the address when its weight is more than the difference, and not when it is less", () => {
  const checked = (weight: number) =>
    pair(
      { trackScripts: [{ script: "chk", weight, reverse: false }] },
      { scripts: [script("chk", { interval: seconds(2), fall: 2 })] },
    );
  // Just after a success: 2 s to the next run, 2 s to the one that decides, and then b waits from the last better advert on.
  assert.deepEqual(linesOf(checked(-20), "a: script chk"), [
    "a: script chk fails: 10.9.0.50 a → b after 7.22, nobody 0.00, several 0.00, then a",
  ]);
  assert.deepEqual(linesOf(checked(0), "a: script chk"), [
    "a: script chk fails: 10.9.0.50 a → b after 4.62, nobody 0.61, then a",
  ]);
  assert.deepEqual(linesOf(checked(1), "a: script chk"), ["a: script chk fails: nothing moves"]);
});

test("failures that are given together are tried together, and may leave nobody", () => {
  assert.deepEqual(linesOf(pair(), "a dies", "b: interface eth0"), [
    "a dies, b: interface eth0 goes down: 10.9.0.50 a →  after 0.00, nobody 0.00, then a",
  ]);
});

test("with nopreempt the address stays where it went", () => {
  assert.deepEqual(linesOf(pair({ nopreempt: true }), "a dies"), [
    "a dies: 10.9.0.50 a → b after 3.61, nobody 3.61, then b",
  ]);
});

test("a lost link takes the whole sync group along, with the cause as a chain, and names hosts instead of addresses nobody gave", () => {
  const hosts = hostsOf(
    ...[101, 100].map((priority) =>
      configuration(
        [
          instance({ name: "EXT", priority }),
          instance({
            ...{ name: "INT", priority, interface: "eth1", virtualRouterId: 6 },
            virtualAddresses: [vip("10.9.1.50", { interface: "eth1" })],
          }),
        ],
        { syncGroups: [group("G", ["EXT", "INT"])] },
      ),
    ),
  );
  const [outcome] = rehearse(hosts, [{ kind: "interface", host: "a", name: "eth1" }]).outcomes;
  assert.ok(outcome !== undefined);
  assert.deepEqual(movesIn(outcome), [
    "a: interface eth1 goes down: 10.9.0.50 10.9.1.50 a → b after 3.61, nobody 3.61, then a",
  ]);
  assert.deepEqual(
    outcome.steps.map(({ host, what, cause }) => `${host} ${what}: ${cause}`),
    [
      "a MASTER → FAULT: eth1 lost carrier",
      "a MASTER → FAULT: eth1 lost carrier → INT FAULT → group G",
      "b BACKUP → MASTER: no advert for 3.61 s, last from a with priority 101",
      "b BACKUP → MASTER: no advert for 3.61 s, last from a with priority 101 → INT MASTER → group G",
    ],
  );
});

test("unicast finds its peers by the addresses in the other files, with an interface and without", () => {
  const peers = (...own: string[]) => own.map((address) => ({ address: addressOf(address), minTtl: 0, maxTtl: 255 }));
  const lists = [peers("10.9.0.2", "10.9.0.3"), peers("10.9.0.1", "10.9.0.3"), peers("10.9.0.1", "10.9.0.2")];
  const fast = { version: 3 as const, advertInterval: milliseconds(100) };
  const hosts = hostsOf(
    ...lists.map((unicastPeers, index) =>
      configuration([instance({ ...fast, priority: 110 - index * 10, unicastPeers })]),
    ),
  );
  const line = "a dies: 10.9.0.50 a → b after 0.36, nobody 0.36, then a";
  assert.deepEqual(linesOf(hosts, "a dies"), [line]);
  const routed = hosts.map(({ name, configuration: one }, index) => {
    const sourceAddress = addressOf(`10.9.0.${index + 1}`);
    const instances = one.instances.map((each) => ({ ...each, interface: NO_INTERFACE, sourceAddress }));
    return { name, configuration: { ...one, instances } };
  });
  assert.deepEqual(linesOf(routed, "a dies"), [line]);
});

test("macvlans hang on their base: what can fail is the base alone, and it takes the address along", () => {
  const vmac = { interface: "vrrp.5", mac: undefined, transmitOnBase: false };
  const hosts = pair({ vmac, virtualAddresses: [vip("10.9.0.50", { interface: "vrrp.5" })] });
  assert.deepEqual(linesOf(hosts).slice(0, 1), [
    "a: interface eth0 goes down: 10.9.0.50 a → b after 3.61, nobody 3.61, then a",
  ]);
  assert.deepEqual(hosts.flatMap(faultsOf).map(inWords), [
    ...["a: interface eth0 goes down", "a stops", "a dies"],
    ...["b: interface eth0 goes down", "b stops", "b dies"],
  ]);
});

test("files that will not agree show two holders from the beginning", () => {
  const [a, b] = pair();
  assert.ok(a !== undefined && b !== undefined);
  const other = configuration([instance({ priority: 100, authPass: "secret" })]);
  assert.deepEqual(rehearse([a, { ...b, configuration: other }]).before[0]?.holders, ["a", "b"]);
});

test("equal priorities are pointed out where addresses decide that no file says", () => {
  assert.deepEqual(rehearse(pair({ priority: 100 })).undecided, ["V"]);
  assert.deepEqual(rehearse(pair()).undecided, []);
});

test("a failure is named as it is printed, and what is not there is answered with what there is", () => {
  const hosts = pair();
  for (const fault of hosts.flatMap(faultsOf)) assert.deepEqual(readFault(inWords(fault), hosts), fault);
  assert.deepEqual(readFault("a: stops", hosts), { kind: "stops", host: "a" });
  assert.equal(readFault("c dies", hosts), '"c dies" begins with no host: write one of a, b');
  assert.equal(readFault("a: script x", hosts), '"a: script x": a has interface eth0, stops, dies');
});
