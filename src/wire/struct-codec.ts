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

import type { Btf, BtfType } from "./btf.ts";

export type StructValue =
  | number
  | bigint
  | Uint8Array
  | readonly StructValue[]
  | { readonly [field: string]: StructValue };

export interface StructCodec<T> {
  readonly bytes: number;
  /** Fields that are not given are zero. TypeError: a field that is not there, or of another kind; RangeError: too large. */
  encode(value: Partial<T>): Uint8Array;
  /** All fields; arrays of bytes are copies. RangeError when the bytes end before the struct. */
  decode(bytes: Uint8Array, offset?: number): T;
}

/** Reads or writes one value at a place. */
interface Place {
  readonly bytes: number;
  read(view: DataView, at: number): StructValue;
  write(view: DataView, at: number, value: StructValue): void;
}

/**
 * Of the struct with this tag. `T` is an interface with its field names; fields that it leaves out are there all the same.
 * @throws RangeError: there is no such struct
 */
export function structCodec<T extends object = Record<string, StructValue>>(types: Btf, name: string): StructCodec<T> {
  const struct = types.structs.get(name);
  if (struct === undefined) throw new RangeError(`there is no struct ${name}`);
  const place = structPlace(struct, name);
  return {
    bytes: struct.bytes,
    encode(value) {
      const bytes = new Uint8Array(struct.bytes);
      place.write(new DataView(bytes.buffer), 0, value as StructValue);
      return bytes;
    },
    decode(bytes, offset = 0) {
      if (bytes.length - offset < struct.bytes) throw new RangeError(`${name} has ${struct.bytes} bytes`);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return place.read(view, offset) as T;
    },
  };
}

/** Undefined for what is left out. */
function placeOf(type: BtfType, name: string): Place | undefined {
  switch (type.kind) {
    case "integer":
      return integerPlace(type.bytes, type.signed, name);
    case "array":
      return arrayPlace(type, name);
    case "struct": {
      const [only, ...others] = type.fields;
      if (only === undefined) return undefined;
      if (others.length > 0 || only.offset > 0) return structPlace(type, name);
      return placeOf(only.type, only.name);
    }
    case "opaque":
      return undefined;
    default:
      return type satisfies never;
  }
}

function structPlace(type: Extract<BtfType, { kind: "struct" }>, name: string): Place {
  const fields = type.fields.flatMap(({ name: label, offset, type: inner }) => {
    const place = placeOf(inner, label);
    return place === undefined ? [] : [{ label, offset, place }];
  });
  const byName = new Map(fields.map((field) => [field.label, field]));
  return {
    bytes: type.bytes,
    read(view, at) {
      const value: Record<string, StructValue> = {};
      for (const { label, offset, place } of fields) value[label] = place.read(view, at + offset);
      return value;
    },
    write(view, at, value) {
      if (typeof value !== "object") throw new TypeError(`${name} must be an object`);
      for (const [label, each] of Object.entries(value)) {
        const field = byName.get(label);
        if (field === undefined) throw new TypeError(`${name} has no field ${label}`);
        if (each !== undefined) field.place.write(view, at + field.offset, each);
      }
    },
  };
}

function arrayPlace({ element, count, bytes }: Extract<BtfType, { kind: "array" }>, name: string): Place | undefined {
  if (element.kind === "integer" && (element.bytes === 1 || name.endsWith("_be"))) return bytesPlace(bytes, name);
  const place = placeOf(element, name);
  if (place === undefined) return undefined;
  return {
    bytes,
    read: (view, at) => Array.from({ length: count }, (_, index) => place.read(view, at + index * element.bytes)),
    write(view, at, value) {
      if (!Array.isArray(value) || value.length > count) throw new TypeError(`${name} must be an array of ${count}`);
      for (const [index, each] of value.entries()) place.write(view, at + index * element.bytes, each);
    },
  };
}

function bytesPlace(bytes: number, name: string): Place {
  return {
    bytes,
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, bytes).slice(),
    write(view, at, value) {
      if (!(value instanceof Uint8Array) || value.length !== bytes) {
        throw new TypeError(`${name} must be a Uint8Array of ${bytes} bytes`);
      }
      new Uint8Array(view.buffer, view.byteOffset + at, bytes).set(value);
    },
  };
}

function integerPlace(bytes: number, signed: boolean, name: string): Place | undefined {
  const little = !name.endsWith("_be");
  switch (bytes) {
    case 1:
      return numberPlace(1, signed, name, {
        read: (view, at) => (signed ? view.getInt8(at) : view.getUint8(at)),
        write: (view, at, value) => view.setUint8(at, value),
      });
    case 2:
      return numberPlace(2, signed, name, {
        read: (view, at) => (signed ? view.getInt16(at, little) : view.getUint16(at, little)),
        write: (view, at, value) => view.setUint16(at, value, little),
      });
    case 4:
      return numberPlace(4, signed, name, {
        read: (view, at) => (signed ? view.getInt32(at, little) : view.getUint32(at, little)),
        write: (view, at, value) => view.setUint32(at, value, little),
      });
    case 8:
      return {
        bytes,
        read: (view, at) => (signed ? view.getBigInt64(at, little) : view.getBigUint64(at, little)),
        write(view, at, value) {
          if (typeof value !== "bigint") throw new TypeError(`${name} must be a bigint`);
          const fits = signed ? BigInt.asIntN(64, value) === value : BigInt.asUintN(64, value) === value;
          if (!fits) throw new RangeError(`${name} is 64 bits, not ${value}`);
          view.setBigUint64(at, value, little);
        },
      };
    default:
      return undefined;
  }
}

function numberPlace(
  bytes: number,
  signed: boolean,
  name: string,
  access: { read(view: DataView, at: number): number; write(view: DataView, at: number, value: number): void },
): Place {
  const least = signed ? -(2 ** (bytes * 8 - 1)) : 0;
  const most = least + 2 ** (bytes * 8) - 1;
  return {
    bytes,
    read: access.read,
    write(view, at, value) {
      if (typeof value !== "number") throw new TypeError(`${name} must be a number`);
      if (!Number.isInteger(value) || value < least || value > most) {
        throw new RangeError(`${name} is ${least} to ${most}, not ${value}`);
      }
      access.write(view, at, value);
    },
  };
}
