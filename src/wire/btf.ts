/**
 * BPF Type Format: the layouts of structs, the values of enums and the definitions of maps that a compiled object brings
 * along. Documentation/bpf/btf.rst of Linux.
 *
 * Pure codec. Knows what data looks like; functions and line information are passed over. `struct-codec.ts` reads and writes
 * values by these layouts.
 */

import { ByteReader } from "../base/bytes.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { elfSections, stringAt } from "./elf.ts";

/** Why bytes are no type information that can be used. */
export type BtfProblem = "not-elf" | "no-btf-section" | "bad-magic" | "truncated" | "unknown-kind";

/** What lies in a field. Typedefs and qualifiers are seen through. */
export type BtfType =
  /** `bool`, `char` and enums too. */
  | { readonly kind: "integer"; readonly bytes: number; readonly signed: boolean }
  | { readonly kind: "array"; readonly bytes: number; readonly count: number; readonly element: BtfType }
  /** Its fields are `structs.get(name)`'s, or its own where it has no tag. */
  | { readonly kind: "struct"; readonly bytes: number; readonly name: string; readonly fields: readonly BtfField[] }
  /** A pointer, a float, something that is too deep. */
  | { readonly kind: "opaque"; readonly bytes: number };

export interface BtfField {
  readonly name: string;
  /** Bytes from the start of the struct. */
  readonly offset: number;
  readonly type: BtfType;
}

export type BtfStruct = Extract<BtfType, { kind: "struct" }>;

/** A map as the object defines it, in the `.maps` section. What is not defined is 0. */
export interface BtfMap {
  /** linux/bpf.h: BPF_MAP_TYPE_*. */
  readonly type: number;
  readonly maxEntries: number;
  readonly keyBytes: number;
  /** Of one processor. */
  readonly valueBytes: number;
  /** Where they were given as types. */
  readonly key: BtfType | undefined;
  readonly value: BtfType | undefined;
}

export interface Btf {
  /** Structs and unions by tag; of several with one tag the first. */
  readonly structs: ReadonlyMap<string, BtfStruct>;
  /** Of all enums: values by name. clang before 15 does not say that an enum is signed: its -1 comes as 4294967295. */
  readonly values: ReadonlyMap<string, number>;
  /** Global variables, maps excepted. */
  readonly variables: ReadonlyMap<string, BtfType>;
  readonly maps: ReadonlyMap<string, BtfMap>;
}

const HEADER_BYTES = 24;
const MAGIC = 0xeb9f;
/** Types within types that are followed; no C program comes near, and hostile bytes end here. */
const DEEPEST = 32;
/** Types and fields laid out in all: hostile ones may refer to each other so that they explode. Objects have hundreds. */
const MOST_LAID_OUT = 65_536;

const KIND = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  prototype: 13,
  variable: 14,
  section: 15,
  float: 16,
  declarationTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

interface Member {
  readonly name: string;
  readonly type: number;
  /** Offset in bits; with `kindFlag` the size of a bit field above bit 24. Section entries: bytes. */
  readonly offset: number;
}

/** A type as it stands in the bytes. */
interface RawType {
  readonly kind: number;
  readonly name: string;
  readonly kindFlag: boolean;
  /** Bytes, or the type that this one refers to. */
  readonly sizeOrType: number;
  readonly members: readonly Member[];
  readonly values: readonly (readonly [string, number])[];
  readonly element: number;
  readonly count: number;
  readonly signed: boolean;
}

/** @param object as `clang -target bpf -g` makes it */
export function parseObjectBtf(object: Uint8Array): Result<Btf, BtfProblem> {
  const sections = elfSections(object);
  if (sections === undefined) return fail("not-elf");
  const section = sections.find(({ name }) => name === ".BTF");
  return section === undefined ? fail("no-btf-section") : parseBtf(section.bytes);
}

/** @param bytes what a .BTF section or the kernel holds, little-endian */
export function parseBtf(bytes: Uint8Array): Result<Btf, BtfProblem> {
  const header = new ByteReader(bytes);
  if (header.hostU16() !== MAGIC) return fail("bad-magic");
  header.hostU16(); // version and flags
  const start = header.hostU32();
  const [typesAt, typesLength, stringsAt, stringsLength] = [
    header.hostU32(),
    header.hostU32(),
    header.hostU32(),
    header.hostU32(),
  ];
  const types = bytes.subarray(start + typesAt, start + typesAt + typesLength);
  const strings = bytes.subarray(start + stringsAt, start + stringsAt + stringsLength);
  if (header.truncated || start < HEADER_BYTES || types.length < typesLength || strings.length < stringsLength) {
    return fail("truncated");
  }
  const raw = readTypes(types, strings);
  return raw.ok ? ok(layOut(raw.value)) : raw;
}

function readTypes(bytes: Uint8Array, strings: Uint8Array): Result<readonly RawType[], BtfProblem> {
  const reader = new ByteReader(bytes);
  // Number 0 is void.
  const types: RawType[] = [{ ...nothing, kind: 0 }];
  while (reader.remaining > 0) {
    const type = readType(reader, strings);
    if (reader.truncated) return fail("truncated");
    if (type === undefined) return fail("unknown-kind");
    types.push(type);
  }
  return ok(types);
}

const nothing: RawType = {
  kind: 0,
  name: "",
  kindFlag: false,
  sizeOrType: 0,
  members: [],
  values: [],
  element: 0,
  count: 0,
  signed: false,
};

/** Undefined: its length, and so where the next one begins, is not known. */
function readType(reader: ByteReader, strings: Uint8Array): RawType | undefined {
  const name = stringAt(strings, reader.hostU32());
  const info = reader.hostU32();
  const length = info & 0xffff;
  const type = {
    ...nothing,
    kind: (info >>> 24) & 0x1f,
    name,
    kindFlag: info >>> 31 === 1,
    sizeOrType: reader.hostU32(),
  };
  /** `length` times, but not beyond the end. */
  const each = <T>(bytes: number, read: () => T): T[] => {
    if (reader.remaining >= length * bytes) return Array.from({ length }, read);
    reader.take(length * bytes);
    return [];
  };
  switch (type.kind) {
    case KIND.int:
      return { ...type, signed: ((reader.hostU32() >>> 24) & 1) === 1 };
    case KIND.array: {
      const element = reader.hostU32();
      reader.hostU32(); // type of the index
      return { ...type, element, count: reader.hostU32() };
    }
    case KIND.struct:
    case KIND.union:
      return { ...type, members: each(12, () => readMember(reader, strings)) };
    case KIND.enum:
      return {
        ...type,
        values: each(8, () => {
          const label = stringAt(strings, reader.hostU32());
          return [label, type.kindFlag ? reader.hostI32() : reader.hostU32()] as const;
        }),
      };
    case KIND.enum64:
      return {
        ...type,
        values: each(12, () => {
          const label = stringAt(strings, reader.hostU32());
          const low = reader.hostU32();
          return [label, (type.kindFlag ? reader.hostI32() : reader.hostU32()) * 2 ** 32 + low] as const;
        }),
      };
    case KIND.prototype:
      each(8, () => reader.take(8));
      return type;
    case KIND.section:
      return {
        ...type,
        members: each(12, () => {
          const variable = reader.hostU32();
          const offset = reader.hostU32();
          reader.hostU32(); // bytes
          return { name: "", type: variable, offset };
        }),
      };
    case KIND.variable:
    case KIND.declarationTag:
      reader.hostU32(); // linkage, or the component that is tagged
      return type;
    case KIND.pointer:
    case KIND.forward:
    case KIND.typedef:
    case KIND.volatile:
    case KIND.const:
    case KIND.restrict:
    case KIND.function:
    case KIND.float:
    case KIND.typeTag:
      return type;
    default:
      return undefined;
  }
}

function readMember(reader: ByteReader, strings: Uint8Array): Member {
  return { name: stringAt(strings, reader.hostU32()), type: reader.hostU32(), offset: reader.hostU32() };
}

function layOut(raw: readonly RawType[]): Btf {
  const known = new Map<number, BtfType>();
  let room = MOST_LAID_OUT;

  function type(number: number, depth: number): BtfType {
    const before = known.get(number);
    if (before !== undefined) return before;
    const found = laid(raw[number], depth);
    // What was cut short because it was met too deep may be whole elsewhere.
    if (depth === 0) known.set(number, found);
    return found;
  }

  function laid(from: RawType | undefined, depth: number): BtfType {
    if (from === undefined || depth > DEEPEST || room <= 0) return { kind: "opaque", bytes: 0 };
    room -= 1 + from.members.length;
    switch (from.kind) {
      case KIND.int:
        return { kind: "integer", bytes: from.sizeOrType, signed: from.signed };
      case KIND.enum:
      case KIND.enum64:
        return { kind: "integer", bytes: from.sizeOrType, signed: from.kindFlag };
      case KIND.array: {
        const element = type(from.element, depth + 1);
        return { kind: "array", count: from.count, element, bytes: from.count * element.bytes };
      }
      case KIND.struct:
      case KIND.union:
        return { kind: "struct", name: from.name, bytes: from.sizeOrType, fields: fields(from, depth) };
      case KIND.typedef:
      case KIND.volatile:
      case KIND.const:
      case KIND.restrict:
      case KIND.typeTag:
      case KIND.variable:
        return type(from.sizeOrType, depth + 1);
      case KIND.pointer:
        return { kind: "opaque", bytes: 8 };
      case KIND.float:
        return { kind: "opaque", bytes: from.sizeOrType };
      default:
        return { kind: "opaque", bytes: 0 };
    }
  }

  /** Fields of nameless members are fields of the whole; bit fields are left out. */
  function fields(from: RawType, depth: number): readonly BtfField[] {
    return from.members.flatMap((member): readonly BtfField[] => {
      const bits = from.kindFlag ? member.offset & 0xff_ffff : member.offset;
      if ((from.kindFlag && member.offset >>> 24 !== 0) || bits % 8 !== 0) return [];
      const offset = bits / 8;
      const inner = type(member.type, depth + 1);
      if (offset + inner.bytes > from.sizeOrType) return [];
      if (member.name !== "") return [{ name: member.name, offset, type: inner }];
      if (inner.kind !== "struct") return [];
      room -= inner.fields.length;
      if (room <= 0) return [];
      return inner.fields.map((field) => ({ ...field, offset: offset + field.offset }));
    });
  }

  /** `int (*max_entries)[1024]` stands for 1024: libbpf's __uint. */
  function mapDefinition(variable: RawType): BtfMap {
    const members = raw[variable.sizeOrType]?.members ?? [];
    const pointed = (name: string): number | undefined => {
      const pointer = raw[members.find((member) => member.name === name)?.type ?? 0];
      return pointer?.kind === KIND.pointer ? pointer.sizeOrType : undefined;
    };
    const number = (name: string): number => raw[pointed(name) ?? 0]?.count ?? 0;
    const typeOf = (name: string): BtfType | undefined => {
      const target = pointed(name);
      return target === undefined ? undefined : type(target, 0);
    };
    const [key, value] = [typeOf("key"), typeOf("value")];
    return {
      type: number("type"),
      maxEntries: number("max_entries"),
      keyBytes: key?.bytes ?? number("key_size"),
      valueBytes: value?.bytes ?? number("value_size"),
      key,
      value,
    };
  }

  const structs = new Map<string, BtfStruct>();
  const values = new Map<string, number>();
  const variables = new Map<string, BtfType>();
  const maps = new Map<string, BtfMap>();
  const mapNumbers = new Set(
    raw.flatMap((each) => (each.kind === KIND.section && each.name === ".maps" ? each.members.map((m) => m.type) : [])),
  );
  for (const [number, each] of raw.entries()) {
    for (const [label, value] of each.values) {
      if (!values.has(label)) values.set(label, value);
    }
    if (each.kind === KIND.variable && mapNumbers.has(number)) maps.set(each.name, mapDefinition(each));
    else if (each.kind === KIND.variable) variables.set(each.name, type(number, 0));
    else if ((each.kind === KIND.struct || each.kind === KIND.union) && each.name !== "" && !structs.has(each.name)) {
      const struct = type(number, 0);
      if (struct.kind === "struct") structs.set(each.name, struct);
    }
  }
  return { structs, values, variables, maps };
}
