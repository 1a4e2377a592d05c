/** A binary heap whose entries know their place, so that one can be taken out or moved in O(log n). */

export interface HeapEntry {
  /** Kept by the heap; −1 while the entry is in none. An entry is in one heap at a time. */
  heapIndex: number;
}

export class Heap<T extends HeapEntry> {
  readonly #entries: T[] = [];
  readonly #before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** The entry that comes before all others. */
  get first(): T | undefined {
    return this.#entries[0];
  }

  insert(entry: T): void {
    entry.heapIndex = this.#entries.length;
    this.#entries.push(entry);
    this.#rise(entry);
  }

  /** Does nothing for an entry that is not here. */
  remove(entry: T): void {
    const index = entry.heapIndex;
    if (index < 0 || this.#entries[index] !== entry) return;
    const last = this.#entries.pop();
    entry.heapIndex = -1;
    if (last === undefined || last === entry) return;
    this.#entries[index] = last;
    last.heapIndex = index;
    this.moved(last);
  }

  /** After the order of an entry changed. */
  moved(entry: T): void {
    this.#rise(entry);
    this.#sink(entry);
  }

  #rise(entry: T): void {
    let index = entry.heapIndex;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#entries[parentIndex];
      if (parent === undefined || !this.#before(entry, parent)) break;
      this.#entries[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    this.#entries[index] = entry;
    entry.heapIndex = index;
  }

  #sink(entry: T): void {
    let index = entry.heapIndex;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = this.#entries[childIndex];
      if (child === undefined) break;
      const right = this.#entries[childIndex + 1];
      if (right !== undefined && this.#before(right, child)) {
        child = right;
        childIndex++;
      }
      if (!this.#before(child, entry)) break;
      this.#entries[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    this.#entries[index] = entry;
    entry.heapIndex = index;
  }
}
