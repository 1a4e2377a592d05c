/**
 * How many processes a `vrrp_track_process` has, as far as anybody is told: a change that gains or loses the quorum waits for
 * `fork_delay` or `terminate_delay`, and is forgotten when it does not last so long.
 */

import { inMilliseconds } from "../../../base/time.ts";
import type { TrackedProcess } from "../../../config/model/vrrp.ts";

export class ProcessCount {
  readonly tracked: TrackedProcess;
  /** Undefined before the first. */
  told: number | undefined;
  readonly #tell: (count: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #real = 0;

  constructor(tracked: TrackedProcess, tell: (count: number) => void) {
    this.tracked = tracked;
    this.#tell = tell;
  }

  set(real: number): void {
    this.#real = real;
    const changes = this.told !== undefined && this.#isQuorum(real) !== this.#isQuorum(this.told);
    const { forkDelay, terminateDelay } = this.tracked;
    const delay = !changes ? 0 : this.#isQuorum(real) ? forkDelay : terminateDelay;
    if (delay === 0) this.#say();
    else this.#timer ??= setTimeout(() => this.#say(), inMilliseconds(delay));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #say(): void {
    this.close();
    if (this.told === this.#real) return;
    this.told = this.#real;
    this.#tell(this.#real);
  }

  #isQuorum(count: number): boolean {
    return count >= this.tracked.quorum && count <= (this.tracked.quorumMax ?? Number.POSITIVE_INFINITY);
  }
}
