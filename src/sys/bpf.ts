/**
 * Loads a compiled object (`bpf/*.bpf.c`, built by `scripts/build-bpf`) into the kernel through libbpf: its maps, its
 * constants, its programs. Maps that are pinned already are adopted, so that a new program goes on with what the old one knew.
 *
 * `bpf-attach.ts` makes a program see packets, `bpf-probe.ts` says what the kernel lacks. Synchronous.
 */

import type { Btf } from "../wire/btf.ts";
import type { Descriptor } from "./addon.ts";
import type { BpfMap } from "./bpf-map.ts";

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
  readonly log: string;

  constructor(file: string, code: string, log: string) {
    super(`cannot load ${file}: ${code}${lastLines(log)}`);
    this.name = "BpfLoadError";
    this.code = code;
    this.log = log;
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
 * @throws BpfLoadError; BpfMapMismatch; SystemError; RangeError: a constant, map or program that the object has not, or a
 *   value that does not fit
 */
export function loadObject(options: LoadOptions): BpfObject {
  throw new Error(`not yet: ${options.file}`);
}

/** The types that an object describes, without loading it. @throws node's error, Error when it has none */
export function readObjectTypes(file: string): Btf {
  throw new Error(`not yet: ${file}`);
}

/** The verifier's last words say what is wrong; its statistics follow them. */
function lastLines(log: string): string {
  const lines = log.trimEnd().split("\n").slice(-4);
  return lines.map((line) => `\n  ${line}`).join("");
}
