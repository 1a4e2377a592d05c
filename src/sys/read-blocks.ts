/**
 * Memory that connections of `node:net` read into, used again and again: without it every read of a large body makes a
 * buffer of 64 kB for the garbage collector.
 *
 * A block is free when its connection has moved on to another one and every write of its bytes has been completed.
 */

const BLOCK_BYTES = 64 * 1024;
/** Free blocks that are kept; more are left to the garbage collector. */
const MOST_FREE = 64;

class Block {
  readonly bytes: Uint8Array = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  /** The connection that reads into it or retains it, and the writes that are not complete. */
  users = 0;

  constructor() {
    blockOf.set(this.bytes.buffer, this);
  }

  readonly release = (): void => {
    this.users--;
    if (this.users === 0 && free.length < MOST_FREE) free.push(this);
  };
}

const free: Block[] = [];

/** Whose memory bytes are a view of. */
export const blockOf = new WeakMap<ArrayBufferLike, Block>();

/** The blocks of one connection. */
export class ReadBlocks {
  #current: Block | undefined;
  /** Still read from by the owner of a paused connection. */
  #retained: Block | undefined;
  #retain = false;

  /** Where the next read goes; called once more after each read. */
  next(): Uint8Array {
    const current = this.#current;
    if (current !== undefined && current.users === 1 && !this.#retain) return current.bytes;
    if (this.#retain) this.#retained = current;
    else current?.release();
    this.#retain = false;
    const block = free.pop() ?? new Block();
    block.users = 1;
    this.#current = block;
    return block.bytes;
  }

  /** What was just read stays as it is until `forget`. */
  retain(): void {
    this.#retain = this.#retained === undefined;
  }

  forget(): void {
    this.#retain = false;
    this.#retained?.release();
    this.#retained = undefined;
  }

  /** No more reads. */
  close(): void {
    this.forget();
    this.#current?.release();
    this.#current = undefined;
  }
}
