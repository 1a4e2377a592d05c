/**
 * The connections to one server: how many there are, and those that are idle, shared by all clients of the process.
 *
 * The one used last is used next, so that those which are not needed stay idle and are closed. As in HAProxy no more are kept
 * than were in use at once of late (its `need_conn_est`): every five seconds (`pool-purge-delay`) half of what is above that
 * goes, and the estimate moves half way to what the last five seconds needed.
 */

import { seconds } from "../base/time.ts";
import { Timer, type TimerOwner, type Timers } from "./timers.ts";

const PURGE_DELAY = seconds(5);

export interface Pooled {
  /** Requests that were answered over it. */
  readonly completed: number;
  /** Comes back as `closed`. */
  abort(): void;
}

export class Pool<C extends Pooled> implements TimerOwner {
  /** Connections that belong to a stream. */
  used = 0;
  /** As many as are worth keeping. */
  needed = 0;
  readonly #idle: C[] = [];
  readonly #timers: Timers;
  readonly #purgeTimer = new Timer(this);
  /** The largest `used` since the last purge. */
  #peak = 0;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /** One more is used: a new one. */
  opened(): void {
    this.used++;
    if (this.used > this.#peak) this.#peak = this.used;
    if (this.used > this.needed) this.needed = this.used;
  }

  /** From use to idle. False: there are enough, and it is to be closed. */
  put(connection: C): boolean {
    if (this.used + this.#idle.length > this.needed) return false;
    this.used--;
    this.#idle.push(connection);
    if (this.#purgeTimer.due === undefined) this.#timers.setAfter(this.#purgeTimer, PURGE_DELAY);
    return true;
  }

  /** From idle to use. `proven`: only one that has carried more than one request. */
  take(proven: boolean): C | undefined {
    const idle = this.#idle;
    for (let i = idle.length - 1; i >= 0; i--) {
      const connection = idle[i];
      if (connection === undefined || (proven && connection.completed < 2)) continue;
      if (i === idle.length - 1) idle.pop();
      else idle.splice(i, 1);
      this.opened();
      return connection;
    }
    return undefined;
  }

  /** It is no connection any more. */
  closed(connection: C): void {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    else this.used--;
  }

  clear(): void {
    for (const connection of this.#idle.slice()) connection.abort();
    this.#timers.drop(this.#purgeTimer);
  }

  timerExpired(): void {
    const excess = Math.ceil((this.used + this.#idle.length - this.needed) / 2);
    for (const connection of this.#idle.slice(0, Math.max(0, excess))) connection.abort();
    this.needed = Math.max(Math.floor((this.needed + this.#peak) / 2), this.#peak);
    this.#peak = this.used;
    if (this.#idle.length > 0) this.#timers.setAfter(this.#purgeTimer, PURGE_DELAY);
  }
}
