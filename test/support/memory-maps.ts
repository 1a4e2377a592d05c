/**
 * The maps of the data plane in memory, with the layouts and kinds of the compiled object: for tests of what is kept in them
 * without a kernel. Says no where the kernel would: wrong lengths, a full map, deleting from an array.
 */

import { fileURLToPath } from "node:url";
import type { MapName, MapSet, TableMap } from "../../src/director/map-set.ts";
import { readObjectTypes } from "../../src/sys/bpf.ts";
import type { Btf, BtfMap } from "../../src/wire/btf.ts";

/** The compiled data plane. */
export const DIRECTOR_OBJECT: string = fileURLToPath(new URL("../../build/director.bpf.o", import.meta.url));

const HASH = 1;
const PERCPU_ARRAY = 6;

export class MemoryMap implements TableMap {
  readonly information: TableMap["information"];
  /** Updates and deletions so far. */
  writes = 0;
  readonly #isHash: boolean;
  readonly #entries = new Map<string, { readonly key: Uint8Array; readonly value: Uint8Array }>();

  constructor(map: BtfMap, maxEntries: number, cpus: number) {
    this.#isHash = map.type === HASH;
    const valueBytes = map.type === PERCPU_ARRAY ? Math.ceil(map.valueBytes / 8) * 8 * cpus : map.valueBytes;
    this.information = { keyBytes: map.keyBytes, valueBytes, maxEntries };
    for (let index = 0; !this.#isHash && index < maxEntries; index++) {
      const key = new Uint8Array(4);
      new DataView(key.buffer).setUint32(0, index, true);
      this.#entries.set(text(key), { key, value: new Uint8Array(valueBytes) });
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    this.#check(key, "keyBytes");
    return this.#entries.get(text(key))?.value.slice();
  }

  update(key: Uint8Array, value: Uint8Array): void {
    this.#check(key, "keyBytes");
    this.#check(value, "valueBytes");
    if (!this.#entries.has(text(key))) {
      if (!this.#isHash || this.#entries.size >= this.information.maxEntries) throw new Error("E2BIG");
    }
    this.#entries.set(text(key), { key: key.slice(), value: value.slice() });
    this.writes++;
  }

  updateMany(entries: Iterable<readonly [Uint8Array, Uint8Array]>): void {
    for (const [key, value] of entries) this.update(key, value);
  }

  delete(key: Uint8Array): boolean {
    this.#check(key, "keyBytes");
    if (!this.#isHash) throw new Error("EINVAL");
    this.writes++;
    return this.#entries.delete(text(key));
  }

  *entries(): Generator<readonly [Uint8Array, Uint8Array]> {
    for (const { key, value } of [...this.#entries.values()]) yield [key.slice(), value.slice()];
  }

  #check(bytes: Uint8Array, which: "keyBytes" | "valueBytes"): void {
    if (bytes.length !== this.information[which]) throw new RangeError(`${bytes.length} bytes: ${which}`);
  }
}

const text = (bytes: Uint8Array): string => bytes.join();

export interface MemoryMaps extends MapSet {
  readonly maps: Readonly<Record<MapName, MemoryMap>>;
}

/** Small maps, so that running out of room is tried too. */
export function memoryMaps(sizes: Partial<Record<MapName, number>> = {}, cpus = 2): MemoryMaps {
  const btf = directorTypes();
  const wanted: Record<string, number> = {
    services: 32,
    service_states: 32,
    servers: 64,
    server_states: 64,
    counters: 64 * cpus,
    rates: 64,
    routes: 64,
    lists: 256,
    connections4: 1024,
    connections6: 1024,
    replies4: 1024,
    replies6: 1024,
    service_records: 32,
    server_records: 64,
    ...sizes,
  };
  const maps = Array.from(btf.maps, ([name, map]) => [
    name,
    new MemoryMap(map, wanted[name] ?? Math.min(map.maxEntries, 64), cpus),
  ]) as [MapName, MemoryMap][];
  return { maps: Object.fromEntries(maps) as Record<MapName, MemoryMap>, btf, cpus };
}

let types: Btf | undefined;
const directorTypes = (): Btf => {
  types ??= readObjectTypes(DIRECTOR_OBJECT);
  return types;
};
