/**
 * `balance leastconn`: the server with the fewest requests in hand for its weight.
 *
 * Among equals the one that has waited longest, as HAProxy up to 3.0 does: a server whose load changed goes behind those
 * with the same load.
 */

import { Heap, type HeapEntry } from "../base/heap.ts";
import { type Candidate, isFull, type Rotation } from "./rotation.ts";

interface Load<S> extends HeapEntry {
  readonly server: S;
  key: number;
  sequence: number;
}

export class LeastConnections<S extends Candidate> implements Rotation<S> {
  readonly #loads = new Map<S, Load<S>>();
  readonly #order = new Heap<Load<S>>((a, b) => (a.key === b.key ? a.sequence < b.sequence : a.key < b.key));
  #sequence = 0;

  get size(): number {
    return this.#loads.size;
  }

  add(server: S): void {
    const load = { server, key: loadKey(server), sequence: this.#sequence++, heapIndex: -1 };
    this.#loads.set(server, load);
    this.#order.insert(load);
  }

  remove(server: S): void {
    const load = this.#loads.get(server);
    if (load === undefined) return;
    this.#order.remove(load);
    this.#loads.delete(server);
  }

  reweigh(server: S): void {
    this.loadChanged(server);
  }

  loadChanged(server: S): void {
    const load = this.#loads.get(server);
    if (load === undefined) return;
    const key = loadKey(server);
    if (key === load.key) return;
    load.key = key;
    load.sequence = this.#sequence++;
    this.#order.moved(load);
  }

  choose(avoid: S | undefined): S | undefined {
    const passed: Load<S>[] = [];
    let chosen: S | undefined;
    let avoided: S | undefined;
    for (let load = this.#order.first; load !== undefined; load = this.#order.first) {
      if (!isFull(load.server)) {
        if (load.server !== avoid) {
          chosen = load.server;
          break;
        }
        avoided = load.server;
      }
      this.#order.remove(load);
      passed.push(load);
    }
    for (const load of passed) this.#order.insert(load);
    return chosen ?? avoided;
  }
}

/** Load for the weight. One more than is in hand, so that of two idle servers none is preferred but a heavy one fills first. */
function loadKey(server: Candidate): number {
  const inHand = server.served + server.queued;
  return inHand === 0 ? 0 : Math.floor(((inHand + 1) * 4096) / (server.weight * 16));
}
