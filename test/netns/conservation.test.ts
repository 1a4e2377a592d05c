/**
 * What the data plane counts is what is there, whatever strangers send and operators change meanwhile; and all that it made
 * ends. The counts that hang together: entries of the tables, ActiveConn, InActConn and PersistConn of the servers, half-open
 * entries, replies, tokens of the wheel.
 */

import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { test } from "../support/bpf-tests.ts";
import { DataPlane } from "../support/data-plane.ts";
import { ACK, FIN, frame, SYN } from "../support/frames.ts";
import { type Census, census } from "../support/plane-census.ts";
import { drawFrom, MARK, Operator, randomFrame } from "../support/random-packets.ts";
import { serverKey, serverSettings, serviceKey, serviceSettings } from "../support/tables.ts";
import { until } from "../support/until.ts";

const NOTHING: Census = {
  entries: 0,
  connections: 0,
  templates: 0,
  halfOpen: 0,
  replies: 0,
  tokens: 0,
  countedEntries: 0,
  countedHalfOpen: 0,
  active: 0,
  inactive: 0,
  persistent: 0,
  negative: [],
};

/** The first connection. */
function begin(plane: DataPlane): void {
  const key = serviceKey("10.9.0.1", 80);
  plane.tables.addService(key, serviceSettings({ scheduler: "rr" }));
  plane.tables.addServer(key, serverKey("10.2.0.2", 80), serverSettings());
  const [source, destination] = [serverKey("10.1.0.2", 0).address, serverKey("10.9.0.1", 0).address];
  plane.receive({ protocol: "tcp", source, sourcePort: 40000, destination, destinationPort: 80 }, { flags: SYN });
}

function traffic(
  plane: DataPlane,
  seed: number,
  steps: number,
  after: (step: number) => void,
  persistence: number,
): void {
  const draw = drawFrom(seed);
  const operator = new Operator(draw, plane.tables, persistence);
  operator.begin();
  for (let step = 0; step < steps; step++) {
    if (draw(60) === 0) operator.step();
    plane.receiveFrame(randomFrame(draw), draw(6) === 0 ? MARK : 0);
    after(step);
  }
}

for (const seed of [1, 2, 3]) {
  test(`While nothing ends, each count is the number of what it counts (seed ${seed})`, async () => {
    await using plane = await DataPlane.start();
    plane.setAllTimeouts(600_000);
    // A wheel that is new goes round once, while what is counted here would change.
    begin(plane);
    await until("the wheel comes to the present", () => plane.isWheelAtRest());
    traffic(
      plane,
      seed,
      3000,
      (step) => {
        if (step % 100 !== 99) return;
        const seen = census(plane);
        const where = `seed ${seed}, step ${step}`;
        assert.equal(seen.countedEntries, seen.entries, where);
        assert.equal(seen.active + seen.inactive, seen.connections, where);
        assert.equal(seen.persistent, seen.templates, where);
        assert.equal(seen.countedHalfOpen, seen.halfOpen, where);
        assert.deepEqual(seen.negative, [], where);
        assert.equal(seen.tokens, seen.entries, where);
        assert.ok(
          seen.replies <= seen.connections,
          `${where}: ${seen.replies} replies of ${seen.connections} connections`,
        );
      },
      300,
    );
  });
}

test("After traffic of all kinds has stopped, nothing is left of it", async () => {
  await using plane = await DataPlane.start();
  plane.setAllTimeouts(1000);
  for (const seed of [4, 5]) traffic(plane, seed, 3000, () => {}, 3);
  await emptied(plane);
});

test("Processors that work on the same connections at a time count no differently, and nothing is left either", async () => {
  await using plane = await DataPlane.start();
  plane.setAllTimeouts(600_000);
  begin(plane);
  await until("the wheel comes to the present", () => plane.isWheelAtRest());
  const operator = new Operator(drawFrom(8), plane.tables, 300);
  operator.begin();
  for (let round = 0; round < 8; round++) {
    // Two with the same packets meet at the same connections, for births and changes alike.
    const done = Promise.all([plane.receiveAside(round, 4000), plane.receiveAside(round, 4000)]);
    const change = setInterval(() => operator.step(), 5);
    await done.finally(() => clearInterval(change));
    const seen = census(plane);
    assert.equal(seen.countedEntries, seen.entries);
    assert.equal(seen.active + seen.inactive, seen.connections);
    assert.equal(seen.persistent, seen.templates);
    assert.equal(seen.countedHalfOpen, seen.halfOpen);
    assert.deepEqual(seen.negative, []);
    assert.equal(seen.tokens, seen.entries);
    assert.ok(seen.replies <= seen.connections, `${seen.replies} replies of ${seen.connections} connections`);
  }
});

test("Two processors that change the state of one connection do not both count the change", async () => {
  await using plane = await DataPlane.start();
  plane.setAllTimeouts(600_000);
  begin(plane);
  const [source, destination] = [serverKey("10.1.0.2", 0).address, serverKey("10.9.0.1", 0).address];
  const flow = { protocol: "tcp", source, sourcePort: 40000, destination, destinationPort: 80 } as const;
  const frames = [SYN, ACK, FIN | ACK, ACK, 0].map((flags) => frame(flow, { flags }));
  await Promise.all([plane.receiveAside(1, 150_000, frames), plane.receiveAside(2, 150_000, frames)]);
  const seen = census(plane);
  assert.deepEqual([seen.connections, seen.active + seen.inactive], [1, 1]);
  assert.deepEqual([seen.countedHalfOpen, seen.negative], [seen.halfOpen, []]);
});

test("Nor is anything left when entries end while several processors work on them", async () => {
  await using plane = await DataPlane.start();
  plane.setAllTimeouts(1000);
  const operator = new Operator(drawFrom(9), plane.tables, 8);
  operator.begin();
  const change = setInterval(() => operator.step(), 5);
  for (let round = 0; round < 4; round++) {
    await Promise.all([plane.receiveAside(round, 6000), plane.receiveAside(round, 6000)]);
  }
  clearInterval(change);
  await emptied(plane);
});

/** Templates may stay a minute longer than their connections. */
async function emptied(plane: DataPlane): Promise<void> {
  const deadline = performance.now() + 100_000;
  let seen = census(plane);
  while (performance.now() < deadline && (seen.entries > 0 || seen.tokens > 0)) {
    await wait(250);
    seen = census(plane);
  }
  assert.deepEqual(seen, NOTHING);
}
