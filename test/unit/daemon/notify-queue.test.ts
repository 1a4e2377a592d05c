/** The order of notify scripts, and what becomes of them when they are slow. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ScriptCommand } from "../../../src/config/model/vrrp.ts";
import type { EventBody } from "../../../src/daemon/events.ts";
import { NotifyQueue } from "../../../src/daemon/scripts/notify-queue.ts";
import type { ScriptRunner } from "../../../src/daemon/scripts/script-runner.ts";
import type { ScriptOutcome } from "../../../src/vrrp/messages.ts";

const command = (...argv: string[]): ScriptCommand => ({ argv, user: undefined });
const state = (name: string, ...after: string[]) => ({ state: name, after });
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Scripts that end when the test says so. */
function bench() {
  const started: string[] = [];
  const running = new Map<string, (outcome: ScriptOutcome) => void>();
  const runner = {
    run({ argv }: ScriptCommand) {
      const name = argv.join(" ");
      started.push(name);
      return new Promise<ScriptOutcome>((resolve) => running.set(name, resolve));
    },
  } as unknown as ScriptRunner;
  const lines: string[] = [];
  const events: EventBody[] = [];
  const queue = new NotifyQueue(runner, { write: (_, line) => lines.push(line) }, (event) => events.push(event));
  const end = async (name: string, outcome: ScriptOutcome = { type: "exited", status: 0 }) => {
    running.get(name)?.(outcome);
    running.delete(name);
    await settled();
  };
  return { queue, started, lines, events, end };
}

describe("Notify scripts", () => {
  test("of one instance run one after the other, those of another beside them", async () => {
    const { queue, started, end } = bench();
    queue.add("INSTANCE A", [command("a1"), command("a2")], state("BACKUP"));
    queue.add("INSTANCE A", [command("a3")], state("MASTER"));
    queue.add("INSTANCE B", [command("b1")], state("BACKUP"));
    await settled();
    assert.deepEqual(started, ["a1", "b1"]);
    await end("a1");
    await end("a2");
    assert.deepEqual(started, ["a1", "b1", "a2", "a3"]);
  });

  test("of a group wait for those of its members, as far as these were told before", async () => {
    const { queue, started, end } = bench();
    queue.add("INSTANCE A", [command("a")], state("MASTER"));
    queue.add("INSTANCE B", [command("b")], state("MASTER"));
    queue.add("GROUP G", [command("g")], state("MASTER", "INSTANCE A", "INSTANCE B"));
    queue.add("INSTANCE A", [command("later")], state("BACKUP"));
    await settled();
    await end("b");
    assert.deepEqual(started, ["a", "b"]);
    await end("a");
    assert.deepEqual(started, ["a", "b", "later", "g"]);
  });

  test("that are slower than the states change leave out what is obsolete, and the last state is always told", async () => {
    const { queue, started, lines, end } = bench();
    queue.add("INSTANCE A", [command("0")], state("BACKUP"));
    await settled();
    for (let n = 1; n <= 9; n++)
      queue.add("INSTANCE A", [command(String(n))], state(n % 2 === 1 ? "MASTER" : "BACKUP"));
    await end("0");
    assert.deepEqual(started, ["0", "9"]);
    assert.deepEqual(lines, [
      "notify scripts of INSTANCE A left out: MASTER, BACKUP, MASTER, BACKUP, MASTER, BACKUP, MASTER, BACKUP: " +
        "the state changes faster than its scripts run, and MASTER is newer",
    ]);
    await end("9");
    assert.equal(queue.reports()[0]?.leftOut, 8);
  });

  test("of a group go on when its member's were left out for newer ones that have run", async () => {
    const { queue, started, end } = bench();
    queue.add("INSTANCE A", [command("0")], state("BACKUP"));
    await settled();
    queue.add("INSTANCE A", [command("1")], state("MASTER"));
    queue.add("GROUP G", [command("g")], state("MASTER", "INSTANCE A"));
    for (let n = 2; n <= 9; n++) queue.add("INSTANCE A", [command(String(n))], state("MASTER"));
    await end("0");
    assert.deepEqual(started, ["0", "9"]);
    await end("9");
    assert.deepEqual(started, ["0", "9", "g"]);
  });

  test("of virtual servers are all told, up to a hundred that wait", async () => {
    const { queue, lines, started } = bench();
    for (let n = 0; n <= 101; n++) queue.add("virtual server v", [command(String(n))]);
    await settled();
    assert.deepEqual(lines, ["notify scripts of virtual server v left out: 1: 100 events wait already"]);
    assert.deepEqual(started, ["0"]);
  });

  test("are started at once when notify_parallel says so, up to a hundred at a time", async () => {
    const { queue, started, lines, end } = bench();
    queue.parallel = true;
    queue.add("INSTANCE A", [command("1"), command("2")], state("BACKUP"));
    queue.add("INSTANCE A", [command("3")], state("MASTER"));
    assert.deepEqual(started, ["1", "2", "3"]);
    for (let n = 4; n <= 101; n++) queue.add("INSTANCE A", [command(String(n))], state("MASTER"));
    assert.equal(started.length, 100);
    assert.deepEqual(lines, ["notify script 101 of INSTANCE A left out: 100 scripts run already"]);
    await end("2");
    queue.add("INSTANCE A", [command("102")], state("MASTER"));
    assert.equal(started.at(-1), "102");
  });

  test("say how they ended, in an event and in the last notification, and in the log when they failed", async () => {
    const { queue, lines, events, end } = bench();
    queue.add("INSTANCE A", [command("x", "y")], state("FAULT"));
    await settled();
    await end("x y", { type: "exited", status: 3 });
    const { kind, cause, ok, ...rest } = events[0] as Extract<EventBody, { kind: "notify-result" }>;
    assert.deepEqual([kind, cause, ok], ["notify-result", "exited with status 3", false]);
    assert.deepEqual([rest.subject, rest.state, rest.command], ["INSTANCE A", "FAULT", "x y"]);
    assert.deepEqual(lines, ["notify script x y of INSTANCE A: exited with status 3"]);
    const [report] = queue.reports();
    assert.deepEqual([report?.subject, report?.state, report?.result], ["INSTANCE A", "FAULT", "exited with status 3"]);
    queue.forget("INSTANCE A");
    assert.deepEqual(queue.reports(), []);
  });

  test("that wait are forgotten on demand, and then all is idle when those that run have ended", async () => {
    const { queue, started, end } = bench();
    queue.add("INSTANCE A", [command("1")], state("BACKUP"));
    queue.add("INSTANCE A", [command("2")], state("MASTER"));
    await settled();
    queue.clear();
    const idle = queue.idle();
    await end("1");
    await idle;
    assert.deepEqual(started, ["1"]);
  });
});
