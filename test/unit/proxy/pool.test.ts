/** How many idle connections to a server are kept, and for how long. */

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { type Duration, type Instant, seconds } from "../../../src/base/time.ts";
import { Pool } from "../../../src/proxy/pool.ts";
import { Timers } from "../../../src/proxy/timers.ts";

class Fake {
  completed = 1;
  isClosed = false;
  readonly pool: Pool<Fake>;

  constructor(pool: Pool<Fake>) {
    this.pool = pool;
    pool.opened();
  }

  abort(): void {
    this.isClosed = true;
    this.pool.closed(this);
  }
}

describe("the pool of a server", () => {
  let now = 0 as Instant;
  let alarm: { at: number; ring: () => void } | undefined;
  let pool: Pool<Fake>;

  beforeEach(() => {
    now = 0 as Instant;
    alarm = undefined;
    const timers = new Timers({
      now: () => now,
      setAlarm: (delay, ring) => {
        alarm = delay === undefined ? undefined : { at: now + delay, ring };
      },
    });
    pool = new Pool(timers);
  });

  const use = (count: number) => Array.from({ length: count }, () => new Fake(pool));
  /** As the proxy does: what the pool does not want is closed. */
  const release = (connections: readonly Fake[]) =>
    connections.map((connection) => {
      const kept = pool.put(connection);
      if (!kept) connection.abort();
      return kept;
    });
  const wait = (duration: Duration) => {
    const until = now + duration;
    for (let next = alarm; next !== undefined && next.at <= until; next = alarm) {
      now = next.at as Instant;
      alarm = undefined;
      next.ring();
    }
    now = until as Instant;
  };

  test("the connection used last is used next", () => {
    const [first, second] = use(2) as [Fake, Fake];
    release([first, second]);
    assert.deepEqual([pool.take(false), pool.take(false), pool.take(false)], [second, first, undefined]);
  });

  test("only a proven one is given where one is asked for", () => {
    const [fresh, proven] = use(2) as [Fake, Fake];
    proven.completed = 2;
    release([proven, fresh]);
    assert.deepEqual([pool.take(true), pool.take(true)], [proven, undefined]);
  });

  test("no more are kept than were in use at once", () => {
    assert.deepEqual(release(use(3)), [true, true, true]);
    assert.deepEqual(release(use(2)), [false, false]);
    assert.deepEqual([pool.idle, pool.used, pool.needed], [3, 0, 3]);
  });

  test("those that are not needed any more go by halves, every five seconds", () => {
    release(use(8));
    const idle: number[] = [];
    for (let purge = 0; purge < 9; purge++) {
      wait(seconds(5));
      idle.push(pool.idle);
    }
    assert.deepEqual(idle, [8, 8, 6, 4, 2, 1, 0, 0, 0]);
    assert.equal(alarm, undefined);
  });

  test("what is used again and again stays", () => {
    release(use(4));
    for (let second = 0; second < 60; second++) {
      const taken = [pool.take(false), pool.take(false)].filter((one) => one !== undefined);
      wait(seconds(1));
      release(taken);
    }
    assert.deepEqual([pool.idle, pool.needed], [2, 2]);
  });

  test("clearing closes the idle and leaves the used alone", () => {
    const [kept, ...given] = use(3) as [Fake, Fake, Fake];
    release(given);
    pool.clear();
    assert.deepEqual([kept.isClosed, given.map((one) => one.isClosed)], [false, [true, true]]);
    assert.deepEqual([pool.idle, pool.used], [0, 1]);
  });
});
