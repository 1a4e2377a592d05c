import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BackendParameters, serverChanged } from "../../../src/health/backend-health.ts";
import type { HealthChange } from "../../../src/health/server-health.ts";

const parameters: BackendParameters = {
  name: "b",
  logHealthChecks: false,
  servers: [
    { name: "s1", backup: false, weight: 1 },
    { name: "s2", backup: false, weight: 1 },
    { name: "zero", backup: false, weight: 0 },
    { name: "bak", backup: true, weight: 1 },
  ],
};
const down: HealthChange = {
  up: false,
  by: "check",
  cause: 'Layer4 connection problem, info: "Connection refused"',
  durationMs: 0,
};
const up: HealthChange = { up: true, by: "check", cause: "Layer7 check passed, code: 200", durationMs: 3 };

function linesOf(
  start: readonly string[],
  changes: readonly (readonly [server: string, change: HealthChange])[],
  changed: Partial<BackendParameters> = {},
): string[] {
  let state = { up: start };
  return changes.flatMap(([server, change]) => {
    const step = serverChanged({ ...parameters, ...changed }, state, server, change);
    state = { up: [...step.state.up] };
    return step.lines.map(({ level, line }) => `${level}: ${line}`);
  });
}

describe("backend health", () => {
  test("HAProxy's lines for servers that go down one after the other and come back", () => {
    const changes = [
      ["s1", down],
      ["s2", down],
      ["bak", down],
      ["bak", up],
      ["s1", up],
    ] as const;
    assert.deepEqual(linesOf(["s1", "s2", "zero", "bak"], changes), [
      'alert: Server b/s1 is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms. 1 active and 1 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.',
      'alert: Server b/s2 is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms. 0 active and 1 backup servers left. Running on backup. 0 sessions active, 0 requeued, 0 remaining in queue.',
      'alert: Backup Server b/bak is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.',
      "emerg: backend b has no server available!",
      "notice: Backup Server b/bak is UP, reason: Layer7 check passed, code: 200, check duration: 3ms. 0 active and 1 backup servers online. Running on backup. 0 sessions requeued, 0 total in queue.",
      "notice: Server b/s1 is UP, reason: Layer7 check passed, code: 200, check duration: 3ms. 1 active and 1 backup servers online. 0 sessions requeued, 0 total in queue.",
    ]);
  });

  test("with log-health-checks the check's own line gave the reason already", () => {
    assert.deepEqual(linesOf(["s1", "s2"], [["s1", down]], { logHealthChecks: true }), [
      "alert: Server b/s1 is DOWN. 1 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
    ]);
  });

  test("maintenance has lines of its own", () => {
    const maintenance = (on: boolean): HealthChange => ({ up: !on, by: "maintenance" });
    const changes = [
      ["s1", maintenance(true)],
      ["s1", maintenance(false)],
    ] as const;
    assert.deepEqual(linesOf(["s1"], changes), [
      "alert: Server b/s1 is going DOWN for maintenance. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
      "emerg: backend b has no server available!",
      "notice: Server b/s1 is UP/READY (leaving forced maintenance).",
    ]);
  });

  test("a server of weight 0 is nobody's last resort, and an empty backend is reported once", () => {
    assert.equal(linesOf(["zero", "s1"], [["s1", down]]).length, 2);
    assert.equal(linesOf(["zero"], [["zero", down]]).length, 1);
  });
});
