/**
 * Runs the test files and prints one report with one summary. scripts/test calls it in the private world.
 *
 * Unit tests run together. Each other file runs in a private world of its own, as all use the same names, ports and folders:
 * mostly they wait for timers of protocols, so several worlds share the processors. Their reports follow one after the
 * other. Fails when a test failed, and when none ran: a filter that fits nothing must not look like success.
 */

import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const IN_NAMESPACES = fileURLToPath(new URL("in-namespaces", import.meta.url));
const RUN_TEST_FILES = fileURLToPath(new URL("run-test-files.ts", import.meta.url));
const UNIT_CONCURRENCY = 2;
const WORLDS = 3;

const total: Record<string, number> = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
const failed: string[] = [];

/** `title` stands for the files when they fail. A shown report comes as it is written, another one when it is complete. */
async function runFiles(
  title: string,
  files: readonly string[],
  { world }: { readonly world: boolean },
): Promise<void> {
  if (files.length === 0) return;
  const words = [RUN_TEST_FILES, String(world ? 1 : UNIT_CONCURRENCY), ...files.map((file) => resolve(file))];
  const [program, argv] = world ? [IN_NAMESPACES, [process.execPath, ...words]] : [process.execPath, words];
  const child = spawn(program, argv, {
    stdio: ["ignore", world ? "pipe" : "inherit", world ? "pipe" : "inherit", "pipe"],
  });
  const status = new Promise<number | null>((settle) => child.once("close", (code) => settle(code)));
  const [counts, report, errors] = await Promise.all([
    text(child.stdio[3] as NodeJS.ReadableStream),
    child.stdout === null ? "" : text(child.stdout),
    child.stderr === null ? "" : text(child.stderr),
  ]);
  process.stdout.write(report);
  process.stderr.write(errors);
  const succeeded = (await status) === 0 && counts !== "";
  if (!succeeded) failed.push(title);
  for (const [name, figure] of Object.entries(counts === "" ? {} : (JSON.parse(counts) as Record<string, number>))) {
    total[name] = (total[name] ?? 0) + figure;
  }
}

/** Each of the files in a world of its own, so many at a time. */
async function runInWorlds(files: readonly string[]): Promise<void> {
  const waiting = [...files];
  const one = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      await runFiles(file, [file], { world: true });
    }
  };
  await Promise.all(Array.from({ length: WORLDS }, one));
}

const started = performance.now();
const filters = process.argv.slice(2);
const files = globSync("test/**/*.test.ts")
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort();
const isUnit = (file: string) => file.startsWith("test/unit/");
await runFiles("unit tests", files.filter(isUnit), { world: false });
await runInWorlds(files.filter((file) => !isUnit(file)));

for (const [name, figure] of Object.entries(total)) console.log(`ℹ ${name} ${figure}`);
console.log(`ℹ duration_ms ${Math.round(performance.now() - started)}`);
if (failed.length > 0) console.error(`test: failed: ${failed.join(", ")}`);
const ran = (total.tests ?? 0) - (total.skipped ?? 0) > 0;
if (!ran)
  console.error(`test: no test ran (${files.length} files${filters.length ? ` fit ${filters.join(" ")}` : ""})`);
process.exitCode = failed.length === 0 && ran ? 0 : 1;
