/** One at a time changes or reads the plane, over all processes; within itself at will. */

import { lockFile } from "../../sys/lock-file.ts";

export class ChangeLock {
  readonly #path: string;
  #depth = 0;
  readonly #after: (() => void)[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  exclusively<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    const lock = lockFile(this.#path);
    this.#depth++;
    try {
      try {
        return work();
      } finally {
        for (const each of this.#after.splice(0)) each();
      }
    } finally {
      this.#depth--;
      lock[Symbol.dispose]();
    }
  }

  /** Runs once, still under the lock, when the outermost work is done. */
  finally(work: () => void): void {
    if (!this.#after.includes(work)) this.#after.push(work);
  }
}
