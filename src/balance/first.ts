/** `balance first`: the server with the lowest number that has a free place; weights do not count. */

import { type Candidate, isFull, type Rotation } from "./rotation.ts";

export class FirstAvailable<S extends Candidate> implements Rotation<S> {
  #servers: S[] = [];

  get size(): number {
    return this.#servers.length;
  }

  add(server: S): void {
    this.#servers.push(server);
    this.#servers.sort((a, b) => a.id - b.id);
  }

  remove(server: S): void {
    this.#servers = this.#servers.filter((other) => other !== server);
  }

  reweigh(): void {}
  loadChanged(): void {}

  choose(avoid: S | undefined): S | undefined {
    let avoided: S | undefined;
    for (const server of this.#servers) {
      if (isFull(server)) continue;
      if (server !== avoid) return server;
      avoided = server;
    }
    return avoided;
  }
}
