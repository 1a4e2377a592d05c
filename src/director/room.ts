/**
 * Hands out room in the map `lists`: runs of chunks that lie side by side.
 *
 * What was given back rests: programs that began with the old list may still be reading it. So the search starts where the
 * last one ended, and chunks that this process gave back are taken only when there are no others, after `settle`. Knows
 * nothing of maps; what is in use is told to it when the maps have been read.
 */

export class Room {
  readonly #used: Uint8Array;
  /** Where the next search starts. */
  next: number;
  #free: number;
  #resting: { readonly first: number; readonly count: number }[] = [];
  readonly #settle: () => void;

  /** @param settle returns when no program runs that had begun before */
  constructor(chunks: number, next: number, settle: () => void) {
    this.#used = new Uint8Array(chunks);
    this.#free = chunks;
    this.next = next % Math.max(1, chunks);
    this.#settle = settle;
  }

  /** Marks what the maps say is in use. */
  occupy(first: number, count: number): void {
    for (let chunk = first; chunk < first + count; chunk++) {
      if (this.#used[chunk] === 0) this.#free--;
      this.#used[chunk] = 1;
    }
  }

  /** First chunk of a run; undefined: no run is long enough. 0 chunks lie anywhere. */
  take(count: number): number | undefined {
    if (count === 0) return 0;
    let first = this.#search(count);
    if (first === undefined && this.#resting.length > 0) {
      this.#settle();
      this.#wake();
      first = this.#search(count);
    }
    if (first === undefined) return undefined;
    this.occupy(first, count);
    this.next = (first + count) % this.#used.length;
    return first;
  }

  /** Nothing refers to it any more, save programs that run now. */
  giveBack(first: number, count: number): void {
    if (count > 0) this.#resting.push({ first, count });
  }

  #wake(): void {
    for (const { first, count } of this.#resting) {
      this.#used.fill(0, first, first + count);
      this.#free += count;
    }
    this.#resting = [];
  }

  #search(count: number): number | undefined {
    if (this.#free < count) return undefined;
    return this.#searchIn(this.next, this.#used.length, count) ?? this.#searchIn(0, this.next + count - 1, count);
  }

  #searchIn(from: number, end: number, count: number): number | undefined {
    let run = 0;
    for (let chunk = from; chunk < Math.min(end, this.#used.length); chunk++) {
      run = this.#used[chunk] === 0 ? run + 1 : 0;
      if (run === count) return chunk - count + 1;
    }
    return undefined;
  }
}
