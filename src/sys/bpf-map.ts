/**
 * Maps of the kernel, bpf(2): bytes in, bytes out. What the bytes mean says `wire/struct-codec.ts` by the object's BTF.
 *
 * Values of per-processor maps are those of all possible processors in turn, each rounded up to 8 bytes.
 */

import { addon, attempt, type Descriptor, SystemError } from "./addon.ts";

/** linux/bpf.h: what an update may meet. */
export const BPF_ANY = 0;
/** Only a new key; EEXIST. */
export const BPF_NOEXIST = 1;
/** Only a key that is there; ENOENT. */
export const BPF_EXIST = 2;

/** What the kernel says of a map. */
export interface MapInformation {
  /** linux/bpf.h: BPF_MAP_TYPE_*. */
  readonly type: number;
  readonly id: number;
  /** At most 15 characters. */
  readonly name: string;
  readonly keyBytes: number;
  /** As lookups return it. */
  readonly valueBytes: number;
  readonly maxEntries: number;
}

/** Entries that one call fetches or writes. */
const BATCH_ENTRIES = 4_096;
/** Not in errno(3): this type of map has no batches. */
const ENOTSUPP = 524;

type Entry = [key: Uint8Array, value: Uint8Array];

/** What is not named throws SystemError, and a key or value of the wrong length TypeError. */
export class BpfMap {
  readonly fd: Descriptor;
  readonly information: MapInformation;
  #open = true;

  /** Takes over the descriptor. */
  constructor(fd: Descriptor) {
    this.fd = fd;
    this.information = attempt("ask about a map", () => addon.bpfMapInformation(fd));
  }

  /** A copy of the value. */
  lookup(key: Uint8Array): Uint8Array | undefined {
    const value = new Uint8Array(this.information.valueBytes);
    return this.#attempt("read", () => addon.bpfMapLookup(this.fd, key, value)) ? value : undefined;
  }

  /** @param flags BPF_ANY, BPF_NOEXIST (EEXIST), BPF_EXIST (ENOENT). E2BIG: the map is full */
  update(key: Uint8Array, value: Uint8Array, flags = BPF_ANY): void {
    this.#attempt("write", () => addon.bpfMapUpdate(this.fd, key, value, flags));
  }

  /** False when there was no such key. An array refuses (EINVAL). */
  delete(key: Uint8Array): boolean {
    return this.#attempt("delete from", () => addon.bpfMapDelete(this.fd, key));
  }

  /** Takes the value out with nobody's change in between. Hash maps, from Linux 5.14. */
  take(key: Uint8Array): Uint8Array | undefined {
    const value = new Uint8Array(this.information.valueBytes);
    return this.#attempt("take from", () => addon.bpfMapTake(this.fd, key, value)) ? value : undefined;
  }

  /** Writes many entries, in order, with few system calls. What was written before a failure stays. */
  updateMany(entries: Iterable<readonly [key: Uint8Array, value: Uint8Array]>): void {
    const { keyBytes, valueBytes } = this.information;
    const room = Math.min(BATCH_ENTRIES, this.information.maxEntries);
    const keys = new Uint8Array(keyBytes * room);
    const values = new Uint8Array(valueBytes * room);
    let count = 0;
    const flush = () => {
      if (count > 0) this.#attempt("write", () => addon.bpfMapUpdateBatch(this.fd, keys, values, count));
      count = 0;
    };
    for (const [key, value] of entries) {
      if (key.length !== keyBytes) throw new TypeError(`a key of ${this.information.name} has ${keyBytes} bytes`);
      if (value.length !== valueBytes)
        throw new TypeError(`a value of ${this.information.name} has ${valueBytes} bytes`);
      keys.set(key, count * keyBytes);
      values.set(value, count * valueBytes);
      if (++count === room) flush();
    }
    flush();
  }

  /**
   * All entries; views that stay as they are. Changes meanwhile do no harm: what is in a hash map or array all the time comes
   * exactly once, what comes or goes in that time at most once.
   */
  *entries(): Generator<Entry, void, undefined> {
    const { keyBytes, valueBytes, maxEntries } = this.information;
    let room = Math.min(BATCH_ENTRIES, maxEntries);
    let position: Uint8Array | undefined;
    for (;;) {
      const keys = new Uint8Array(keyBytes * room);
      const values = new Uint8Array(valueBytes * room);
      let batch: ReturnType<typeof addon.bpfMapLookupBatch>;
      try {
        batch = this.#attempt("read", () => addon.bpfMapLookupBatch(this.fd, position, keys, values, room));
      } catch (error) {
        if (error instanceof SystemError && error.code === "ENOSPC") {
          // A bucket of the hash has more entries than there is room for, and is given whole.
          room *= 2;
          continue;
        }
        if (error instanceof SystemError && error.errno === ENOTSUPP) return yield* this.#entriesOneByOne();
        throw error;
      }
      for (let i = 0; i < batch.count; i++) {
        yield [keys.subarray(i * keyBytes, (i + 1) * keyBytes), values.subarray(i * valueBytes, (i + 1) * valueBytes)];
      }
      if (batch.position === undefined) return;
      position = batch.position;
    }
  }

  /** For maps without batches (tries, on older kernels). A key that is deleted meanwhile makes it begin again. */
  *#entriesOneByOne(): Generator<Entry, void, undefined> {
    let key: Uint8Array | undefined;
    for (;;) {
      const next = new Uint8Array(this.information.keyBytes);
      if (!this.#attempt("read", () => addon.bpfMapNextKey(this.fd, key, next))) return;
      const value = this.lookup(next);
      if (value !== undefined) yield [next, value];
      key = next;
    }
  }

  /** Makes it outlive this process. EEXIST; EPERM when the folder is no bpffs or the name has a dot. */
  pin(path: string): void {
    attempt(`pin the map ${this.information.name} at ${path}`, () => addon.bpfPin(this.fd, path));
  }

  /** Safe to call twice. The map lives on while it is pinned or a program uses it. */
  close(): void {
    if (this.#open) addon.close(this.fd);
    this.#open = false;
  }

  #attempt<T>(verb: string, call: () => T): T {
    return attempt(`${verb} the map ${this.information.name}`, call);
  }
}

/** @throws SystemError ENOENT, EPERM */
export function openPinnedMap(path: string): BpfMap {
  return new BpfMap(attempt(`open the pinned map ${path}`, () => addon.bpfOpenPinned(path)));
}
