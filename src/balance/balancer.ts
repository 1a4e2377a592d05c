/**
 * Which servers may be chosen: the active ones, else the backups; an algorithm then picks one of them.
 *
 * HAProxy configuration.txt `balance`, `backup`, `option allbackups`, `weight`. Pure. Counts no connection itself: the
 * owner keeps `served` and `queued` and says when they changed.
 */

import { FirstAvailable } from "./first.ts";
import { LeastConnections } from "./leastconn.ts";
import { RoundRobin } from "./roundrobin.ts";
import { StaticRoundRobin } from "./static-rr.ts";

export type Algorithm = "roundrobin" | "static-rr" | "leastconn" | "first";

/** What an algorithm reads of a server. */
export interface Candidate {
  /** From 1 in file order. */
  readonly id: number;
  readonly backup: boolean;
  /** 0..256; 0 takes no balanced load. */
  readonly weight: number;
  /** 0: unlimited. */
  readonly maxconn: number;
  /** Requests it is working on. */
  readonly served: number;
  /** Requests that wait for this very server. */
  readonly queued: number;
}

/** One algorithm over one set of servers. */
export interface Rotation<S extends Candidate> {
  readonly size: number;
  add(server: S): void;
  remove(server: S): void;
  /** The weight changed and is not zero. */
  reweigh(server: S): void;
  /** `served` or `queued` changed. */
  loadChanged(server: S): void;
  /** `avoid` comes only when no other server can take the request. Undefined: all are full. */
  choose(avoid: S | undefined): S | undefined;
}

/** A server with a connection limit takes no more when it is reached, nor before those that already wait for it. */
export const isFull = (server: Candidate): boolean =>
  server.maxconn > 0 && (server.queued > 0 || server.served >= server.maxconn);

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
