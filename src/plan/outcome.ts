/**
 * What a plan comes to: the largest use of a survivor's link over all failure sets of each size. Always exact.
 *
 * Up to a million failure sets each one is looked at. Beyond, each survivor is (docs/guides/planning.md, "More than a million
 * failure sets"). Host h owns a VIP exactly when all hosts before it in the VIP's order are gone; call these P(v, h). So h's
 * load under F is the sum over VIPs with P(v, h) ⊆ F. Let U be the union of those P(v, h): U ⊆ F, and h's load under U is the
 * same. Hence the maximum over all F of at most k hosts is attained at a union of sets P(v, h), and only those are looked at.
 * If turning all hosts by one (h → h + 1) maps the plan to itself, survivor h under F carries what survivor 0 carries under
 * F − h: the failure sets fall into orbits, and survivor 0 stands for all.
 */

import { countUpTo, membersOf, setsOfSize, sizeOf } from "./failure-sets.ts";
import type { PlannedVip, WorstCase } from "./problem.ts";

export const MOST_ENUMERATED = 1_000_000;
/** Of one survivor; what is more is refused instead of guessed. */
const MOST_UNIONS = 2_000_000;

export interface Outcome {
  /** Index is the number of failed hosts, 0..failures. */
  readonly worst: readonly WorstCase[];
  /** How it was found. */
  readonly method: "every failure set" | "every survivor" | "one survivor, by rotation";
  readonly failureSets: number;
}

export const ownerOf = (order: readonly number[], failed: number): number =>
  order.find((host) => ((failed >> host) & 1) === 0) ?? -1;

/** Loads of the hosts; a failed one carries nothing. */
export function loadsUnder(vips: readonly PlannedVip[], hosts: number, failed: number): number[] {
  const loads = new Array<number>(hosts).fill(0);
  for (const { load, order } of vips) {
    const owner = ownerOf(order, failed);
    if (owner >= 0) loads[owner] = (loads[owner] ?? 0) + load;
  }
  return loads;
}

/** Undefined when there are more than a million failure sets and more unions a survivor than can be looked at. */
export function outcomeOf(
  vips: readonly PlannedVip[],
  links: readonly number[],
  failures: number,
  mostEnumerated = MOST_ENUMERATED,
): Outcome | undefined {
  const sets = countUpTo(links.length, failures);
  if (sets <= mostEnumerated) {
    return { worst: byEnumeration(vips, links, failures), method: "every failure set", failureSets: sets };
  }
  const turns = isRotation(vips, links, failures);
  const worst = bySurvivor(vips, links, failures, turns ? [0] : [...links.keys()]);
  if (worst === undefined) return undefined;
  return { worst, method: turns ? "one survivor, by rotation" : "every survivor", failureSets: sets };
}

function byEnumeration(vips: readonly PlannedVip[], links: readonly number[], failures: number): WorstCase[] {
  const hosts = links.length;
  const loads = new Float64Array(hosts);
  // Flat, because a million sets times 255 VIPs pass through the loop below.
  const orders = Uint8Array.from(vips.flatMap(({ order }) => order.slice(0, failures + 1)));
  const vipLoads = Float64Array.from(vips, ({ load }) => load);
  return Array.from({ length: failures + 1 }, (_, size) => {
    let worst = { failures: size, use: -1, load: 0, host: 0, set: 0 };
    for (const set of setsOfSize(hosts, size)) {
      loads.fill(0);
      for (let vip = 0, at = 0; vip < vipLoads.length; vip++, at += failures + 1) {
        let place = at;
        while ((set >> (orders[place] ?? 0)) & 1) place++;
        const owner = orders[place] ?? 0;
        loads[owner] = (loads[owner] ?? 0) + (vipLoads[vip] ?? 0);
      }
      for (let host = 0; host < hosts; host++) {
        const load = loads[host] ?? 0;
        const use = load / (links[host] ?? 1);
        if (use > worst.use) worst = { failures: size, use, load, host, set };
      }
    }
    const { set, ...rest } = worst;
    return { ...rest, failed: membersOf(set) };
  });
}

/** Exported for a test that compares it with enumeration. */
export function bySurvivor(
  vips: readonly PlannedVip[],
  links: readonly number[],
  failures: number,
  survivors: readonly number[],
): WorstCase[] | undefined {
  const worst = Array.from({ length: failures + 1 }, (_, size) => ({
    failures: size,
    use: -1,
    load: 0,
    host: 0,
    union: 0,
  }));
  for (const host of survivors) {
    const before = predecessors(vips, host, failures);
    const unions = unionsOf([...before.keys()], failures);
    if (unions === undefined) return undefined;
    for (const union of unions) {
      let load = 0;
      for (const [set, more] of before) if ((set & union) === set) load += more;
      const use = load / (links[host] ?? 1);
      for (let size = sizeOf(union); size <= failures; size++) {
        if (use > (worst[size]?.use ?? 0)) worst[size] = { failures: size, use, load, host, union };
      }
    }
  }
  return worst.map(({ union, ...rest }) => ({ ...rest, failed: filledUp(union, rest.host, rest.failures) }));
}

/** Hosts before `host` → load of the VIPs that come to it when these are gone. */
function predecessors(vips: readonly PlannedVip[], host: number, failures: number): Map<number, number> {
  const found = new Map<number, number>([[0, 0]]);
  for (const { load, order } of vips) {
    const place = order.indexOf(host);
    if (place > failures) continue;
    const set = order.slice(0, place).reduce((bits, one) => bits | (1 << one), 0);
    found.set(set, (found.get(set) ?? 0) + load);
  }
  return found;
}

function unionsOf(sets: readonly number[], failures: number): Set<number> | undefined {
  const unions = new Set<number>([0]);
  for (const set of sets) {
    for (const union of [...unions]) {
      const larger = union | set;
      if (sizeOf(larger) <= failures) unions.add(larger);
    }
    if (unions.size > MOST_UNIONS) return undefined;
  }
  return unions;
}

/** More failures of others take nothing away from a survivor, so any will do. */
function filledUp(union: number, host: number, failures: number): number[] {
  const failed = membersOf(union);
  for (let other = 0; failed.length < failures; other++) {
    if (other !== host && !failed.includes(other)) failed.push(other);
  }
  return failed.toSorted((a, b) => a - b);
}

/** Whether h → h + 1 maps the plan, as far as `failures` reach into it, to itself. */
export function isRotation(vips: readonly PlannedVip[], links: readonly number[], failures: number): boolean {
  const hosts = links.length;
  if (links.some((link) => link !== links[0])) return false;
  const keys = (turn: number) =>
    vips
      .map(({ load, order }) => [load, ...order.slice(0, failures + 1).map((host) => (host + turn) % hosts)].join(" "))
      .toSorted();
  const turned = keys(1);
  return keys(0).every((key, index) => key === turned[index]);
}
