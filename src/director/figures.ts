/**
 * What the programs count: bytes and packets by server, their rates, and what a service has of them (l4.md §1.4).
 *
 * Only reads, save for zeroing. Sums are of all processors; rates are rounded as IPVS rounds them.
 */

import { type CountersStruct, keyNumber, type Layouts, numberKey } from "./layouts.ts";
import type { MapSet, TableMap } from "./map-set.ts";
import type { Counters, Rates } from "./plane.ts";

const FIELDS = ["connections", "packets_in", "packets_out", "bytes_in", "bytes_out"] as const;

export const NOTHING: CountersStruct = {
  connections: 0n,
  packets_in: 0n,
  packets_out: 0n,
  bytes_in: 0n,
  bytes_out: 0n,
};

export const plus = (a: CountersStruct, b: CountersStruct): CountersStruct => ({
  connections: a.connections + b.connections,
  packets_in: a.packets_in + b.packets_in,
  packets_out: a.packets_out + b.packets_out,
  bytes_in: a.bytes_in + b.bytes_in,
  bytes_out: a.bytes_out + b.bytes_out,
});

/** What is shown after `ipvsadm -Z`: the difference, never below zero. */
export function since(zero: CountersStruct, now: CountersStruct): Counters {
  const of = (field: (typeof FIELDS)[number]) => (now[field] > zero[field] ? now[field] - zero[field] : 0n);
  return {
    connections: of("connections"),
    packetsIn: of("packets_in"),
    packetsOut: of("packets_out"),
    bytesIn: of("bytes_in"),
    bytesOut: of("bytes_out"),
  };
}

/** Fixed point: 2^10 for connections and packets, 2^5 for bytes, rounded to nearest. */
export const rounded = (smoothed: CountersStruct): Rates => ({
  connections: (smoothed.connections + 0x1ffn) >> 10n,
  packetsIn: (smoothed.packets_in + 0x1ffn) >> 10n,
  packetsOut: (smoothed.packets_out + 0x1ffn) >> 10n,
  bytesIn: (smoothed.bytes_in + 0xfn) >> 5n,
  bytesOut: (smoothed.bytes_out + 0xfn) >> 5n,
});

export class Figures {
  readonly #counters: TableMap;
  readonly #rates: TableMap;
  readonly #cpus: number;
  readonly #readCounters: Reader;
  readonly #readRates: Reader;

  constructor(set: MapSet, layouts: Layouts) {
    this.#counters = set.maps.counters;
    this.#rates = set.maps.rates;
    this.#cpus = set.cpus;
    this.#readCounters = reader(layouts.offsets("ek_counters"), 0);
    this.#readRates = reader(layouts.offsets("ek_rates"), layouts.offsets("ek_rate")("smoothed"));
  }

  /** Since the number was given out. */
  counted(server: number): CountersStruct {
    let sum = NOTHING;
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      const row = this.#counters.lookup(numberKey(server * this.#cpus + cpu));
      if (row !== undefined) sum = plus(sum, this.#readCounters(row));
    }
    return sum;
  }

  smoothed(server: number): CountersStruct {
    const row = this.#rates.lookup(numberKey(server));
    return row === undefined ? NOTHING : this.#readRates(row);
  }

  /** Of many servers at once. */
  all(servers: readonly number[]): {
    counted: (server: number) => CountersStruct;
    smoothed: (server: number) => CountersStruct;
  } {
    if (servers.length * 16 < this.#rates.information.maxEntries) {
      return { counted: (server) => this.counted(server), smoothed: (server) => this.smoothed(server) };
    }
    const counted = new Map<number, CountersStruct>();
    for (const [key, row] of this.#counters.entries()) {
      if (isZero(row)) continue;
      const server = Math.floor(keyNumber(key) / this.#cpus);
      counted.set(server, plus(counted.get(server) ?? NOTHING, this.#readCounters(row)));
    }
    const smoothed = new Map<number, CountersStruct>();
    for (const [key, row] of this.#rates.entries()) {
      if (!isZero(row)) smoothed.set(keyNumber(key), this.#readRates(row));
    }
    return {
      counted: (server) => counted.get(server) ?? NOTHING,
      smoothed: (server) => smoothed.get(server) ?? NOTHING,
    };
  }

  /** Stops a server's estimator too; the next packets start it again. */
  zeroRates(servers: readonly number[]): void {
    const zero = new Uint8Array(this.#rates.information.valueBytes);
    this.#rates.updateMany(servers.map((server) => [numberKey(server), zero]));
  }

  /** The number is about to be given out anew. */
  forget(server: number): void {
    const zero = new Uint8Array(this.#counters.information.valueBytes);
    const rows = Array.from({ length: this.#cpus }, (_, cpu) => numberKey(server * this.#cpus + cpu));
    this.#counters.updateMany(rows.map((key) => [key, zero]));
    this.zeroRates([server]);
  }
}

type Reader = (row: Uint8Array) => CountersStruct;

function reader(offsets: (field: string) => number, start: number): Reader {
  const [connections, packetsIn, packetsOut, bytesIn, bytesOut] = FIELDS.map((field) => start + offsets(field)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return (row) => {
    const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
    return {
      connections: view.getBigUint64(connections, true),
      packets_in: view.getBigUint64(packetsIn, true),
      packets_out: view.getBigUint64(packetsOut, true),
      bytes_in: view.getBigUint64(bytesIn, true),
      bytes_out: view.getBigUint64(bytesOut, true),
    };
  };
}

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
