/**
 * Tables of sh and dh: which server answers for a bucket of source or destination addresses, as IPVS fills them.
 *
 * ip_vs_sh.c, ip_vs_dh.c (l4.md §1.2). Pure. A table depends on nothing but the list, so it is made anew with each edit.
 * The look-up is in bpf/schedule-tables.h; `bucketOf` is the same hash, to tell where an address falls.
 */

/** Buckets of a table of sh or dh. */
export const HASH_TABLE_SIZE = 256;

/** In a table: nobody (bpf/structs.h, EK_NO_SERVER). */
export const NOBODY = 0xffffffff;

/**
 * Table of sh: positions in `servers`, which stand in scheduling order (newest first). Each server fills as many buckets
 * as it weighs, in turn; one of weight 0 fills one, and its clients are refused. Without servers all are `NOBODY`.
 */
export function sourceHashTable(servers: readonly { readonly weight: number }[]): Uint32Array {
  const table = new Uint32Array(HASH_TABLE_SIZE).fill(NOBODY);
  let bucket = 0;
  while (servers.length > 0 && bucket < HASH_TABLE_SIZE) {
    for (const [position, { weight }] of servers.entries()) {
      const end = bucket + Math.max(1, weight);
      table.fill(position, bucket, end);
      bucket = end;
    }
  }
  return table;
}

/** Table of dh: positions in a list of `count` servers in scheduling order, one bucket each in turn, whatever they weigh. */
export function destinationHashTable(count: number): Uint32Array {
  const table = new Uint32Array(HASH_TABLE_SIZE).fill(NOBODY);
  return count === 0 ? table : table.map((_, bucket) => bucket % count);
}

/** An address as the hashes of IPVS take it: 32 bits; the four words of an IPv6 address are xor-ed. */
export function foldAddress(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let folded = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4) folded ^= view.getUint32(at);
  return folded >>> 0;
}

/** Bucket of sh (`port` 0 unless `sh-port`; `offset` counts the attempts of `sh-fallback`) and of dh (both 0). */
export function bucketOf(address: Uint8Array, port = 0, offset = 0): number {
  const hash = Math.imul((foldAddress(address) + port) >>> 0, 0x61c88647) >>> 24;
  return (hash + offset) % HASH_TABLE_SIZE;
}
