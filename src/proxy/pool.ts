/**
 * Idle connections to one server, shared by all clients of the process.
 *
 * The one used last is used next, so that those which are not needed stay idle and are closed: every five seconds half of
 * those that nobody took in that time (HAProxy's `pool-purge-delay`).
 */

import { seconds } from "../base/time.ts";
import type { ServerConnection } from "./server-connection.ts";
import { Timer, type TimerOwner, type Timers } from "./timers.ts";

const PURGE_DELAY = seconds(5);

export class Pool implements TimerOwner {
  readonly #idle: ServerConnection[] = [];
  readonly #timers: Timers;
  readonly #purgeTimer = new Timer(this);
  /** The smallest number that lay idle since the last purge: so many were not needed. */
  #spare = 0;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get size(): number {
    return this.#idle.length;
  }

  put(connection: ServerConnection): void {
    connection.user = undefined;
    this.#idle.push(connection);
    if (this.#purgeTimer.due === undefined) {
      this.#spare = 0;
      this.#timers.setAfter(this.#purgeTimer, PURGE_DELAY);
    }
  }

  /** `proven`: only one that has carried more than one request. */
  take(proven: boolean): ServerConnection | undefined {
    const idle = this.#idle;
    for (let i = idle.length - 1; i >= 0; i--) {
      const connection = idle[i];
      if (connection === undefined || (proven && connection.completed < 2)) continue;
      if (i === idle.length - 1) idle.pop();
      else idle.splice(i, 1);
      if (idle.length < this.#spare) this.#spare = idle.length;
      return connection;
    }
    return undefined;
  }

  remove(connection: ServerConnection): void {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  clear(): void {
    for (const connection of this.#idle.splice(0)) connection.abort();
    this.#timers.drop(this.#purgeTimer);
  }

  timerExpired(): void {
    const excess = Math.ceil(this.#spare / 2);
    for (const connection of this.#idle.splice(0, excess)) connection.abort();
    this.#spare = this.#idle.length;
    if (this.#idle.length > 0) this.#timers.setAfter(this.#purgeTimer, PURGE_DELAY);
  }
}
