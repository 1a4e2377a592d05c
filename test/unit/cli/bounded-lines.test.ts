/** Lines of hostile files. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { boundedLines } from "../../../src/cli/bounded-lines.ts";

async function* cut(text: string, sizes: readonly number[]): AsyncGenerator<string> {
  let from = 0;
  for (let n = 0; from < text.length; n++) {
    const size = sizes.length === 0 ? text.length : (sizes[n % sizes.length] ?? 1);
    yield text.slice(from, from + size);
    from += size;
  }
}

test("lines are the same however the file was read, and none is longer than allowed", async () => {
  const texts = fc.array(fc.constantFrom("a", "bc", "\n", "defgh"), { maxLength: 30 }).map((parts) => parts.join(""));
  const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(texts, sizes, fc.integer({ min: 1, max: 9 }), async (text, pieces, longest) => {
      const expected = text.split("\n").map((line) => line.slice(0, longest));
      if (expected.at(-1) === "") expected.pop();
      assert.deepEqual(await Array.fromAsync(boundedLines(cut(text, pieces), longest)), expected);
    }),
    { numRuns: 200 },
  );
});

test("a line without an end does not grow", async () => {
  let given = 0;
  async function* endless(): AsyncGenerator<string> {
    for (; given < 10_000; given++) yield "x".repeat(1_000);
  }
  const [line] = await Array.fromAsync(boundedLines(endless(), 5_000));
  assert.equal(line?.length, 5_000);
  assert.equal(given, 10_000);
});
