/**
 * Which servers may be chosen: the active ones, else the backups; an algorithm then picks one of them.
 *
 * HAProxy configuration.txt `balance`, `backup`, `option allbackups`, `weight`. Pure. Counts no connection itself: the
 * owner keeps `served` and `queued` and says when they changed.
 */

import { FirstAvailable } from "./first.ts";
import { LeastConnections } from "./leastconn.ts";
import { type Candidate, isFull, type Rotation } from "./rotation.ts";
import { RoundRobin } from "./roundrobin.ts";
import { StaticRoundRobin } from "./static-rr.ts";

export type Algorithm = "roundrobin" | "static-rr" | "leastconn" | "first";

export function createRotation<S extends Candidate>(algorithm: Algorithm): Rotation<S> {
  switch (algorithm) {
    case "roundrobin":
      return new RoundRobin<S>();
    case "static-rr":
      return new StaticRoundRobin<S>();
    case "leastconn":
      return new LeastConnections<S>();
    case "first":
      return new FirstAvailable<S>();
    default:
      return algorithm satisfies never;
  }
}

export class Balancer<S extends Candidate> {
  readonly #active: Rotation<S>;
  readonly #backup: Rotation<S>;
  readonly #allBackups: boolean;
  readonly #usable = new Set<S>();
  #firstBackup: S | undefined;

  constructor(algorithm: Algorithm, allBackups: boolean) {
    this.#active = createRotation<S>(algorithm);
    this.#backup = createRotation<S>(algorithm);
    this.#allBackups = allBackups;
  }

  get activeCount(): number {
    return this.#active.size;
  }
  get backupCount(): number {
    return this.#backup.size;
  }
  /** False: there is nobody to choose, not even later. */
  get hasUsable(): boolean {
    return this.#usable.size > 0;
  }

  /** Call after `up` or the weight changed, and once for every server at the start, in file order. */
  update(server: S, up: boolean): void {
    const usable = up && server.weight > 0;
    const rotation = server.backup ? this.#backup : this.#active;
    if (usable && this.#usable.has(server)) {
      rotation.reweigh(server);
      return;
    }
    if (usable) {
      this.#usable.add(server);
      rotation.add(server);
    } else if (this.#usable.delete(server)) {
      rotation.remove(server);
    }
    this.#firstBackup = this.#findFirstBackup();
  }

  loadChanged(server: S): void {
    if (this.#usable.has(server)) (server.backup ? this.#backup : this.#active).loadChanged(server);
  }

  /** Undefined: nobody is usable (see `hasUsable`) or all are full. */
  choose(avoid?: S): S | undefined {
    if (this.#active.size > 0) return this.#active.choose(avoid);
    if (this.#allBackups) return this.#backup.choose(avoid);
    const only = this.#firstBackup;
    return only === undefined || isFull(only) ? undefined : only;
  }

  /** True when a balanced request could go to this server now. */
  takesLoad(server: S): boolean {
    if (!this.#usable.has(server)) return false;
    if (!server.backup) return true;
    return this.#active.size === 0 && (this.#allBackups || server === this.#firstBackup);
  }

  #findFirstBackup(): S | undefined {
    let first: S | undefined;
    for (const server of this.#usable) {
      if (server.backup && (first === undefined || server.id < first.id)) first = server;
    }
    return first;
  }
}
