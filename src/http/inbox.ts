/** Bytes received and not read yet: a queue of views with a position in the stream. Copies nothing. */

const NOTHING = new Uint8Array(0);

export class Inbox {
  /** The view being read, from `at`. */
  bytes: Uint8Array = NOTHING;
  at = 0;
  /** No more will come. */
  ended = false;
  readonly #queue: Uint8Array[] = [];
  /** Position in the stream of `bytes[0]`. */
  #start = 0;

  receive(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#queue.push(bytes);
  }

  /** True when `bytes[at]` exists. False lets go of everything received. */
  ready(): boolean {
    if (this.at < this.bytes.length) return true;
    this.#start += this.bytes.length;
    this.at = 0;
    const next = this.#queue.shift();
    this.bytes = next ?? NOTHING;
    return next !== undefined;
  }

  /** Up to `limit` bytes as a view, and moves past them. To be called when `ready()`. */
  take(limit: number): Uint8Array {
    const from = this.at;
    const to = Math.min(this.bytes.length, from + limit);
    this.at = to;
    return from === 0 && to === this.bytes.length ? this.bytes : this.bytes.subarray(from, to);
  }

  /** Bytes from the start of the stream to the next one to be read. */
  get position(): number {
    return this.#start + this.at;
  }

  get buffered(): number {
    let total = this.bytes.length - this.at;
    for (const waiting of this.#queue) total += waiting.length;
    return total;
  }
}
