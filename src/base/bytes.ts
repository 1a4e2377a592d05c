/**
 * Reading and writing network-order (and, where named, host-order) integers.
 *
 * Reading never throws: a reader that runs past the end answers zeros and `truncated` turns true, so that a codec checks
 * once at the end. Host order is little-endian: the kernels that this project runs on are.
 */

export class ByteReader {
  readonly bytes: Uint8Array;
  offset: number;
  truncated = false;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes;
    this.offset = offset;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  u8(): number {
    return this.#take(1) ? this.#view.getUint8(this.offset - 1) : 0;
  }
  u16(): number {
    return this.#take(2) ? this.#view.getUint16(this.offset - 2) : 0;
  }
  u32(): number {
    return this.#take(4) ? this.#view.getUint32(this.offset - 4) : 0;
  }
  hostU16(): number {
    return this.#take(2) ? this.#view.getUint16(this.offset - 2, true) : 0;
  }
  hostU32(): number {
    return this.#take(4) ? this.#view.getUint32(this.offset - 4, true) : 0;
  }
  hostI32(): number {
    return this.#take(4) ? this.#view.getInt32(this.offset - 4, true) : 0;
  }

  /** A view, not a copy; shorter than asked when the bytes end, with `truncated` set. */
  take(length: number): Uint8Array {
    const start = this.offset;
    this.#take(length);
    return this.bytes.subarray(start, this.offset);
  }

  #take(length: number): boolean {
    if (this.remaining >= length) {
      this.offset += length;
      return true;
    }
    this.offset = this.bytes.length;
    this.truncated = true;
    return false;
  }
}

/** Grows as needed; `done()` gives exactly what was written. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  length = 0;

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }
  u16(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
    return this;
  }
  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
    return this;
  }
  hostU16(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, true);
    return this;
  }
  hostU32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
    return this;
  }
  put(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }
  zeros(count: number): this {
    this.#reserve(count);
    return this;
  }
  /** Overwrites what was written earlier, for lengths and checksums known only at the end. */
  setU16(at: number, value: number): void {
    this.#view.setUint16(at, value);
  }
  setHostU16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }
  setHostU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** May replace the view: call it before reading `#view`. */
  #reserve(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
