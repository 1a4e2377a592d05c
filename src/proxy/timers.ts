/**
 * Every time-out of a proxy process behind the one alarm of its transport.
 *
 * The clock is read once for each thing that the transport reports (`tick`); in between, time stands still, as it does for
 * HAProxy within one turn of its loop. Moving a timer to later, which happens with every byte, only writes a number: the queue learns of it when the earlier
 * time is reached. Moving it to earlier or dropping it costs O(log n).
 */

import { Heap, type HeapEntry } from "../base/heap.ts";
import { between, type Duration, type Instant } from "../base/time.ts";

export interface TimerOwner {
  timerExpired(): void;
}

export class Timer implements HeapEntry {
  heapIndex = -1;
  /** When the queue looks at it; not later than `due`. */
  at = 0 as Instant;
  due: Instant | undefined;
  readonly owner: TimerOwner;

  constructor(owner: TimerOwner) {
    this.owner = owner;
  }
}

export interface Alarm {
  now(): Instant;
  setAlarm(delay: Duration | undefined, ring: () => void): void;
}

export class Timers {
  readonly #alarm: Alarm;
  readonly #queue = new Heap<Timer>((a, b) => a.at < b.at);
  #armedFor: Instant | undefined;
  /** The time of the event that is being handled. */
  now: Instant;

  constructor(alarm: Alarm) {
    this.#alarm = alarm;
    this.now = alarm.now();
  }

  /** To be called first whenever something happens outside. */
  tick(): void {
    this.now = this.#alarm.now();
  }

  /** Undefined: never. */
  set(timer: Timer, due: Instant | undefined): void {
    timer.due = due;
    if (due === undefined) return;
    if (timer.heapIndex < 0) {
      timer.at = due;
      this.#queue.insert(timer);
      this.#arm();
    } else if (due < timer.at) {
      timer.at = due;
      this.#queue.moved(timer);
      this.#arm();
    }
  }

  /** From now; undefined: never. */
  setAfter(timer: Timer, delay: Duration | undefined): void {
    this.set(timer, delay === undefined ? undefined : ((this.now + delay) as Instant));
  }

  /** For the end of the timer's owner: nothing refers to it afterwards. */
  drop(timer: Timer): void {
    timer.due = undefined;
    this.#queue.remove(timer);
  }

  readonly #ring = (): void => {
    this.#armedFor = undefined;
    this.tick();
    const now = this.now;
    for (let timer = this.#queue.first; timer !== undefined && timer.at <= now; timer = this.#queue.first) {
      const due = timer.due;
      if (due !== undefined && due > now) {
        timer.at = due;
        this.#queue.moved(timer);
        continue;
      }
      this.#queue.remove(timer);
      timer.due = undefined;
      if (due !== undefined) timer.owner.timerExpired();
    }
    this.#arm();
  };

  #arm(): void {
    const first = this.#queue.first;
    if (first === undefined) {
      if (this.#armedFor !== undefined) this.#alarm.setAlarm(undefined, this.#ring);
      this.#armedFor = undefined;
      return;
    }
    if (this.#armedFor !== undefined && this.#armedFor <= first.at) return;
    this.#armedFor = first.at;
    this.#alarm.setAlarm(Math.max(0, between(this.now, first.at)) as Duration, this.#ring);
  }
}
