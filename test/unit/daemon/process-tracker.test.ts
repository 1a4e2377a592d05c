/** `vrrp_track_process`: what matches as in keepalived 2.2.7 (tried there), what is counted, and what a storm may cost. */

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import type { TrackedProcess } from "../../../src/config/model/vrrp.ts";
import { matches } from "../../../src/daemon/vrrp/trackers/process-match.ts";
import { type ProcessSource, ProcessTracker } from "../../../src/daemon/vrrp/trackers/process-tracker.ts";
import type { ProcessEvent } from "../../../src/wire/proc-connector.ts";

const tracked = (more: Partial<TrackedProcess> = {}): TrackedProcess => ({
  name: "p",
  command: ["sleep"],
  match: "exact",
  fullCommand: false,
  weight: 0,
  reverse: false,
  quorum: 1,
  quorumMax: undefined,
  forkDelay: seconds(0),
  terminateDelay: seconds(0),
  ...more,
});

describe("A process is meant", () => {
  const LINES: readonly (readonly [name: string, argv: readonly string[]])[] = [
    ["sleep", ["sleep", "77"]],
    ["sleep", ["/usr/bin/sleep", "77"]],
    ["sleep", ["sleep", "77", "78"]],
    ["sleep", ["sleep", "78"]],
    ["ekscript.py", ["/usr/bin/python3", "/tmp/ekscript.py"]],
    ["ekaverylongproc", ["/tmp/ekaverylongprocessname", "9"]],
  ];
  const meant = (more: Partial<TrackedProcess>): number[] =>
    LINES.flatMap(([name, argv], index) => (matches(tracked(more), name, () => argv) ? [index] : []));

  it("by its name of 15 bytes, whatever its path and arguments, and by that of a script", () => {
    assert.deepEqual(meant({ command: ["sleep"] }), [0, 1, 2, 3]);
    assert.deepEqual(meant({ command: ["ekscript.py"] }), [4]);
    assert.deepEqual(meant({ command: ["python3"] }), []);
    assert.deepEqual(meant({ command: ["ekaverylongproc"] }), [5]);
    assert.deepEqual(meant({ command: ["ekaverylongprocessname"] }), []);
  });

  it("by its command line as written when there are arguments", () => {
    assert.deepEqual(meant({ command: ["sleep", "77"] }), [0]);
    assert.deepEqual(meant({ command: ["/usr/bin/sleep", "77"] }), [1]);
  });

  it("by its first arguments, or the beginning of the last one", () => {
    assert.deepEqual(meant({ command: ["sleep", "77"], match: "partial" }), [0, 2]);
    assert.deepEqual(meant({ command: ["sleep", "7"], match: "initial" }), [0, 2, 3]);
    assert.deepEqual(meant({ command: ["sleep", "7"], match: "partial" }), []);
  });

  it("by the program of its command line with full_command", () => {
    assert.deepEqual(meant({ command: ["sleep"], fullCommand: true }), [0, 2, 3]);
    assert.deepEqual(meant({ command: ["/usr/bin/sleep"], fullCommand: true }), [1]);
  });
});

/** A machine whose processes the test makes. */
class Machine implements ProcessSource {
  readonly processes = new Map<number, readonly string[]>();
  readonly told: string[] = [];
  readonly lines: string[] = [];
  readonly ends = new Map<number, () => void>();
  refuses = false;
  scans = 0;
  looks = 0;
  handlers: Parameters<ProcessSource["listen"]>[0] | undefined;
  readonly tracker = new ProcessTracker(this, { write: (_, line) => this.lines.push(line) }, (process, count) =>
    this.told.push(`${process} ${count}`),
  );

  constructor(context: TestContext) {
    context.after(() => this.tracker.close());
  }

  listen(handlers: Parameters<ProcessSource["listen"]>[0]): { close(): void } {
    if (this.refuses) throw new Error("refused");
    this.handlers = handlers;
    return {
      close: () => {
        this.handlers = undefined;
      },
    };
  }
  watchEnd(pid: number, ended: () => void): { close(): void } {
    this.ends.set(pid, ended);
    return { close: () => this.ends.delete(pid) };
  }
  list(): number[] {
    this.scans++;
    return [...this.processes.keys()];
  }
  name(pid: number): string | undefined {
    this.looks++;
    return this.processes.get(pid)?.[0]?.slice(0, 15);
  }
  commandLine(pid: number): readonly string[] {
    return this.processes.get(pid) ?? [];
  }

  exec(pid: number, ...argv: string[]): void {
    this.processes.set(pid, argv);
    this.handlers?.onEvents([{ type: "exec", pid }]);
  }
  exit(pid: number): void {
    this.processes.delete(pid);
    this.handlers?.onEvents([{ type: "exit", pid }]);
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("Tracked processes", () => {
  it("are counted once at the start, and then by what the kernel says alone", async (t) => {
    const machine = new Machine(t);
    machine.processes.set(1, ["sleep", "1"]);
    await machine.tracker.configure([tracked()]);
    assert.deepEqual(machine.told, ["p 1"]);
    machine.exec(2, "sleep", "2");
    machine.exec(3, "other");
    machine.exit(1);
    machine.handlers?.onEvents([{ type: "fork", parent: 2, child: 4 }]);
    machine.exit(2);
    machine.exec(4, "other");
    assert.deepEqual(machine.told, ["p 1", "p 2", "p 1", "p 2", "p 1", "p 0"]);
    assert.equal(machine.scans, 1);
    assert.deepEqual(machine.tracker.counts, [{ process: "p", count: 0 }]);
  });

  it("are found by a name that they take on later, and lost by another one", async (t) => {
    const machine = new Machine(t);
    await machine.tracker.configure([tracked()]);
    const call = (name: string): void => {
      machine.processes.set(7, [name]);
      machine.handlers?.onEvents([{ type: "name", pid: 7, name }]);
    };
    const looks = machine.looks;
    call("something");
    assert.equal(machine.looks, looks, "nobody asks for that name");
    call("sleep");
    call("else");
    assert.deepEqual(machine.told, ["p 0", "p 1", "p 0"]);
  });

  it("wait for fork_delay and terminate_delay when the quorum is at stake, and not otherwise", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const machine = new Machine(t);
    machine.processes.set(1, ["sleep"]);
    await machine.tracker.configure([tracked({ forkDelay: seconds(2), terminateDelay: seconds(1) })]);
    machine.exec(2, "sleep");
    assert.deepEqual(machine.told, ["p 1", "p 2"]);
    machine.exit(1);
    machine.exit(2);
    t.mock.timers.tick(999);
    machine.exec(3, "sleep");
    t.mock.timers.tick(5_000);
    assert.deepEqual(machine.told, ["p 1", "p 2", "p 1"], "it came back in time");
    machine.exit(3);
    t.mock.timers.tick(1_000);
    machine.exec(4, "sleep");
    t.mock.timers.tick(1_999);
    assert.deepEqual(machine.told.slice(3), ["p 0"]);
    t.mock.timers.tick(1);
    assert.deepEqual(machine.told.slice(3), ["p 0", "p 1"]);
  });

  it("are looked for once a second where the kernel refuses, and their ends are heard at once", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const machine = new Machine(t);
    machine.refuses = true;
    machine.processes.set(1, ["sleep"]);
    await machine.tracker.configure([tracked()]);
    assert.deepEqual(machine.lines, ["track_process: refused; /proc is read every 1 s instead"]);
    machine.processes.delete(1);
    machine.ends.get(1)?.();
    assert.deepEqual(machine.told, ["p 1", "p 0"]);
    machine.processes.set(2, ["sleep"]);
    t.mock.timers.tick(1_000);
    await settled();
    assert.deepEqual(machine.told, ["p 1", "p 0", "p 1"]);
  });

  it("are read from /proc again when events were lost, and listened for first", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const machine = new Machine(t);
    machine.processes.set(1, ["sleep"]);
    await machine.tracker.configure([tracked()]);
    machine.handlers?.onLost();
    assert.equal(machine.handlers, undefined);
    machine.processes.delete(1);
    machine.processes.set(2, ["sleep"]);
    machine.processes.set(3, ["sleep"]);
    t.mock.timers.tick(1_000);
    await settled();
    assert.ok(machine.handlers !== undefined);
    assert.deepEqual(machine.told, ["p 1", "p 2"]);
    machine.exit(3);
    assert.deepEqual(machine.told, ["p 1", "p 2", "p 1"]);
  });

  it("cost a bounded number of looks a second, however many programs start, and are still counted right", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const machine = new Machine(t);
    machine.processes.set(1, ["sleep"]);
    await machine.tracker.configure([tracked()]);
    const storm = Array.from({ length: 10_000 }, (_, index): ProcessEvent => ({ type: "exec", pid: 100 + index }));
    machine.handlers?.onEvents(storm);
    assert.ok(machine.looks < 4_100, `${machine.looks} looks`);
    assert.equal(machine.handlers, undefined, "nobody listens for a while");
    machine.processes.delete(1);
    machine.ends.get(1)?.();
    assert.deepEqual(machine.told, ["p 1", "p 0"], "its end is heard all the same");
    assert.equal(machine.lines.length, 1);
  });
});
