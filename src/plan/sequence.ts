/** A fixed sequence of numbers that look random (xorshift32, Marsaglia 2003): the same question gets the same plan. */
export class Sequence {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed | 0) === 0 ? 0x9e3779b9 : seed | 0;
  }

  /** 0 ≤ x < 1. */
  fraction(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) / 2 ** 32;
  }

  /** 0..end-1. */
  below(end: number): number {
    return Math.floor(this.fraction() * end);
  }
}
