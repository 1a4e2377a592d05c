/**
 * Plans that look the same from every host, for equal links, equal loads and a number of VIPs that the hosts divide.
 *
 * A few base orders, each turned by 0, 1, … N−1 hosts, are the plan. Then survivor h under F carries what survivor 0 carries
 * under F − h, so loads of survivor 0 are all there is to look at: a search that is N times smaller, in N times less space. A
 * host at place i of a base order b is survivor 0 in one of its turns, after the hosts b[0]−b[i], …, b[i−1]−b[i].
 */

import { failureSets, sizeOf } from "./failure-sets.ts";
import { Sequence } from "./sequence.ts";

export interface RotationTask {
  readonly hosts: number;
  /** Base orders. */
  readonly bases: number;
  readonly failures: number;
  /** Index is the number of failed hosts: VIPs that a survivor may hold. */
  readonly targets: readonly number[];
  readonly effort: number;
  readonly seed: number;
}

/** Orders of bases × hosts VIPs, and whether all targets are met. */
export function searchRotations(task: RotationTask): { orders: number[][]; met: boolean } {
  const { hosts, failures, bases, effort } = task;
  const sequence = new Sequence(task.seed);
  // Host 0 survives: bit h − 1 stands for host h.
  const sets = failureSets(hosts - 1, failures);
  const target = Int32Array.from(sets, (set) => Math.max(0, Math.floor((task.targets[sizeOf(set)] ?? 0) + 1e-6)));
  const weight = Int32Array.from(sets, (set) => (sizeOf(set) === failures ? 4 : 1));
  const held = new Int32Array(sets.length);
  let cost = 0;
  const add = (before: number, by: number) => {
    for (let index = 0; index < sets.length; index++) {
      if (((sets[index] ?? 0) & before) !== before) continue;
      const old = Math.max(0, (held[index] ?? 0) - (target[index] ?? 0));
      held[index] = (held[index] ?? 0) + by;
      const now = Math.max(0, (held[index] ?? 0) - (target[index] ?? 0));
      cost += (weight[index] ?? 0) * (now * now - old * old);
    }
  };
  const addOrder = (order: readonly number[], by: number) => {
    for (let place = 1; place <= failures; place++) {
      let before = 0;
      for (let one = 0; one < place; one++) {
        before |= (1 << (((order[one] ?? 0) - (order[place] ?? 0) + hosts) % hosts)) >> 1;
      }
      add(before, by);
    }
  };
  const orders = Array.from({ length: bases }, (_, base) =>
    Array.from({ length: hosts }, (_, place) => (place === 0 ? 0 : ((place - 1 + base) % (hosts - 1)) + 1)),
  );
  // At place 0 nobody need be gone: one VIP of every base, whatever its order.
  add(0, bases);
  for (const order of orders) addOrder(order, 1);
  let best = orders.map((order) => [...order]);
  let bestCost = cost;
  const moves = Math.max(100, Math.ceil(effort / (sets.length * failures)));
  for (let move = 0; move < moves && bestCost > 0 && hosts > 2; move++) {
    const warmth = 3 * (1 - move / moves) ** 2 + 0.1;
    const before = cost;
    const base = sequence.below(bases);
    const old = orders[base] ?? [];
    const next = [...old];
    // Place 0 is host 0 in every base: turning a base changes nothing.
    const a = 1 + sequence.below(Math.min(failures, hosts - 2));
    const b = a + 1 + sequence.below(hosts - a - 1);
    [next[a], next[b]] = [old[b] ?? 0, old[a] ?? 0];
    addOrder(old, -1);
    addOrder(next, 1);
    if (cost > before && sequence.fraction() >= Math.exp((before - cost) / warmth)) {
      addOrder(next, -1);
      addOrder(old, 1);
      continue;
    }
    orders[base] = next;
    if (cost < bestCost) [best, bestCost] = [orders.map((order) => [...order]), cost];
  }
  return { orders: turnedAll(best, hosts), met: bestCost === 0 };
}

const turnedAll = (bases: readonly (readonly number[])[], hosts: number): number[][] =>
  bases.flatMap((base) => Array.from({ length: hosts }, (_, turn) => base.map((host) => (host + turn) % hosts)));
