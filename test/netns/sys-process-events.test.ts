/** The kernel's process events, and a descriptor for a process. The first need the machine's first namespaces. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { SystemError } from "../../src/sys/addon.ts";
import { commandLine, listProcesses, ProcessEnd, ProcessEvents, processName } from "../../src/sys/process-events.ts";
import type { ProcessEvent } from "../../src/wire/proc-connector.ts";
import { until } from "../support/until.ts";

test("a program that starts and ends is told of, where the kernel tells this process at all", async (t) => {
  const heard: ProcessEvent[] = [];
  let events: ProcessEvents;
  try {
    events = new ProcessEvents({ onEvents: (more) => heard.push(...more), onLost: () => undefined });
  } catch (error) {
    assert.ok(error instanceof SystemError, String(error));
    assert.match(error.message, /^cannot be told of processes: /);
    t.skip(error.message);
    return;
  }
  t.after(() => events.close());
  const child = spawn("sleep", ["0.05"]);
  const pid = child.pid ?? 0;
  await until("its end", () => heard.some((event) => event.type === "exit" && event.pid === pid));
  const kinds = heard.flatMap((event) =>
    (event.type === "fork" ? event.child : "pid" in event ? event.pid : 0) === pid ? event.type : [],
  );
  assert.deepEqual([kinds[0], kinds.includes("exec"), kinds.at(-1)], ["fork", true, "exit"]);
});

test("the end of a process is heard by its descriptor, once, and one that has ended cannot be watched", async () => {
  const child = spawn("sleep", ["60"]);
  const pid = child.pid ?? 0;
  let ends = 0;
  new ProcessEnd(pid, () => ends++);
  const forgotten = new ProcessEnd(pid, () => assert.fail("it was closed"));
  forgotten.close();
  forgotten.close();
  child.kill("SIGKILL");
  await once(child, "exit");
  await until("told", () => ends === 1);
  assert.throws(() => new ProcessEnd(pid, () => undefined), { code: "ESRCH" });
});

test("/proc says what a process is called and how it was started; a zombie is none", async () => {
  const child = spawn("sleep", ["60"], { argv0: "lazy" });
  const pid = child.pid ?? 0;
  await until("it has begun", () => processName(pid) === "sleep");
  assert.deepEqual(commandLine(pid), ["lazy", "60"]);
  assert.ok(listProcesses().includes(pid));
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(processName(pid), undefined);
  assert.deepEqual(commandLine(pid), []);
});
