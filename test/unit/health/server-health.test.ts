import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { instantAt, milliseconds } from "../../../src/base/time.ts";
import type { CheckResult } from "../../../src/health/check-result.ts";
import {
  type HealthInput,
  type HealthOutput,
  type HealthParameters,
  initialHealth,
  isUp,
  type Moment,
  nextDeadline,
  rescaled,
  resumedHealth,
  type ServerHealth,
  statusOf,
  transition,
} from "../../../src/health/server-health.ts";

const check = {
  rise: 2,
  fall: 3,
  inter: milliseconds(2_000),
  fastinter: milliseconds(500),
  downinter: milliseconds(5_000),
};
const parameters: HealthParameters = { name: "b/s1", backup: false, logHealthChecks: true, spreadChecks: 0, check };
const moment = (ms: number): Moment => ({ at: instantAt(ms * 1_000), wallMs: 1_000_000 + ms });
const OK: CheckResult = { code: "L7OK", status: 200, durationMs: 1, detail: "" };
const BAD: CheckResult = { code: "L7STS", status: 503, durationMs: 4, detail: "Service Unavailable" };
const REFUSED: CheckResult = { code: "L4CON", status: undefined, durationMs: 0, detail: "Connection refused" };

/** A server that is checked as often as it wants, with these outcomes. */
class Patient {
  state: ServerHealth;
  now = 0;
  outputs: HealthOutput[] = [];
  readonly parameters: HealthParameters;

  constructor(changed: Partial<HealthParameters> = {}, disabled = false) {
    this.parameters = { ...parameters, ...changed };
    this.state = initialHealth(this.parameters, moment(0), { disabled, firstCheckAt: instantAt(100_000) });
  }
  input(input: HealthInput): void {
    const step = transition(this.parameters, this.state, input, moment(this.now));
    this.state = step.state;
    this.outputs.push(...step.outputs);
  }
  checked(...results: CheckResult[]): this {
    for (const result of results) {
      this.now = (nextDeadline(this.state) ?? 0) / 1_000;
      this.input({ kind: "due" });
      this.input({ kind: "result", result, random: 0.5 });
    }
    return this;
  }
  get text(): string {
    return statusOf(this.parameters, this.state).text;
  }
  /** Time to the next check, ms. */
  get wait(): number {
    return (nextDeadline(this.state) ?? 0) / 1_000 - this.now;
  }
  lines(): string[] {
    return this.outputs.flatMap((output) => (output.kind === "log" ? [output.line] : []));
  }
}

describe("server health", () => {
  test("a server that was never checked is up, and one failed check takes it down", () => {
    const patient = new Patient();
    assert.equal(patient.text, "UP 1/3");
    assert.deepEqual(statusOf(parameters, patient.state).check, {
      code: "INI",
      status: undefined,
      durationMs: undefined,
      description: "Initializing",
      detail: "",
      running: false,
      rise: 2,
      fall: 3,
      health: 2,
    });
    assert.equal(patient.checked(BAD).text, "DOWN");
  });

  test("one passed check at the start makes it as healthy as can be", () => {
    assert.equal(new Patient().checked(OK).text, "UP");
  });

  test("it goes down after `fall` failed checks in a row and comes up after `rise` passed ones", () => {
    const texts: string[] = [];
    const patient = new Patient();
    for (const result of [OK, BAD, BAD, OK, BAD, BAD, BAD, BAD, OK, BAD, OK, OK])
      texts.push(patient.checked(result).text);
    assert.deepEqual(texts, [
      ...["UP", "UP 2/3", "UP 1/3", "UP", "UP 2/3", "UP 1/3", "DOWN"],
      ...["DOWN", "DOWN 1/2", "DOWN", "DOWN 1/2", "UP"],
    ]);
    assert.equal(patient.state.downTransitions, 1);
    assert.equal(patient.state.checkFailures, 6, "failed checks of a server that is wholly down do not count");
  });

  test("the interval is inter at full health, downinter when wholly down, else fastinter", () => {
    const patient = new Patient();
    const waits: number[] = [];
    for (const result of [OK, BAD, BAD, BAD, OK, OK]) {
      patient.checked(result);
      waits.push(patient.wait);
    }
    assert.deepEqual(waits, [2_000, 500, 500, 5_000, 500, 2_000]);
  });

  test("spread-checks moves the interval by up to that many percent either way", () => {
    const wait = (random: number) => {
      const patient = new Patient({ spreadChecks: 50 });
      patient.now = 100;
      patient.input({ kind: "due" });
      patient.input({ kind: "result", result: OK, random });
      return patient.wait;
    };
    assert.deepEqual([wait(0), wait(0.5), wait(1)], [3_000, 2_000, 1_000]);
  });

  test("no second check starts before the first has ended, nor before its time", () => {
    const patient = new Patient();
    patient.now = 99;
    patient.input({ kind: "due" });
    assert.deepEqual(patient.outputs, []);
    patient.now = 100;
    patient.input({ kind: "due" });
    patient.input({ kind: "due" });
    assert.deepEqual(patient.outputs, [{ kind: "run-check" }]);
    assert.equal(nextDeadline(patient.state), undefined);
    assert.equal(statusOf(parameters, patient.state).check?.running, true);
  });

  test("a result that nobody asked for changes nothing", () => {
    const patient = new Patient();
    const before = patient.state;
    patient.input({ kind: "result", result: BAD, random: 0 });
    assert.equal(patient.state, before);
  });

  test("log-health-checks writes HAProxy's lines, for checks that moved something", () => {
    assert.deepEqual(new Patient().checked(OK, OK, BAD, BAD, BAD, BAD, REFUSED, OK, OK).lines(), [
      "Health check for server b/s1 succeeded, reason: Layer7 check passed, code: 200, check duration: 1ms, status: 3/3 UP.",
      'Health check for server b/s1 failed, reason: Layer7 wrong status, code: 503, info: "Service Unavailable", check duration: 4ms, status: 2/3 UP.',
      'Health check for server b/s1 failed, reason: Layer7 wrong status, code: 503, info: "Service Unavailable", check duration: 4ms, status: 1/3 UP.',
      'Health check for server b/s1 failed, reason: Layer7 wrong status, code: 503, info: "Service Unavailable", check duration: 4ms, status: 0/2 DOWN.',
      'Health check for server b/s1 failed, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms, status: 0/2 DOWN.',
      "Health check for server b/s1 succeeded, reason: Layer7 check passed, code: 200, check duration: 1ms, status: 1/2 DOWN.",
      "Health check for server b/s1 succeeded, reason: Layer7 check passed, code: 200, check duration: 1ms, status: 3/3 UP.",
    ]);
    assert.deepEqual(new Patient({ logHealthChecks: false }).checked(OK, BAD).lines(), []);
    assert.deepEqual(new Patient({ backup: true }).checked(OK).lines(), [
      "Health check for backup server b/s1 succeeded, reason: Layer7 check passed, code: 200, check duration: 1ms, status: 3/3 UP.",
    ]);
  });

  test("what the server said cannot garble a log line", () => {
    const odd: CheckResult = { code: "L7STS", status: 500, durationMs: 0, detail: 'a"b\xe9\tc' };
    assert.match(new Patient().checked(odd).lines()[0] ?? "", /info: "a<22>b<E9><09>c", check/);
    const long: CheckResult = { ...odd, detail: "x".repeat(500) };
    assert.match(new Patient().checked(long).lines()[0] ?? "", /info: "x{127}", check/);
  });

  test("a change carries its cause and is dated", () => {
    const patient = new Patient().checked(OK, REFUSED, REFUSED, REFUSED);
    assert.deepEqual(
      patient.outputs.filter(({ kind }) => kind === "change"),
      [
        {
          kind: "change",
          change: {
            up: false,
            by: "check",
            cause: 'Layer4 connection problem, info: "Connection refused"',
            durationMs: 0,
          },
        },
      ],
    );
    assert.equal(patient.state.lastChangeMs, 1_000_000 + patient.now);
    const downAt = patient.now;
    patient.checked(OK, OK);
    assert.equal(patient.state.downtimeMs, patient.now - downAt);
  });

  test("a server without checks is up and says so", () => {
    const patient = new Patient({ check: undefined });
    assert.deepEqual(statusOf(patient.parameters, patient.state), {
      up: true,
      text: "no check",
      check: undefined,
      lastChangeMs: 1_000_000,
      checkFailures: 0,
      downTransitions: 0,
      downtimeMs: 0,
    });
    assert.equal(nextDeadline(patient.state), undefined);
  });

  test("maintenance stops checks, and after it a check decides at once", () => {
    const patient = new Patient().checked(OK);
    patient.now = 3_000;
    patient.input({ kind: "due" });
    patient.outputs = [];
    patient.input({ kind: "disable" });
    patient.input({ kind: "disable" });
    assert.deepEqual(patient.outputs, [
      { kind: "abort-check" },
      { kind: "change", change: { up: false, by: "maintenance" } },
    ]);
    assert.deepEqual([patient.text, nextDeadline(patient.state)], ["MAINT", undefined]);
    assert.equal(statusOf(parameters, patient.state).check, undefined);
    patient.now = 4_000;
    patient.input({ kind: "enable" });
    assert.deepEqual([patient.text, patient.wait, patient.state.downtimeMs], ["UP 1/3", 0, 1_000]);
  });

  test("a server that is disabled in the configuration starts in maintenance", () => {
    const patient = new Patient({}, true);
    assert.deepEqual([patient.text, nextDeadline(patient.state)], ["MAINT", undefined]);
  });

  test("health goes on in another process, on another scale too", () => {
    const patient = new Patient().checked(OK, BAD);
    const options = { disabled: false, firstCheckAt: instantAt(7) };
    const resumed = resumedHealth(parameters, statusOf(parameters, patient.state), options, moment(9_000));
    assert.deepEqual(resumed, { ...patient.state, nextCheckAt: instantAt(7) });
    const [small, large] = [
      { rise: 2, fall: 3 },
      { rise: 5, fall: 1 },
    ];
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((health) => rescaled(health, small, large)),
      [0, 1, 5, 5, 5],
    );
    assert.deepEqual(
      [0, 4, 5].map((health) => rescaled(health, large, small)),
      [0, 1, 4],
    );
  });

  test("whatever happens, the counter stays in its range and text, up and deadline agree with it", () => {
    const input = fc.oneof(
      fc.constant({ kind: "due" } as const),
      fc.constantFrom(OK, BAD, REFUSED).map((result) => ({ kind: "result", result, random: 0.3 }) as const),
      fc.constantFrom({ kind: "disable" } as const, { kind: "enable" } as const),
    );
    const range = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(range, range, fc.array(input, { maxLength: 60 }), (rise, fall, inputs) => {
        const patient = new Patient({ check: { ...check, rise, fall } });
        let checks = 0;
        for (const one of inputs) {
          patient.outputs = [];
          patient.now += 6_000;
          const wasUp = isUp(patient.parameters, patient.state);
          patient.input(one);
          const { state, outputs } = patient;
          if (outputs.some(({ kind }) => kind === "run-check")) checks++;
          if (one.kind === "result" || outputs.some(({ kind }) => kind === "abort-check")) checks = 0;
          assert.ok(checks <= 1);
          assert.ok(state.health >= 0 && state.health <= rise + fall - 1);
          assert.equal(/^UP/.test(patient.text), isUp(patient.parameters, state));
          assert.equal(state.running || state.maintenance, nextDeadline(state) === undefined);
          const changes = outputs.filter(({ kind }) => kind === "change");
          if (one.kind === "result") {
            assert.equal(changes.length, wasUp === isUp(patient.parameters, state) ? 0 : 1);
          }
        }
      }),
    );
  });
});
