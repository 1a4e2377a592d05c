/** One timer that is exact to some tens of microseconds, timerfd_create(2); `setTimeout` counts in whole milliseconds. */

import type { Instant } from "../base/time.ts";
import { addon, attempt, type Descriptor } from "./addon.ts";

const SECOND_US = 1_000_000;

export class PreciseTimer {
  readonly #fd: Descriptor;
  readonly #watch: number;
  #open = true;

  /** Keeps the process alive until it is closed. @throws SystemError */
  constructor(expired: () => void) {
    this.#fd = attempt("make a timer", () => addon.timerfdCreate());
    try {
      this.#watch = attempt("make a timer", () =>
        // It is readable as long as it has expired, and there is nothing to receive from what is no socket.
        addon.watch(this.#fd, 1, 1, () => {
          this.clear();
          expired();
        }),
      );
    } catch (error) {
      addon.close(this.#fd);
      throw error;
    }
  }

  /** In place of what was set before; at once when `at` has passed. */
  set(at: Instant): void {
    // The kernel takes 0 for "never".
    const positive = Math.max(1, at);
    this.#arm(Math.floor(positive / SECOND_US), (positive % SECOND_US) * 1_000);
  }

  /** It does not expire, also if it just did and has not called yet. */
  clear(): void {
    this.#arm(0, 0);
  }

  #arm(seconds: number, nanoseconds: number): void {
    if (this.#open) attempt("set a timer", () => addon.timerfdSet(this.#fd, seconds, nanoseconds));
  }

  /** Safe to call twice, and from within the call-back. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    addon.unwatch(this.#watch);
    addon.close(this.#fd);
  }
}
