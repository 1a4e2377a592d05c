/** Waiting for what a test expects to become true: looks again and again up to a deadline, never sleeps for luck. */

import { setTimeout as pause } from "node:timers/promises";

/**
 * The first truthy answer of `look`. Asks every 10 ms.
 * @throws Error naming `what` when the deadline has passed
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  deadlineMilliseconds = 15_000,
): Promise<Exclude<Awaited<T>, undefined | null | false | 0 | "">> {
  const end = performance.now() + deadlineMilliseconds;
  for (;;) {
    const seen = await look();
    if (seen) return seen as Exclude<Awaited<T>, undefined | null | false | 0 | "">;
    if (performance.now() > end) throw new Error(`did not happen within ${deadlineMilliseconds} ms: ${what}`);
    await pause(10);
  }
}
