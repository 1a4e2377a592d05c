/**
 * Reads and writes a struct of C by the layout that its BTF gives (`btf.ts`): plain objects in, bytes out, and back.
 *
 * - Integers up to 32 bits and enums are numbers, 64 bits are bigint.
 * - A name that ends in `_be` is in network order in memory, and its number is the number: `port_be: 80`.
 * - An array of `_be` integers, and one of single bytes, is its bytes as they lie in memory: a Uint8Array.
 * - Another array is an array of its elements.
 * - A struct within the struct is an object; with a single field it is that field's value (`struct ek_address`: 16 bytes).
 * - What has no named fields (`struct bpf_timer`), pointers and bit fields are left out, and written as zeros.
 */

import type { Btf } from "./btf.ts";

export type StructValue =
  | number
  | bigint
  | Uint8Array
  | readonly StructValue[]
  | { readonly [field: string]: StructValue };
export type StructObject = { readonly [field: string]: StructValue };

export interface StructCodec<T extends StructObject> {
  readonly bytes: number;
  /** Fields that are not given are zero. TypeError: a field that is not there; RangeError: a value that does not fit. */
  encode(value: Partial<T>): Uint8Array;
  /** All fields. RangeError when the bytes end before the struct. */
  decode(bytes: Uint8Array, offset?: number): T;
}

/**
 * Of the struct with this tag, as `T` declares it: write an interface (as a type alias) with the struct's own field names.
 * @throws RangeError: there is no such struct
 */
export function structCodec<T extends StructObject = StructObject>(types: Btf, name: string): StructCodec<T> {
  throw new Error(`not yet ${types.structs.size} ${name}`);
}
