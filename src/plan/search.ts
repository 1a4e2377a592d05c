/**
 * Looks for orders under which no survivor's link is used beyond a target, by simulated annealing (Kirkpatrick 1983).
 *
 * Works on the use of every survivor under every failure set, kept up to date move by move. Finds, proves nothing: bounds
 * and `exhaustive.ts` do. Deterministic: the same input gives the same orders.
 */

import { failureSets, sizeOf } from "./failure-sets.ts";
import { ownerOf } from "./outcome.ts";
import type { PlannedVip } from "./problem.ts";
import { Sequence } from "./sequence.ts";

export interface SearchTask {
  readonly vips: readonly PlannedVip[];
  readonly links: readonly number[];
  readonly failures: number;
  /** Index is the number of failed hosts: a use that is not to be exceeded. Undefined: no matter. */
  readonly targets: readonly (number | undefined)[];
  /** Index is the number of failed hosts: how much a breach weighs. */
  readonly weights: readonly number[];
  /** Elementary steps, some nanoseconds each. */
  readonly effort: number;
  readonly seed: number;
}

export interface Found {
  readonly vips: readonly PlannedVip[];
  /** All targets are met. */
  readonly met: boolean;
}

const COLDEST = 0.02;
const TOLERANCE = 1e-7;

export function search(task: SearchTask): Found {
  const board = new Board(task);
  const sequence = new Sequence(task.seed);
  let best = board.orders();
  let bestCost = board.cost;
  const moves = Math.max(200, Math.ceil(task.effort / (2 * board.sets.length + 20)));
  const hosts = task.links.length;
  const differing = task.vips.some(({ load }) => load !== task.vips[0]?.load);
  for (let move = 0; move < moves && bestCost > TOLERANCE && hosts > 1; move++) {
    const warmth = (1 - move / moves) ** 2 + COLDEST;
    const before = board.cost;
    const vip = sequence.below(task.vips.length);
    const other = differing && sequence.below(2) === 0 ? sequence.below(task.vips.length) : vip;
    const undo =
      other === vip
        ? board.reorder(vip, swapped(board.orderOf(vip), sequence, Math.min(task.failures + 1, hosts - 1)))
        : board.exchange(vip, other);
    if (board.cost > before && sequence.fraction() >= Math.exp((before - board.cost) / warmth)) undo();
    else if (board.cost < bestCost - TOLERANCE) [best, bestCost] = [board.orders(), board.cost];
  }
  return { vips: task.vips.map(({ load }, vip) => ({ load, order: best[vip] ?? [] })), met: bestCost <= TOLERANCE };
}

/** One of the first `reach` places changes with any later one. */
function swapped(order: readonly number[], sequence: Sequence, reach: number): number[] {
  const next = [...order];
  const a = sequence.below(reach);
  const b = a + 1 + sequence.below(order.length - a - 1);
  [next[a], next[b]] = [order[b] ?? 0, order[a] ?? 0];
  return next;
}

/** Loads under every failure set. Costs are counted in average VIPs on an average link, so that one temperature suits all. */
class Board {
  readonly sets: Int32Array;
  cost = 0;
  readonly #task: SearchTask;
  readonly #orders: (readonly number[])[];
  readonly #hosts: number;
  readonly #use: Float64Array;
  readonly #target: Float64Array;
  readonly #weight: Float64Array;
  readonly #owner: Uint8Array;
  readonly #perLink: number[];

  constructor(task: SearchTask) {
    const { vips, links, failures } = task;
    const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
    const unit = mean(vips.map(({ load }) => load)) / mean(links);
    this.#task = task;
    this.#hosts = links.length;
    this.#orders = vips.map(({ order }) => order);
    this.#perLink = links.map((link) => 1 / (link * unit));
    this.sets = failureSets(links.length, failures).filter((set) => (task.weights[sizeOf(set)] ?? 0) > 0);
    this.#target = Float64Array.from(this.sets, (set) => (task.targets[sizeOf(set)] ?? 1e9) / unit + 1e-6);
    this.#weight = Float64Array.from(this.sets, (set) => task.weights[sizeOf(set)] ?? 0);
    this.#use = new Float64Array(this.sets.length * links.length);
    this.#owner = new Uint8Array(this.sets.length * vips.length);
    for (const [vip, { order, load }] of vips.entries()) {
      for (const [index, set] of this.sets.entries()) {
        const owner = ownerOf(order, set);
        this.#owner[vip * this.sets.length + index] = owner;
        this.#add(index, owner, load);
      }
    }
  }

  orderOf = (vip: number): readonly number[] => this.#orders[vip] ?? [];
  orders = (): (readonly number[])[] => [...this.#orders];

  /** Returns how to take it back. */
  reorder(vip: number, order: readonly number[]): () => void {
    const old = this.orderOf(vip);
    this.#put(vip, order);
    return () => this.#put(vip, old);
  }

  exchange(a: number, b: number): () => void {
    const [first, second] = [this.orderOf(a), this.orderOf(b)];
    this.#put(a, second);
    this.#put(b, first);
    return () => {
      this.#put(a, first);
      this.#put(b, second);
    };
  }

  #put(vip: number, order: readonly number[]): void {
    const load = this.#task.vips[vip]?.load ?? 0;
    const { sets } = this;
    const base = vip * sets.length;
    for (let index = 0; index < sets.length; index++) {
      const set = sets[index] ?? 0;
      let place = 0;
      while ((set >> (order[place] ?? 0)) & 1) place++;
      const now = order[place] ?? 0;
      const before = this.#owner[base + index] ?? 0;
      if (now === before) continue;
      this.#owner[base + index] = now;
      this.#add(index, before, -load);
      this.#add(index, now, load);
    }
    this.#orders[vip] = order;
  }

  #add(index: number, host: number, load: number): void {
    const at = index * this.#hosts + host;
    const target = this.#target[index] ?? 0;
    const old = this.#use[at] ?? 0;
    const use = old + load * (this.#perLink[host] ?? 0);
    this.#use[at] = use;
    const [was, is] = [Math.max(0, old - target), Math.max(0, use - target)];
    this.cost += (this.#weight[index] ?? 0) * (is * is - was * was);
  }
}
