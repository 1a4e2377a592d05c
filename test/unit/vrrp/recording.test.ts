/** Recording a run of the machine and replaying it: the same answers, and the place where they are not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { instantAt, seconds } from "../../../src/base/time.ts";
import { DEFAULT_HOST_PARAMETERS, initialState, nextDeadline, transition } from "../../../src/vrrp/host.ts";
import type { Input } from "../../../src/vrrp/messages.ts";
import { inputLine, type ReplayItem, replay, stateLine } from "../../../src/vrrp/recording.ts";
import { configuration, instance, ip } from "../../support/vrrp-configuration.ts";

const TIME = "2026-11-21T08:00:00.000Z";

/** A host that becomes master, loses its link and stops. */
function recorded(): string[] {
  let state = initialState(configuration([instance({ virtualRouterId: 5 })]));
  let now = instantAt(5_000_000);
  const lines = [stateLine({ why: "start", time: TIME, at: now, parameters: DEFAULT_HOST_PARAMETERS, state })];
  const feed = (input: Input) => {
    const step = transition(DEFAULT_HOST_PARAMETERS, state, input, now);
    lines.push(inputLine(now, input, step.outputs));
    state = step.state;
  };
  feed({ type: "start", interfaces: [{ name: "eth0", up: true, addresses: [ip("10.9.0.1")] }] });
  const end = instantAt(now + seconds(10));
  for (let due = nextDeadline(state); due !== undefined && due < end; due = nextDeadline(state)) {
    now = due;
    feed({ type: "timer" });
  }
  now = end;
  feed({ type: "link", interface: "eth0", up: false });
  return lines;
}

const states = (items: readonly ReplayItem[]): string[] =>
  items.flatMap((item) =>
    item.type === "step"
      ? item.outputs.flatMap((one) => (one.type === "state" ? [`${one.from} → ${one.to}`] : []))
      : [],
  );
const differences = (items: readonly ReplayItem[]) =>
  items.flatMap((item) => (item.type === "step" && item.differs !== undefined ? [item] : []));

test("a replay gives the same changes of state and the same outputs as the run", () => {
  const { items, final } = replay(recorded());
  assert.deepEqual(states(items), ["INIT → BACKUP", "BACKUP → MASTER", "MASTER → FAULT"]);
  assert.deepEqual(differences(items), []);
  assert.equal(final?.instances[0]?.state, "FAULT");
  const [, first] = items;
  assert.deepEqual(items[0], { type: "state", line: 1, why: "start", time: TIME });
  assert.equal(first?.type === "step" ? first.sinceState : undefined, 0);
});

test("a replay that answers otherwise says at which line, and what was recorded there", () => {
  const lines = recorded();
  // As if the machine of then had had another priority.
  lines[0] = (lines[0] ?? "").replace('"priority":100', '"priority":90');
  const [first] = differences(replay(lines).items);
  assert.equal(first?.line, 2);
  // With priority 90 the wait is longer: the timer that made it master then comes too early now.
  const master = differences(replay(lines).items).find(({ differs }) =>
    differs?.recorded.includes("V BACKUP → MASTER"),
  );
  assert.deepEqual(master?.differs, { recorded: ["V BACKUP → MASTER"], now: [] });
});

test("a recording that was cut gives everything before, and the line", () => {
  const lines = recorded();
  const last = lines.length;
  lines[last - 1] = (lines[last - 1] ?? "").slice(0, 20);
  const { items, final } = replay(lines);
  assert.deepEqual(items.at(-1), { type: "damage", line: last, what: "not JSON: cut off?" });
  assert.equal(final?.instances[0]?.state, "MASTER");
});

test("behind damage nothing is believed until the next whole state", () => {
  const lines = recorded();
  lines.splice(2, 1, "garbage", ...recorded());
  const { items } = replay(lines);
  assert.deepEqual(
    items.flatMap((item) => (item.type === "damage" ? [item.line] : [])),
    [3],
  );
  assert.equal(items.filter(({ type }) => type === "state").length, 2);
  assert.deepEqual(states(items).slice(-3), ["INIT → BACKUP", "BACKUP → MASTER", "MASTER → FAULT"]);
});

test("another file, and a recording of another version, are refused in words", () => {
  const said = (text: string) => replay([text]).items;
  assert.deepEqual(said("vrrp_instance VI_1 {"), [
    { type: "damage", line: 1, what: "not the beginning of a recording" },
  ]);
  assert.deepEqual(said('{"recording":2}'), [
    { type: "damage", line: 1, what: "a recording of version 2; this evenkeel reads version 1" },
  ]);
  assert.deepEqual(said(""), []);
});

test("inputs behind damage are not played on a state that may be wrong", () => {
  const lines = recorded();
  lines.splice(2, 0, "garbage", "more garbage");
  const { items } = replay(lines);
  assert.deepEqual(
    items.map(({ type }) => type),
    ["state", "step", "damage"],
  );
});

test("a whole state of no time is damage, and is passed over", () => {
  for (const time of ["x", "", "2026-13-01T00:00:00Z", "2026-01-01"]) {
    const lines = recorded().with(0, (recorded()[0] ?? "").replace(TIME, time));
    const { items, final } = replay(lines);
    assert.deepEqual(items, [{ type: "damage", line: 1, what: "not the beginning of a recording" }]);
    assert.equal(final, undefined);
  }
});
