/** What the recorder leaves on disk: readable by its owner alone, replayable, bounded. */

import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Instant, instantAt, milliseconds } from "../../../src/base/time.ts";
import { Recorder } from "../../../src/daemon/vrrp/recorder.ts";
import {
  DEFAULT_HOST_PARAMETERS,
  type HostState,
  initialState,
  nextDeadline,
  transition,
} from "../../../src/vrrp/host.ts";
import type { Input } from "../../../src/vrrp/messages.ts";
import { type Replay, replay } from "../../../src/vrrp/recording.ts";
import { until } from "../../support/until.ts";
import { configuration, instance, ip } from "../../support/vrrp-configuration.ts";

/** A machine that runs into a recorder. */
class Recorded {
  readonly folder = mkdtempSync(join(tmpdir(), "recorder-"));
  readonly file = join(this.folder, "vrrp.rec");
  readonly said: string[] = [];
  state: HostState = initialState(
    configuration([instance({ advertInterval: milliseconds(1_000), authPass: "secret" })]),
  );
  now: Instant = instantAt(1_000_000);

  open(mostBytes?: number): Recorder {
    const log = { write: (_: string, text: string) => void this.said.push(text) };
    const parameters = DEFAULT_HOST_PARAMETERS;
    return new Recorder({ file: this.file, parameters, log, ...(mostBytes === undefined ? {} : { mostBytes }) });
  }

  feed(recorder: Recorder, input: Input): void {
    const { state, outputs } = transition(DEFAULT_HOST_PARAMETERS, this.state, input, this.now);
    recorder.record(this.state, input, outputs, this.now);
    this.state = state;
  }

  start(recorder: Recorder): void {
    this.feed(recorder, { type: "start", interfaces: [{ name: "eth0", up: true, addresses: [ip("10.9.0.1")] }] });
  }

  timers(recorder: Recorder, count: number): void {
    for (let n = 0; n < count; n++) {
      this.now = nextDeadline(this.state) ?? this.now;
      this.feed(recorder, { type: "timer" });
    }
  }

  read(suffix = ""): Replay {
    return replay(readFileSync(`${this.file}${suffix}`, "utf8").split("\n"));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const differences = ({ items }: Replay) => items.filter((item) => item.type === "step" && item.differs !== undefined);

test("a recording is for its owner's eyes, says so, and replays as it was", async () => {
  using run = new Recorded();
  const recorder = run.open();
  run.start(recorder);
  run.timers(recorder, 20);
  await recorder.close();
  assert.equal(statSync(run.file).mode & 0o777, 0o600);
  assert.match(run.said[0] ?? "", /passwords included; mode 0600$/);
  const played = run.read();
  assert.equal(played.items.length, 22);
  assert.deepEqual(differences(played), []);
  assert.equal(played.final?.instances[0]?.state, "MASTER");
});

test("a recording of before is kept as FILE.1: it may show why the process before it died", async () => {
  using run = new Recorded();
  writeFileSync(run.file, "of before");
  const recorder = run.open();
  run.start(recorder);
  await recorder.close();
  assert.equal(readFileSync(`${run.file}.1`, "utf8"), "of before");
});

test("a file that is full becomes FILE.1, and the new one begins with a whole state", async () => {
  using run = new Recorded();
  const recorder = run.open(20_000);
  run.start(recorder);
  await until("it has turned twice", () => {
    run.timers(recorder, 50);
    return run.said.length > 0 && statSync(`${run.file}.1`, { throwIfNoEntry: false }) !== undefined && turns(run) >= 2;
  });
  await recorder.close();
  for (const suffix of ["", ".1"]) {
    const played = run.read(suffix);
    assert.equal(played.items[0]?.type, "state");
    assert.deepEqual(differences(played), []);
    assert.ok(played.items.every(({ type }) => type !== "damage"));
  }
});

/** Of the old file: it says itself that it is a continuation. */
const turns = (run: Recorded): number =>
  readFileSync(`${run.file}.1`, "utf8").startsWith('{"recording":1,"why":"continued"') ? 2 : 1;

test("a disk that does not keep up loses lines, which the recording says, and replays from there on", async () => {
  using run = new Recorded();
  const recorder = run.open();
  run.start(recorder);
  // Nothing is written while this runs: more than may wait.
  while (run.said.length < 2) run.timers(recorder, 100);
  assert.match(run.said[1] ?? "", /the disk is too slow for it$/);
  run.timers(recorder, 9);
  await until("it has caught up", () => statSync(run.file).size > 4 * 1024 * 1024);
  run.timers(recorder, 1);
  await recorder.close();
  const played = run.read();
  const states = played.items.filter((item) => item.type === "state");
  assert.equal(states.length, 2);
  assert.match(states[1]?.why ?? "", /^[0-9]+ inputs lost: the disk was too slow$/);
  assert.deepEqual(differences(played), []);
});

/** Its descriptor, as a full disk would be: no write to it succeeds. */
function breakFile(file: string): void {
  const linkOf = (fd: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return undefined;
    }
  };
  const fd = readdirSync("/proc/self/fd").find((one) => linkOf(one) === file);
  assert.ok(fd !== undefined);
  closeSync(Number(fd));
}

test("a recording that cannot go on says so once, and does not keep the process from ending", async () => {
  using run = new Recorded();
  const recorder = run.open();
  run.start(recorder);
  breakFile(run.file);
  await until("it is noticed", () => run.said.length === 2);
  assert.match(run.said[1] ?? "", /vrrp\.rec: recording has ended: EBADF/);
  run.timers(recorder, 10);
  await recorder.close();
  assert.equal(run.said.length, 2);
});

test("only a recording of before makes room for a new one: no folder, device or link is renamed", () => {
  using run = new Recorded();
  const cases: readonly (() => void)[] = [() => mkdirSync(run.file), () => symlinkSync("/dev/null", run.file)];
  for (const make of cases) {
    make();
    assert.throws(() => run.open(), /vrrp\.rec is no ordinary file/);
    assert.equal(existsSync(`${run.file}.1`), false);
    rmSync(run.file, { recursive: true });
  }
});

test("a missing folder is named, with the command that makes it", () => {
  const folder = mkdtempSync(join(tmpdir(), "recorder-"));
  try {
    const file = join(folder, "not", "there", "vrrp.rec");
    const log = { write: () => undefined };
    assert.throws(() => new Recorder({ file, parameters: DEFAULT_HOST_PARAMETERS, log }), {
      message: `${file}: there is no folder ${folder}/not/there: make it (mkdir -p ${folder}/not/there), and start again`,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
