/**
 * `balance static-rr`: a table with as many places as the weights need, walked in turn.
 *
 * The table is made anew when a server joins or leaves; the weight of a server that is in it does not change on the fly.
 */

import { type Candidate, isFull, type Rotation } from "./rotation.ts";

export class StaticRoundRobin<S extends Candidate> implements Rotation<S> {
  #servers: S[] = [];
  #table: S[] | undefined;
  #index = 0;

  get size(): number {
    return this.#servers.length;
  }

  add(server: S): void {
    this.#servers.push(server);
    this.#servers.sort((a, b) => a.id - b.id);
    this.#table = undefined;
  }

  remove(server: S): void {
    this.#servers = this.#servers.filter((other) => other !== server);
    this.#table = undefined;
  }

  reweigh(): void {}
  loadChanged(): void {}

  choose(avoid: S | undefined): S | undefined {
    this.#table ??= spread(this.#servers);
    const places = this.#table.length;
    if (this.#index >= places) this.#index = 0;
    let avoidedAt = -1;
    for (let step = 0; step < places; step++) {
      const at = (this.#index + step) % places;
      const server = this.#table[at];
      if (server === undefined || isFull(server)) continue;
      if (server === avoid) {
        avoidedAt = at;
        continue;
      }
      this.#index = at + 1;
      return server;
    }
    if (avoidedAt < 0) return undefined;
    this.#index = avoidedAt + 1;
    return this.#table[avoidedAt];
  }
}

/** Each place goes to the server that is furthest behind its share; of equals to the one declared first. */
function spread<S extends Candidate>(servers: readonly S[]): S[] {
  const divisor = servers.reduce((sum, server) => greatestCommonDivisor(sum, server.weight), 0);
  const shares = servers.map((server) => server.weight / divisor);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const scores = shares.map(() => 0);
  const table: S[] = [];
  while (table.length < total) {
    let best = -1;
    let bestRank = 0;
    for (const [index, share] of shares.entries()) {
      const score = (scores[index] ?? 0) + share;
      scores[index] = score;
      const rank = Math.floor((score + total) / total);
      if (best < 0 || rank > bestRank) {
        best = index;
        bestRank = rank;
      }
    }
    const server = servers[best];
    if (server === undefined) break;
    scores[best] = (scores[best] ?? 0) - total;
    table.push(server);
  }
  return table;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
