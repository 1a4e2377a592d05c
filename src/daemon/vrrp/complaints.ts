/** What the kernel refused, in the log: the same failure of the same thing once in a while, however often it is tried. */

import { after, type Instant, seconds } from "../../base/time.ts";
import { SystemError } from "../../sys/addon.ts";
import { monotonicNow } from "../../sys/clock.ts";
import type { Level, Log } from "../log/log.ts";

const REPEAT_AFTER = seconds(10);
/** Then those whose time has passed are forgotten. */
const KEYS_MOST = 1_000;

export class Complaints {
  readonly #log: Log;
  readonly #quietUntil = new Map<string, Instant>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** False when the operating system refused; other errors pass. */
  try(what: string, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.say(`${what} ${error.code}`, error.message);
      return false;
    }
  }

  say(key: string, message: string, level: Level = "err"): void {
    const now = monotonicNow();
    if (now < (this.#quietUntil.get(key) ?? now)) return;
    if (this.#quietUntil.size >= KEYS_MOST) {
      for (const [old, until] of this.#quietUntil) if (until <= now) this.#quietUntil.delete(old);
    }
    this.#quietUntil.set(key, after(now, REPEAT_AFTER));
    this.#log.write(level, message);
  }
}
