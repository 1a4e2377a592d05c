/**
 * Table of mh, Maglev hashing as IPVS fills it: two balancers with the same servers in the same order have the same table.
 *
 * Eisenbud et al., NSDI 2016, §3.4; sizes, keys and turns are those of ip_vs_mh.c (l4.md §1.2). Pure. The look-up is in
 * bpf/schedule-tables.h.
 */

import { foldAddress, NOBODY } from "./hash-tables.ts";
import { hsiphash } from "./hsiphash.ts";
import { greatestCommonDivisor } from "./weights.ts";

/** CONFIG_IP_VS_MH_TAB_INDEX 12, what distributions build. A list of more servers is refused by IPVS. */
export const MAGLEV_TABLE_SIZE = 4093;

/** Turns of a server in a round take at most so many bits (half of CONFIG_IP_VS_MH_TAB_INDEX). */
const TURN_BITS = 6;

const OFFSET_KEY = 2654435761n;
const SKIP_KEY = 2654446892n;

export interface MaglevServer {
  /** 4 or 16 bytes, network order. */
  readonly address: Uint8Array;
  readonly port: number;
  /** The last weight that was not 0; 0 when it never had one. A weight of 0 leaves the table as it is. */
  readonly lastWeight: number;
}

/** Hash of an address with a port (of a client: 0 unless `mh-port`; `offset` as in `maglevSlot`). */
export function maglevHash(address: Uint8Array, port: number, offset = 0): number {
  return hsiphash((foldAddress(address) + port + offset) >>> 0, OFFSET_KEY);
}

/** Slot of a client in a table of `size` slots. `offset`: the slots that `mh-fallback` tried, as ip_vs_mh.c adds them. */
export function maglevSlot(client: Uint8Array, port: number, size: number, offset = 0): number {
  return maglevHash(client, port, offset) % size;
}

/**
 * Positions in `servers`, which stand in scheduling order (newest first); `NOBODY` everywhere when none ever had a weight.
 * `size` is a prime of at least `servers.length`.
 */
export function maglevTable(servers: readonly MaglevServer[], size = MAGLEV_TABLE_SIZE): Uint32Array {
  const table = new Uint32Array(size).fill(NOBODY);
  const turns = turnsOf(servers.map(({ lastWeight }) => lastWeight));
  const rows = servers.map(({ address, port }, position) => ({
    position,
    turns: turns[position] ?? 0,
    slot: maglevHash(address, port) % size,
    skip: (hsiphash((foldAddress(address) + port) >>> 0, SKIP_KEY) % (size - 1)) + 1,
  }));
  const filling = rows.filter((row) => row.turns > 0);
  let free = filling.length === 0 ? 0 : size;
  while (free > 0) {
    for (const row of filling) {
      for (let turn = 0; turn < row.turns && free > 0; turn++, free--) {
        while (table[row.slot] !== NOBODY) row.slot = (row.slot + row.skip) % size;
        table[row.slot] = row.position;
      }
    }
  }
  return table;
}

/** How many slots each takes in a round: the weights without their common divisor, cut to `TURN_BITS` bits, at least 1. */
function turnsOf(weights: readonly number[]): number[] {
  const divisor = greatestCommonDivisor(weights);
  if (divisor === 0) return weights.map(() => 0);
  const bits = 32 - Math.clz32(Math.max(...weights) / divisor);
  const shift = Math.max(0, bits - TURN_BITS);
  return weights.map((weight) => (weight === 0 ? 0 : Math.max(1, (weight / divisor) >> shift)));
}
