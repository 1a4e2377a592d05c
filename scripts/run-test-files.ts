/**
 * Runs test files with node:test and prints its report; on descriptor 3 the counts as JSON, for scripts/run-tests.ts.
 *
 *   node scripts/run-test-files.ts CONCURRENCY FILE…
 *
 * Exits with 1 when a test failed, or when nothing was heard for so long that something must hang.
 */

import { writeSync } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec, type TestEvent } from "node:test/reporters";

/** Longest run of one test in milliseconds: far above the slowest, so that only a hang meets it. */
const testTimeout = 180_000;
/** Longest silence of the whole run: a file whose tests are done but that does not end meets this one. */
const silenceTimeout = testTimeout + 20_000;
const COUNTS = 3;

type Summary = Extract<TestEvent, { type: "test:summary" }>["data"];
/** What the type declarations leave out (@types/node 26.6). */
type Counts = Summary["counts"] & { failed: number };
const CLOSING = new Set(["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo", "duration_ms"]);
let succeeded = false;

function report({ counts, success }: Summary): void {
  const { tests, suites, passed, failed, cancelled, skipped, todo } = counts as Counts;
  writeSync(COUNTS, JSON.stringify({ tests, suites, pass: passed, fail: failed, cancelled, skipped, todo }));
  succeeded = success;
}

/** The closing lines of one run: the sum over all runs takes their place. */
function isClosingLine(event: TestEvent): boolean {
  if (event.type !== "test:diagnostic" || event.data.nesting !== 0 || event.data.file !== undefined) return false;
  const [word, figure] = event.data.message.split(" ");
  return CLOSING.has(word ?? "") && Number.isFinite(Number(figure));
}

async function* runFiles(files: string[], concurrency: number): AsyncGenerator<TestEvent> {
  const running = new Set<string>();
  const abort = new AbortController();
  const giveUp = () => {
    console.error(`test: nothing heard for ${silenceTimeout / 1000} s; stopped: ${[...running].join(" ")}`);
    abort.abort();
  };
  const silence = setTimeout(giveUp, silenceTimeout);
  const options = { files: files.map((file) => resolve(file)), concurrency, timeout: testTimeout };
  for await (const event of run({ ...options, signal: abort.signal }) as AsyncIterable<TestEvent>) {
    silence.refresh();
    if (event.type === "test:dequeue" && event.data.nesting === 0 && event.data.file) running.add(event.data.file);
    if (event.type === "test:summary" && event.data.file) running.delete(event.data.file);
    if (event.type === "test:summary" && event.data.file === undefined) report(event.data);
    else if (!isClosingLine(event)) yield event;
  }
  clearTimeout(silence);
  if (abort.signal.aborted) succeeded = false;
}

const [concurrency, ...files] = process.argv.slice(2);
await pipeline(runFiles(files, Number(concurrency)), new spec(), process.stdout, { end: false });
process.exitCode = succeeded ? 0 : 1;
