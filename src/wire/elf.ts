/**
 * Finds sections and symbols in an ELF object as `clang -target bpf` makes it: 64 bits, little-endian. elf(5).
 *
 * Pure codec. Does not relocate or judge; what lies outside the file is not there.
 */

export interface ElfSection {
  readonly name: string;
  readonly index: number;
  /** Empty for a section without contents in the file (.bss). */
  readonly bytes: Uint8Array;
  readonly type: number;
  /** Of another section that this one refers to. */
  readonly link: number;
}

export interface ElfSymbol {
  readonly name: string;
  readonly section: number;
  /** Within its section. */
  readonly offset: number;
  readonly bytes: number;
}

const HEADER_BYTES = 64;
const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;

/** In the file's order; undefined when these bytes are no such object. */
export function elfSections(object: Uint8Array): readonly ElfSection[] | undefined {
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  // 7f 'E' 'L' 'F', 64 bits, little-endian.
  if (object.length < HEADER_BYTES || view.getUint32(0) !== 0x7f454c46 || view.getUint16(4) !== 0x0201)
    return undefined;
  const table = Number(view.getBigUint64(40, true));
  const count = view.getUint16(60, true);
  if (view.getUint16(58, true) !== SECTION_BYTES || table + count * SECTION_BYTES > object.length) return undefined;
  const raw = Array.from({ length: count }, (_, index) => {
    const at = table + index * SECTION_BYTES;
    const type = view.getUint32(at + 4, true);
    const start = Number(view.getBigUint64(at + 24, true));
    const length = type === SHT_NOBITS ? 0 : Number(view.getBigUint64(at + 32, true));
    const bytes = start + length > object.length ? new Uint8Array() : object.subarray(start, start + length);
    return { nameAt: view.getUint32(at, true), index, bytes, type, link: view.getUint32(at + 40, true) };
  });
  const names = raw[view.getUint16(62, true)]?.bytes ?? new Uint8Array();
  return raw.map(({ nameAt, ...section }) => ({ ...section, name: stringAt(names, nameAt) }));
}

/** Named symbols; none when there is no symbol table. */
export function elfSymbols(sections: readonly ElfSection[]): readonly ElfSymbol[] {
  const table = sections.find(({ type }) => type === SHT_SYMTAB);
  if (table === undefined) return [];
  const names = sections[table.link]?.bytes ?? new Uint8Array();
  const view = new DataView(table.bytes.buffer, table.bytes.byteOffset, table.bytes.byteLength);
  return Array.from({ length: Math.floor(table.bytes.length / SYMBOL_BYTES) }, (_, index) => {
    const at = index * SYMBOL_BYTES;
    return {
      name: stringAt(names, view.getUint32(at, true)),
      section: view.getUint16(at + 6, true),
      offset: Number(view.getBigUint64(at + 8, true)),
      bytes: Number(view.getBigUint64(at + 16, true)),
    };
  }).filter(({ name }) => name !== "");
}

/** Up to the next zero; empty when it begins outside. */
export function stringAt(table: Uint8Array, start: number): string {
  const end = table.indexOf(0, start);
  return start >= table.length || end < 0 ? "" : new TextDecoder().decode(table.subarray(start, end));
}
