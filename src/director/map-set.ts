/**
 * The maps of the data plane as `Tables` needs them: bytes in, bytes out, by the names of bpf/maps.h.
 *
 * A port: `daemon/plane` puts the kernel's maps behind it, tests put memory there.
 */

import type { Btf } from "../wire/btf.ts";

export interface TableMap {
  readonly information: { readonly keyBytes: number; readonly valueBytes: number; readonly maxEntries: number };
  /** A copy. Per-processor maps: the values of all possible processors in turn. */
  lookup(key: Uint8Array): Uint8Array | undefined;
  update(key: Uint8Array, value: Uint8Array): void;
  updateMany(entries: Iterable<readonly [key: Uint8Array, value: Uint8Array]>): void;
  /** False when there was no such key. Not for arrays. */
  delete(key: Uint8Array): boolean;
  /** Streams. What comes or goes meanwhile may be missing or there. */
  entries(): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
}

/** Those that user space reads or writes; bpf/maps.h says what each is for. */
export type MapName =
  | "services"
  | "service_states"
  | "servers"
  | "server_states"
  | "counters"
  | "rates"
  | "routes"
  | "lists"
  | "connections4"
  | "connections6"
  | "service_records"
  | "server_records"
  | "changes"
  | "settings"
  | "totals"
  | "reasons"
  | "replies4"
  | "replies6";

export interface MapSet {
  readonly maps: Readonly<Record<MapName, TableMap>>;
  /** Of the object that the maps belong to. */
  readonly btf: Btf;
  /** Possible processors: each server has as many rows in `counters`. */
  readonly cpus: number;
}
