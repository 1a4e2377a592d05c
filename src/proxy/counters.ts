/** Counting while the proxy works. The figures leave as plain JSON, see statistics.ts. */

import type { ServingStatistics, TrafficStatistics } from "./statistics.ts";

const SECOND = 1_000_000;
/** HAProxy's TIME_STATS_SAMPLES. */
const AVERAGED_REQUESTS = 512;

/** Events a second: what came in this second, plus of the last one the part that still lies within a second of now. */
export class Rate {
  max = 0;
  #second = 0;
  #current = 0;
  #previous = 0;

  /** `now` in microseconds. */
  hit(now: number): void {
    this.#turn(now);
    this.#current++;
    if (this.#current > this.max) this.max = this.#current;
  }

  read(now: number): number {
    this.#turn(now);
    const remaining = 1 - (now % SECOND) / SECOND;
    return Math.floor(this.#current + this.#previous * remaining);
  }

  #turn(now: number): void {
    const second = Math.floor(now / SECOND);
    if (second === this.#second) return;
    this.#previous = second === this.#second + 1 ? this.#current : 0;
    this.#current = 0;
    this.#second = second;
  }
}

/** Mean over the last requests, and the largest seen. Milliseconds. */
class Latency {
  max = 0;
  #mean = 0;
  #count = 0;

  add(value: number): void {
    if (this.#count < AVERAGED_REQUESTS) this.#count++;
    this.#mean += (value - this.#mean) / this.#count;
    if (value > this.max) this.max = value;
  }

  get mean(): number {
    return Math.ceil(this.#mean - 1e-9);
  }
}

export class TrafficCounters {
  scur = 0;
  smax = 0;
  stot = 0;
  bin = 0;
  bout = 0;
  reqTot = 0;
  eint = 0;
  readonly rate = new Rate();
  /** Index 0: other; 1..5: the first digit of the status. */
  readonly hrsp: [number, number, number, number, number, number] = [0, 0, 0, 0, 0, 0];

  sessionBegins(now: number): void {
    this.attempt(now);
    this.occupy();
  }

  /** Counts a session that may come to nothing. */
  attempt(now: number): void {
    this.stot++;
    this.rate.hit(now);
  }

  occupy(): void {
    this.scur++;
    if (this.scur > this.smax) this.smax = this.scur;
  }

  sessionEnds(): void {
    this.scur--;
  }

  response(status: number): void {
    const digit = Math.floor(status / 100);
    const index = digit >= 1 && digit <= 5 ? digit : 0;
    this.hrsp[index as 0]++;
  }

  traffic(now: number): TrafficStatistics {
    return {
      scur: this.scur,
      smax: this.smax,
      stot: this.stot,
      bin: this.bin,
      bout: this.bout,
      rate: this.rate.read(now),
      rateMax: this.rate.max,
      hrsp: [...this.hrsp],
      reqTot: this.reqTot,
      eint: this.eint,
    };
  }
}

export class ServingCounters extends TrafficCounters {
  dresp = 0;
  econ = 0;
  eresp = 0;
  wretr = 0;
  wredis = 0;
  lbtot = 0;
  cliAbrt = 0;
  srvAbrt = 0;
  connect = 0;
  reuse = 0;
  queued = 0;
  queuedMax = 0;
  /** Those whose turn came; the others gave up waiting. */
  dequeued = 0;
  lastSessionMs: number | undefined;
  readonly #queue = new Latency();
  readonly #connect = new Latency();
  readonly #response = new Latency();
  readonly #total = new Latency();

  enqueued(): void {
    this.queued++;
    if (this.queued > this.queuedMax) this.queuedMax = this.queued;
  }

  answered(status: number): void {
    this.response(status);
    this.reqTot++;
  }

  /** Milliseconds; negative: never reached, counted as 0. */
  times(queue: number, connect: number, response: number, total: number): void {
    this.#queue.add(Math.max(0, queue));
    this.#connect.add(Math.max(0, connect));
    this.#response.add(Math.max(0, response));
    this.#total.add(Math.max(0, total));
  }

  serving(now: number): ServingStatistics {
    return {
      ...this.traffic(now),
      dresp: this.dresp,
      econ: this.econ,
      eresp: this.eresp,
      wretr: this.wretr,
      wredis: this.wredis,
      lbtot: this.lbtot,
      cliAbrt: this.cliAbrt,
      srvAbrt: this.srvAbrt,
      connect: this.connect,
      reuse: this.reuse,
      queued: this.queued,
      queuedMax: this.queuedMax,
      lastSessionMs: this.lastSessionMs,
      qtime: this.#queue.mean,
      ctime: this.#connect.mean,
      rtime: this.#response.mean,
      ttime: this.#total.mean,
      qtimeMax: this.#queue.max,
      ctimeMax: this.#connect.max,
      rtimeMax: this.#response.max,
      ttimeMax: this.#total.max,
    };
  }
}

export class FrontendCounters extends TrafficCounters {
  dreq = 0;
  dresp = 0;
  ereq = 0;
  intercepted = 0;
  connTot = 0;
  readonly connRate = new Rate();
  readonly reqRate = new Rate();
}
