/**
 * Decides for small problems whether any orders keep to targets: tries them all, and drops what cannot come right any more.
 *
 * The heaviest VIP first; VIPs of equal load take orders in ascending sequence, since exchanging them changes nothing. A
 * branch ends when a survivor exceeds its target or when what is left does not fit into what is free.
 */

import { failureSets, sizeOf } from "./failure-sets.ts";
import { ownerOf } from "./outcome.ts";

export type Verdict = { readonly kind: "found"; readonly orders: number[][] } | { readonly kind: "none" | "gave-up" };

const MOST_ORDERS = 400;

/** `targets` by the number of failed hosts; undefined: no matter. Orders come back in the order of `loads`. */
export function decide(
  loads: readonly number[],
  links: readonly number[],
  failures: number,
  targets: readonly (number | undefined)[],
  effort: number,
): Verdict {
  const hosts = links.length;
  const prefixes = beginnings(hosts, failures + 1, MOST_ORDERS);
  if (prefixes === undefined) return { kind: "gave-up" };
  const sets = [...failureSets(hosts, failures)].filter((set) => targets[sizeOf(set)] !== undefined);
  const [first = 0] = loads;
  const equalLoads = loads.every((load) => load === first);
  const room = (capacity: number) => (equalLoads ? Math.floor(capacity / first) * first : capacity);
  const free = sets.map((set) =>
    links.map((link, host) => ((set >> host) & 1 ? 0 : room(link * (targets[sizeOf(set)] ?? 0) * (1 + 1e-9)))),
  );
  const owners = prefixes.map((prefix) => sets.map((set) => ownerOf(prefix, set)));
  const sequence = [...loads.keys()].sort((a, b) => (loads[b] ?? 0) - (loads[a] ?? 0));
  const chosen: number[] = [];
  let steps = effort / (sets.length * 2);

  const left = sequence.map((_, at) => sequence.slice(at).reduce((total, vip) => total + (loads[vip] ?? 0), 0));
  const place = (at: number): boolean | undefined => {
    const vip = sequence[at];
    if (vip === undefined) return true;
    const load = loads[vip] ?? 0;
    if (free.some((row) => row.reduce((total, one) => total + one, 0) < (left[at] ?? 0) * (1 - 1e-9))) return false;
    const equal = at > 0 && loads[sequence[at - 1] ?? 0] === load;
    for (let choice = equal ? (chosen[at - 1] ?? 0) : 0; choice < prefixes.length; choice++) {
      if (--steps < 0) return undefined;
      const owner = owners[choice] ?? [];
      if (owner.some((host, index) => (free[index]?.[host] ?? 0) < load * (1 - 1e-9))) continue;
      move(owner, -load);
      chosen[at] = choice;
      const answer = place(at + 1);
      if (answer !== false) return answer;
      move(owner, load);
    }
    return false;
  };
  const move = (owner: readonly number[], by: number) => {
    for (const [index, host] of owner.entries()) {
      const row = free[index];
      if (row !== undefined) row[host] = (row[host] ?? 0) + by;
    }
  };
  const answer = place(0);
  if (answer === undefined) return { kind: "gave-up" };
  if (!answer) return { kind: "none" };
  const orders: number[][] = loads.map(() => []);
  for (const [at, vip] of sequence.entries()) orders[vip] = completed(prefixes[chosen[at] ?? 0] ?? [], hosts);
  return { kind: "found", orders };
}

/** All orders of `length` of the hosts; undefined when there are more than `most`. */
function beginnings(hosts: number, length: number, most: number): number[][] | undefined {
  let all: number[][] = [[]];
  for (let place = 0; place < Math.min(length, hosts); place++) {
    all = all.flatMap((one) =>
      Array.from({ length: hosts }, (_, host) => host)
        .filter((host) => !one.includes(host))
        .map((host) => [...one, host]),
    );
    if (all.length > most) return undefined;
  }
  return all;
}

/** The rest in turn after the last one. */
export function completed(prefix: readonly number[], hosts: number): number[] {
  const order = [...prefix];
  for (let host = (order.at(-1) ?? 0) + 1; order.length < hosts; host++) {
    if (!order.includes(host % hosts)) order.push(host % hosts);
  }
  return order;
}
