/**
 * The keyed hash of mh: HalfSipHash's interface on 64-bit kernels, which is SipHash-1-3 folded to 32 bits, over one
 * 32-bit word.
 *
 * SipHash: Aumasson and Bernstein, 2012; the folding is that of include/linux/siphash.h. Pure. Not for 32-bit kernels,
 * which use another function, so their tables differ from ours (and from those of their 64-bit peers).
 */

const WORD = (1n << 64n) - 1n;

const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & WORD;

/** `word` is hashed as four bytes, lowest first; both halves of the key are `key`. Returns 32 bits. */
export function hsiphash(word: number, key: bigint): number {
  let v0 = 0x736f6d6570736575n ^ key;
  let v1 = 0x646f72616e646f6dn ^ key;
  let v2 = 0x6c7967656e657261n ^ key;
  let v3 = 0x7465646279746573n ^ key;
  const round = () => {
    v0 = (v0 + v1) & WORD;
    v1 = rotate(v1, 13n) ^ v0;
    v0 = rotate(v0, 32n);
    v2 = (v2 + v3) & WORD;
    v3 = rotate(v3, 16n) ^ v2;
    v0 = (v0 + v3) & WORD;
    v3 = rotate(v3, 21n) ^ v0;
    v2 = (v2 + v1) & WORD;
    v1 = rotate(v1, 17n) ^ v2;
    v2 = rotate(v2, 32n);
  };
  const last = (4n << 56n) | BigInt(word);
  v3 ^= last;
  round();
  v0 ^= last;
  v2 ^= 0xffn;
  round();
  round();
  round();
  return Number((v0 ^ v1 ^ v2 ^ v3) & 0xffffffffn);
}
