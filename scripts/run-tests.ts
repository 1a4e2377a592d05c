/**
 * Runs the test files with node:test and prints one report with one summary. scripts/test calls it in the private world.
 *
 * Unit tests run in parallel. All others share a network namespace and use fixed names and ports, so they run one file at
 * a time. Fails when a test failed, and when none ran: a filter that fits nothing must not look like success.
 */

import { globSync } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec, type TestEvent } from "node:test/reporters";

/** Longest run of one test in milliseconds: far above the slowest, so that only a hang meets it. */
const testTimeout = 180_000;
/** Longest silence of the whole run: a file whose tests are done but that does not end meets this one. */
const silenceTimeout = testTimeout + 20_000;

type Summary = Extract<TestEvent, { type: "test:summary" }>["data"];
/** What the type declarations leave out (@types/node 26.6). */
type Counts = Summary["counts"] & { failed: number };
const total = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0, duration_ms: 0 };
let succeeded = true;

function count(summary: Summary): void {
  const counts = summary.counts as Counts;
  total.tests += counts.tests;
  total.suites += counts.suites;
  total.pass += counts.passed;
  total.fail += counts.failed;
  total.cancelled += counts.cancelled;
  total.skipped += counts.skipped;
  total.todo += counts.todo;
  total.duration_ms += summary.duration_ms;
  succeeded &&= summary.success;
}

/** The closing lines of one run: the sum over all runs takes their place. */
function isClosingLine(event: TestEvent): boolean {
  if (event.type !== "test:diagnostic" || event.data.nesting !== 0 || event.data.file !== undefined) return false;
  const [word, figure] = event.data.message.split(" ");
  return Object.hasOwn(total, word ?? "") && Number.isFinite(Number(figure));
}

async function* runFiles(files: string[], concurrency: number): AsyncGenerator<TestEvent> {
  if (files.length === 0) return;
  const running = new Set<string>();
  const abort = new AbortController();
  const giveUp = () => {
    console.error(`test: nothing heard for ${silenceTimeout / 1000} s; stopped: ${[...running].join(" ")}`);
    succeeded = false;
    abort.abort();
  };
  const silence = setTimeout(giveUp, silenceTimeout);
  const options = { files: files.map((file) => resolve(file)), concurrency, timeout: testTimeout };
  for await (const event of run({ ...options, signal: abort.signal }) as AsyncIterable<TestEvent>) {
    silence.refresh();
    if (event.type === "test:dequeue" && event.data.nesting === 0 && event.data.file) running.add(event.data.file);
    if (event.type === "test:summary" && event.data.file) running.delete(event.data.file);
    if (event.type === "test:summary" && event.data.file === undefined) count(event.data);
    else if (!isClosingLine(event)) yield event;
  }
  clearTimeout(silence);
}

async function* runAll(files: string[]): AsyncGenerator<TestEvent> {
  const isUnit = (file: string) => file.startsWith("test/unit/");
  yield* runFiles(files.filter(isUnit), 2);
  yield* runFiles(
    files.filter((file) => !isUnit(file)),
    1,
  );
  for (const [word, figure] of Object.entries(total)) {
    yield { type: "test:diagnostic", data: { nesting: 0, message: `${word} ${figure}`, level: "info" } } as TestEvent;
  }
}

const filters = process.argv.slice(2);
const files = globSync("test/**/*.test.ts")
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort();
await pipeline(runAll(files), new spec(), process.stdout, { end: false });

if (total.tests - total.skipped === 0) {
  console.error(`test: no test ran (${files.length} files${filters.length ? ` fit ${filters.join(" ")}` : ""})`);
  succeeded = false;
}
process.exitCode = succeeded ? 0 : 1;
