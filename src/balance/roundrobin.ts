/**
 * `balance roundrobin`: weighted round robin that spreads a heavy server's turns evenly and takes weight changes at once.
 *
 * The order is HAProxy's to the turn (reference "FWRR"; golden rows in the tests). A server stands in one of three queues:
 * `init`, not yet seen in this rotation, heaviest first; `current`, due again in this rotation, by position; `next`, done
 * until the rotation ends. All sums are in effective weights, 16 a unit of weight.
 */

import { Heap, type HeapEntry } from "../base/heap.ts";
import { type Candidate, isFull, type Rotation } from "./rotation.ts";

const SCALE = 16;
const LARGEST_EFFECTIVE_WEIGHT = 256 * SCALE;

interface Turn<S> extends HeapEntry {
  readonly server: S;
  effectiveWeight: number;
  queue: Queue<S> | undefined;
  key: number;
  /** Equal keys keep the order in which they were queued. */
  sequence: number;
  /** Position of the next turn; 0: never had one. */
  nextPosition: number;
  lastPosition: number;
  /** What the division of the rotation by the weight leaves over, carried to the next turn. */
  remainder: number;
}

type Queue<S> = Heap<Turn<S>>;

const earlier = <S>(a: Turn<S>, b: Turn<S>): boolean => (a.key === b.key ? a.sequence < b.sequence : a.key < b.key);

export class RoundRobin<S extends Candidate> implements Rotation<S> {
  readonly #turns = new Map<S, Turn<S>>();
  #init: Queue<S> = new Heap<Turn<S>>(earlier);
  #next: Queue<S> = new Heap<Turn<S>>(earlier);
  readonly #current: Queue<S> = new Heap<Turn<S>>(earlier);
  /** Length of the rotation under way, and of the one after it. */
  #currentWeight = 0;
  #nextWeight = 0;
  #position = 0;
  #sequence = 0;
  /** Until the first choice servers only line up; afterwards a new one is placed within the rotation under way. */
  #started = false;

  get size(): number {
    return this.#turns.size;
  }

  add(server: S): void {
    const turn: Turn<S> = {
      server,
      effectiveWeight: server.weight * SCALE,
      heapIndex: -1,
      queue: undefined,
      key: 0,
      sequence: 0,
      nextPosition: 0,
      lastPosition: 0,
      remainder: 0,
    };
    this.#turns.set(server, turn);
    this.#nextWeight += turn.effectiveWeight;
    if (!this.#started) {
      this.#enqueueByWeight(this.#init, turn);
      return;
    }
    const rest = this.#nextWeight + this.#currentWeight - this.#position;
    turn.nextPosition = this.#position + Math.floor(rest / turn.effectiveWeight);
    this.#enqueue(turn);
  }

  remove(server: S): void {
    const turn = this.#turns.get(server);
    if (turn === undefined) return;
    this.#dequeue(turn);
    this.#turns.delete(server);
    this.#nextWeight -= turn.effectiveWeight;
  }

  reweigh(server: S): void {
    const turn = this.#turns.get(server);
    const weight = server.weight * SCALE;
    if (turn === undefined || turn.effectiveWeight === weight) return;
    this.#nextWeight += weight - turn.effectiveWeight;
    turn.effectiveWeight = weight;
    const inInit = turn.queue === this.#init;
    this.#dequeue(turn);
    if (inInit) {
      this.#enqueueByWeight(this.#init, turn);
      return;
    }
    const step = Math.floor(this.#nextWeight / weight);
    turn.nextPosition = Math.min(turn.lastPosition + step, turn.nextPosition);
    turn.remainder = 0;
    if (turn.nextPosition < this.#position + 2) turn.nextPosition = this.#position + step;
    this.#enqueue(turn);
  }

  loadChanged(): void {}

  choose(avoid: S | undefined): S | undefined {
    this.#begin();
    let skipped: Turn<S>[] | undefined;
    let chosen: Turn<S> | undefined;
    let avoided: Turn<S> | undefined;
    let switched = false;
    while (chosen === undefined) {
      const turn = this.#due();
      if (turn === undefined) {
        if (switched) break;
        switched = true;
        this.#switchRotation();
        continue;
      }
      this.#advance(turn);
      const full = isFull(turn.server);
      if (!full && (turn.server !== avoid || avoided !== undefined)) {
        chosen = turn;
        break;
      }
      if (!full) avoided = turn;
      skipped ??= [];
      skipped.push(turn);
    }
    chosen ??= avoided;
    if (chosen !== undefined) this.#enqueue(chosen);
    for (const turn of skipped?.reverse() ?? []) {
      if (turn === chosen) continue;
      // Those passed over before a switch have lost their place: only their weight counts.
      if (switched) this.#enqueueByWeight(this.#init, turn);
      else this.#enqueue(turn);
    }
    return chosen?.server;
  }

  #begin(): void {
    this.#started = true;
    if (this.#currentWeight > 0) return;
    this.#currentWeight = this.#nextWeight;
    this.#position = this.#nextWeight;
  }

  #due(): Turn<S> | undefined {
    const current = this.#current.first;
    if (current !== undefined && current.nextPosition <= this.#position) return current;
    const fresh = this.#init.first;
    if (fresh === undefined) return current;
    fresh.nextPosition = 0;
    fresh.remainder = 0;
    return fresh;
  }

  #switchRotation(): void {
    const emptied = this.#init;
    this.#init = this.#next;
    this.#next = emptied;
    this.#currentWeight = this.#nextWeight;
    this.#position = this.#nextWeight;
  }

  #advance(turn: Turn<S>): void {
    if (turn.nextPosition === 0) turn.nextPosition = this.#position;
    turn.lastPosition = turn.nextPosition;
    turn.nextPosition += Math.floor(this.#nextWeight / turn.effectiveWeight);
    turn.remainder += this.#nextWeight % turn.effectiveWeight;
    if (turn.remainder >= turn.effectiveWeight) {
      turn.remainder -= turn.effectiveWeight;
      turn.nextPosition++;
    }
    this.#dequeue(turn);
    this.#position++;
  }

  #enqueue(turn: Turn<S>): void {
    const beyond = Math.min(2 * this.#currentWeight, this.#currentWeight + this.#nextWeight);
    if (turn.nextPosition >= beyond) {
      turn.nextPosition -= this.#currentWeight;
      this.#enqueueByWeight(this.#next, turn);
      return;
    }
    const share = LARGEST_EFFECTIVE_WEIGHT + turn.remainder - turn.effectiveWeight;
    this.#insert(this.#current, turn, 256 * turn.nextPosition + Math.floor(share / SCALE));
  }

  #enqueueByWeight(queue: Queue<S>, turn: Turn<S>): void {
    this.#insert(queue, turn, LARGEST_EFFECTIVE_WEIGHT - turn.effectiveWeight);
  }

  #insert(queue: Queue<S>, turn: Turn<S>, key: number): void {
    turn.key = key;
    turn.sequence = this.#sequence++;
    turn.queue = queue;
    queue.insert(turn);
  }

  #dequeue(turn: Turn<S>): void {
    turn.queue?.remove(turn);
    turn.queue = undefined;
  }
}
