/**
 * A process of its own that opens the data plane and does what lines on its standard input say, for tests of several
 * processes at once: one JSON array a line, `[call, ...arguments]`, one JSON answer a line.
 */

import { createInterface } from "node:readline";
import { openPlane } from "../../src/daemon/plane/open.ts";

const [role, object] = process.argv.slice(2);
const answer = (value: unknown) =>
  process.stdout.write(
    `${JSON.stringify(value ?? null, (_, each) => (typeof each === "bigint" ? Number(each) : each))}\n`,
  );

try {
  const plane = openPlane({ role: role === "daemon" ? "daemon" : "command", object });
  const calls = plane as unknown as Record<string, (...parameters: unknown[]) => unknown>;
  answer("open");
  for await (const line of createInterface({ input: process.stdin })) {
    const [call, ...parameters] = JSON.parse(line) as [string, ...unknown[]];
    try {
      answer({ ok: calls[call]?.apply(plane, parameters) });
    } catch (error) {
      answer({ error: error instanceof Error ? error.message : String(error) });
    }
  }
  plane.close();
} catch (error) {
  answer({ refused: error instanceof Error ? error.message : String(error) });
}
