/**
 * Loads a compiled object (`bpf/*.bpf.c`, built by `scripts/build-bpf`) into the kernel through libbpf: its maps, its
 * constants, its programs. Maps that are pinned already are adopted, so that a new program goes on with what the old one knew.
 *
 * `bpf-attach.ts` makes a program see packets, `bpf-probe.ts` says what the kernel lacks. Synchronous.
 */

import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Btf, BtfMap } from "../wire/btf.ts";
import { parseObjectBtf } from "../wire/btf.ts";
import { elfSections, elfSymbols } from "../wire/elf.ts";
import { addon, attempt, type Descriptor, type NativeMapChoice } from "./addon.ts";
import { BpfMap, openPinnedMap } from "./bpf-map.ts";

export interface LoadOptions {
  /** The object's path. */
  readonly file: string;
  /** Values of `const volatile` variables, by name; what is not given keeps what the source says. */
  readonly constants?: Readonly<Record<string, number | bigint | boolean>> | undefined;
  /** `max_entries` by map, for maps that are made afresh. */
  readonly mapSizes?: Readonly<Record<string, number>> | undefined;
  /**
   * Folder of a bpffs that exists. Every map of the object is pinned there under its own name, and taken from there when
   * it is there already, whatever its `max_entries`. Without it nothing is pinned.
   */
  readonly pinned?: string | undefined;
  /** Only these programs are loaded; all when missing. For those that an older kernel refuses. */
  readonly programs?: readonly string[] | undefined;
}

/** The verifier, or libbpf, refused. `message` ends in the last lines of what it said; `log` is all of it. */
export class BpfLoadError extends Error {
  readonly code: string;
  readonly #log: string;

  constructor(file: string, code: string, log: string) {
    const program = /prog '([^']+)': BPF program load failed/.exec(log)?.[1];
    const what = program === undefined ? file : `program ${program} of ${file}`;
    super([`cannot load ${what}: ${code}`, ...lastLines(log)].join("\n  "));
    this.name = "BpfLoadError";
    this.code = code;
    this.#log = log;
  }

  /** Not a property of its own: it may be megabytes, and whoever prints the error would print it. */
  get log(): string {
    return this.#log;
  }
}

/** A pinned map has another layout than the object's: it was made by another version. Nothing was changed. */
export class BpfMapMismatch extends Error {
  readonly map: string;

  constructor(map: string, detail: string) {
    super(`the pinned map ${map} is another version's: ${detail}`);
    this.name = "BpfMapMismatch";
    this.map = map;
  }
}

/** What a loaded object consists of. All of it is released by `close`, save what is pinned, attached or in use. */
export interface BpfObject extends Disposable {
  readonly types: Btf;
  /** Without the compiler's own (.rodata, .bss). */
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: ReadonlyMap<string, Descriptor>;
  /** Names of the maps that were pinned already. */
  readonly adopted: ReadonlySet<string>;
  /** Throws RangeError for a name that the object does not have. */
  map(name: string): BpfMap;
  program(name: string): Descriptor;
  close(): void;
}

/**
 * @throws BpfLoadError; BpfMapMismatch; SystemError; RangeError: a constant or map that the object has not, or a value that
 *   does not fit. Maps that were pinned before a failure stay pinned.
 */
export function loadObject(options: LoadOptions): BpfObject {
  const { file, mapSizes = {}, pinned, programs } = options;
  const bytes = readFileSync(file);
  const types = objectTypes(file, bytes);
  for (const name of Object.keys(mapSizes)) {
    if (!types.maps.has(name)) throw new RangeError(`${file} has no map ${name}`);
  }
  const symbols = elfSymbols(elfSections(bytes) ?? []);
  for (const name of programs ?? []) {
    if (!symbols.some((symbol) => symbol.name === name)) throw new RangeError(`${file} has no program ${name}`);
  }
  const constants = options.constants === undefined ? undefined : constantBytes(file, bytes, types, options.constants);
  const adopted = pinned === undefined ? new Map<string, BpfMap>() : adoptMaps(types, pinned);
  try {
    // A map that is adopted keeps its size.
    const choices = [...types.maps.keys()].map(
      (name): NativeMapChoice => ({ name, fd: adopted.get(name)?.fd ?? -1, maxEntries: mapSizes[name] ?? 0 }),
    );
    // At most 15 characters, and no dots, of it become part of the names that the kernel shows.
    const name = basename(file).replace(/\..*$/, "");
    const loaded = attempt(`load ${file}`, () => addon.bpfLoad(bytes, name, constants, choices, programs));
    if (loaded.errno !== 0) throw new BpfLoadError(file, addon.errorName(loaded.errno), loaded.log);
    const object = new LoadedObject(types, loaded.maps, loaded.programs, new Set(adopted.keys()));
    try {
      if (pinned !== undefined) object.pinMaps(pinned);
      return object;
    } catch (error) {
      object.close();
      throw error;
    }
  } finally {
    closeAll(adopted.values());
  }
}

/** The types that an object describes, without loading it. @throws node's error when it cannot be read; Error */
export function readObjectTypes(file: string): Btf {
  return objectTypes(file, readFileSync(file));
}

function objectTypes(file: string, bytes: Uint8Array): Btf {
  const types = parseObjectBtf(bytes);
  if (!types.ok) throw new Error(`${file} has no type information: ${types.error}`);
  return types.value;
}

class LoadedObject implements BpfObject {
  readonly types: Btf;
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: ReadonlyMap<string, Descriptor>;
  readonly adopted: ReadonlySet<string>;
  #open = true;

  constructor(
    types: Btf,
    maps: Readonly<Record<string, Descriptor>>,
    programs: Readonly<Record<string, Descriptor>>,
    adopted: ReadonlySet<string>,
  ) {
    this.types = types;
    this.maps = new Map(Object.entries(maps).map(([name, fd]) => [name, new BpfMap(fd)]));
    this.programs = new Map(Object.entries(programs));
    this.adopted = adopted;
  }

  map(name: string): BpfMap {
    return known(this.maps, name, "map");
  }

  program(name: string): Descriptor {
    return known(this.programs, name, "program");
  }

  pinMaps(folder: string): void {
    for (const [name, map] of this.maps) {
      if (!this.adopted.has(name)) map.pin(join(folder, name));
    }
  }

  /** Safe to call twice. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeAll(this.maps.values());
    for (const fd of this.programs.values()) addon.close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function known<T>(all: ReadonlyMap<string, T>, name: string, kind: string): T {
  const found = all.get(name);
  if (found === undefined) throw new RangeError(`the object has no ${kind} ${name}`);
  return found;
}

function closeAll(maps: Iterable<BpfMap>): void {
  for (const map of maps) map.close();
}

/** Those of the object's maps that are pinned in this folder. */
function adoptMaps(types: Btf, folder: string): ReadonlyMap<string, BpfMap> {
  const adopted = new Map<string, BpfMap>();
  try {
    for (const [name, wanted] of types.maps) {
      const path = join(folder, name);
      if (!existsSync(path)) continue;
      const map = openPinnedMap(path);
      adopted.set(name, map);
      compare(name, map, wanted);
    }
    return adopted;
  } catch (error) {
    closeAll(adopted.values());
    throw error;
  }
}

/** The value of a per-processor map is only compared by whether it can be one. */
function compare(name: string, { information }: BpfMap, wanted: BtfMap): void {
  const { type, keyBytes, valueBytes } = information;
  if (type !== wanted.type) throw new BpfMapMismatch(name, `type ${type}, not ${wanted.type}`);
  if (keyBytes !== wanted.keyBytes) throw new BpfMapMismatch(name, `keys of ${keyBytes} bytes, not ${wanted.keyBytes}`);
  const perProcessor = PER_PROCESSOR.has(type) ? Math.ceil(wanted.valueBytes / 8) * 8 : undefined;
  // An array of programs gives its values as a table of functions; libbpf makes it an array of 4 bytes.
  const defined = type === PROGRAM_ARRAY ? valueBytes : wanted.valueBytes;
  const fits = perProcessor === undefined ? valueBytes === defined : valueBytes % perProcessor === 0;
  if (!fits) throw new BpfMapMismatch(name, `values of ${valueBytes} bytes, not ${wanted.valueBytes}`);
}

/** BPF_MAP_TYPE_PROG_ARRAY. */
const PROGRAM_ARRAY = 3;
/** BPF_MAP_TYPE_PERCPU_HASH, _PERCPU_ARRAY, _LRU_PERCPU_HASH. */
const PER_PROCESSOR: ReadonlySet<number> = new Set([5, 6, 10]);

/** The section .rodata with these values in it. */
function constantBytes(
  file: string,
  object: Uint8Array,
  types: Btf,
  constants: NonNullable<LoadOptions["constants"]>,
): Uint8Array | undefined {
  const sections = elfSections(object) ?? [];
  const section = sections.find(({ name }) => name === ".rodata");
  const bytes = section?.bytes.slice();
  const symbols = elfSymbols(sections);
  for (const [name, value] of Object.entries(constants)) {
    const symbol = symbols.find((each) => each.name === name && each.section === section?.index);
    const type = types.variables.get(name);
    if (bytes === undefined || symbol === undefined || type?.kind !== "integer") {
      throw new RangeError(`${file} has no number ${name} that could be set`);
    }
    const whole = BigInt(value);
    const bits = type.bytes * 8;
    if ((type.signed ? BigInt.asIntN(bits, whole) : BigInt.asUintN(bits, whole)) !== whole) {
      throw new RangeError(`${name} has ${bits} bits, not enough for ${value}`);
    }
    for (let i = 0; i < type.bytes; i++) bytes[symbol.offset + i] = Number((whole >> BigInt(8 * i)) & 0xffn);
  }
  return bytes;
}

/**
 * What the verifier wrote last before its statistics; libbpf frames it with lines of its own, which are left out, as are the
 * many lines about what it was willing to try.
 */
function lastLines(log: string): string[] {
  const lines = log.split("\n").map((line) => line.trim());
  const said = lines.filter((line) => line !== "" && !/^(processed \d+ insns|libbpf: |-- (BEGIN|END) )/.test(line));
  return (said.length > 0 ? said : lines.filter((line) => line !== "")).slice(-4);
}
