/**
 * Who holds which virtual address, and who would after a failure: tried on the virtual routers of all hosts together.
 * Pure; what it says rests on the files alone: every interface is up, every check succeeds, nothing is lost on the way.
 */

import { between, type Duration, type Instant, seconds } from "../../base/time.ts";
import type { VrrpConfiguration } from "../../config/model/vrrp.ts";
import { allAddresses } from "../garp.ts";
import { masterDownInterval } from "../timers.ts";
import { type Fault, faultsOf } from "./faults.ts";
import { dependsOnUnknownAddress, type RehearsedHost, withNames } from "./hosts.ts";
import { RehearsalLan, type Told } from "./lan.ts";

export interface Holding {
  readonly address: string;
  readonly instance: string;
  /** More than one is a conflict. */
  readonly holders: readonly string[];
}

export interface Move {
  readonly addresses: readonly string[];
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** From the failure to the last change of holders. */
  readonly after: Duration;
  /** So long nobody held it, so far as `to` is not empty. */
  readonly nobody: Duration;
  /** So long several did. */
  readonly several: Duration;
  /** Who holds it when the failure is over again. */
  readonly repaired: readonly string[];
}

export interface Step {
  /** Since the failure. */
  readonly after: Duration;
  readonly host: string;
  readonly instance: string;
  readonly what: string;
  readonly cause: string;
}

export interface Outcome {
  readonly faults: readonly Fault[];
  readonly moves: readonly Move[];
  readonly steps: readonly Step[];
  /** It did not come to rest: what is said is how far it got. */
  readonly restless: boolean;
}

export interface Rehearsal {
  readonly before: readonly Holding[];
  readonly outcomes: readonly Outcome[];
  /** Instances of equal priorities whose addresses decide, and no file says them. */
  readonly undecided: readonly string[];
}

/** Without `together` every single failure of every host, each for itself. */
export function rehearse(hosts: readonly RehearsedHost[], together?: readonly Fault[]): Rehearsal {
  const quiet = quietSpan(hosts.map(({ configuration }) => configuration));
  const lan = new RehearsalLan(hosts);
  lan.rest(quiet);
  const list = together === undefined ? hosts.flatMap(faultsOf).map((fault) => [fault]) : [together];
  return {
    before: holdingsOf(hosts, lan),
    outcomes: list.map((faults) => tried(hosts, lan, faults, quiet)),
    undecided: dependsOnUnknownAddress(hosts),
  };
}

function tried(
  hosts: readonly RehearsedHost[],
  calm: RehearsalLan,
  faults: readonly Fault[],
  quiet: Duration,
): Outcome {
  const lan = calm.copy();
  // The worst moment: an advert has just left, a check has just succeeded.
  const [first] = faults;
  if (first !== undefined) lan.until(quiet, (told) => "output" in told && isMoment(first, told));
  const [start, seen] = [lan.now, lan.told.length];
  const before = new Map(addressesOf(hosts).map(({ address }) => [address, lan.holders(address)]));
  for (const fault of faults) lan.fail(fault);
  lan.rest(quiet);
  const told = lan.told.slice(seen);
  const end = lan.now;
  const moved = [...before].filter(([address]) => told.some((one) => "address" in one && one.address === address));
  const after = new Map(moved.map(([address]) => [address, lan.holders(address)]));
  for (const fault of faults) lan.repair(fault);
  lan.rest(quiet);
  const moves = moved.map(([address, from]): Move => {
    const times = timesOf(told, address, from, start, end);
    return { addresses: [address], from, to: after.get(address) ?? [], ...times, repaired: lan.holders(address) };
  });
  return { faults, moves: merged(moves), steps: stepsOf(hosts, told, start), restless: lan.exhausted };
}

function isMoment(fault: Fault, { host, output }: Extract<Told, { readonly output: unknown }>): boolean {
  if (host !== fault.host) return false;
  return fault.kind === "script"
    ? output.type === "run-script" && output.script === fault.name
    : output.type === "send-advert";
}

function timesOf(told: readonly Told[], address: string, from: readonly string[], start: Instant, end: Instant) {
  const holders = new Set(from);
  let [last, nobody, several, changed] = [start, 0, 0, start];
  const pass = (to: Instant) => {
    if (holders.size === 0) nobody += between(last, to);
    if (holders.size > 1) several += between(last, to);
    last = to;
  };
  for (const one of told) {
    if (!("address" in one) || one.address !== address) continue;
    pass(one.at);
    changed = one.at;
    if (one.held) holders.add(one.host);
    else holders.delete(one.host);
  }
  if (holders.size > 1) pass(end);
  return { after: between(start, changed), nobody: nobody as Duration, several: several as Duration };
}

/** Addresses that go together are one move. */
function merged(moves: readonly Move[]): Move[] {
  const groups = Map.groupBy(moves, ({ addresses: _, ...rest }) => JSON.stringify(rest));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined ? [] : [{ ...first, addresses: group.flatMap(({ addresses }) => addresses) }];
  });
}

function stepsOf(hosts: readonly RehearsedHost[], told: readonly Told[], start: Instant): Step[] {
  return told.flatMap((one): Step[] => {
    if (!("output" in one)) return [];
    const { host, output } = one;
    if (output.type !== "state" && output.type !== "priority") return [];
    const { instance, from, to, cause } = output;
    const what = output.type === "priority" ? `priority ${from} → ${to}` : `${from} → ${to}`;
    return [{ after: between(start, one.at), host, instance, what, cause: withNames(cause, hosts) }];
  });
}

const holdingsOf = (hosts: readonly RehearsedHost[], lan: RehearsalLan): Holding[] =>
  addressesOf(hosts).map((one) => ({ ...one, holders: lan.holders(one.address) }));

/** Each once, by the name that the first host has for its instance. */
function addressesOf(hosts: readonly RehearsedHost[]): { readonly address: string; readonly instance: string }[] {
  const all = hosts.flatMap(({ configuration }) =>
    configuration.instances.flatMap((one) =>
      allAddresses(one).map(({ address }) => ({ address: String(address), instance: one.name })),
    ),
  );
  return [...new Map(all.toReversed().map((one) => [one.address, one])).values()].toReversed();
}

/** Longer than anything that a virtual router waits for without a word. */
function quietSpan(configurations: readonly VrrpConfiguration[]): Duration {
  const instances = configurations.flatMap((one) => one.instances);
  const scripts = configurations.flatMap((one) => one.scripts);
  const most = (values: readonly number[]) => Math.max(0, ...values);
  const down = most(
    instances.map((one) => masterDownInterval(one.version, 1, one.advertInterval, one.downTimerAdverts)),
  );
  const delays = most(configurations.map(({ global }) => global.startupDelay));
  const checks = most(scripts.map(({ interval, rise, fall }) => interval * (Math.max(rise, fall) + 1)));
  return (2 * down +
    most(instances.map(({ preemptDelay }) => preemptDelay)) +
    delays +
    checks +
    seconds(1)) as Duration;
}
