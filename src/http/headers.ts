/**
 * Field lines of one message in the order in which they came, duplicates kept.
 *
 * RFC 9110 §5. Names are lower-case, as HAProxy sends them; values are latin-1 text, one code unit a byte. A flat array and
 * linear search: a head has a dozen fields. Does not combine lines and does not know what any field means.
 */

export class HeaderList {
  /** `[name, value, name, value, …]`. Filled by the parser; everything else uses `append` and `set`. */
  readonly flat: string[];

  constructor(flat: string[] = []) {
    this.flat = flat;
  }

  /** From pairs; names are lower-cased, values cleaned. */
  static of(...pairs: readonly (readonly [name: string, value: string])[]): HeaderList {
    const list = new HeaderList();
    for (const [name, value] of pairs) list.append(name, value);
    return list;
  }

  /** Number of field lines. */
  get size(): number {
    return this.flat.length / 2;
  }

  /** Value of the first line of this (lower-case) name. */
  get(name: string): string | undefined {
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1];
    return undefined;
  }

  /** Value of the last line of this (lower-case) name. */
  last(name: string): string | undefined {
    const flat = this.flat;
    for (let i = flat.length - 2; i >= 0; i -= 2) if (flat[i] === name) return flat[i + 1];
    return undefined;
  }

  /** Values of all lines of this (lower-case) name, in order. */
  all(name: string): string[] {
    const values: string[] = [];
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) values.push(flat[i + 1] ?? "");
    return values;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** True when there is a line for which `is` is true. */
  some(is: (name: string, value: string) => boolean): boolean {
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) if (is(flat[i] ?? "", flat[i + 1] ?? "")) return true;
    return false;
  }

  /** Adds a line at the end. Octets that could end the line (CR, LF, NUL) become spaces (RFC 9110 §5.5). */
  append(name: string, value: string): void {
    this.flat.push(name.toLowerCase(), harmless(value));
  }

  /** Replaces the first line of this name where it stands and drops the others; appends when there is none. */
  set(name: string, value: string): void {
    const wanted = name.toLowerCase();
    const flat = this.flat;
    let kept = 0;
    let found = false;
    for (let i = 0; i < flat.length; i += 2) {
      const current = flat[i] ?? "";
      if (current === wanted && found) continue;
      flat[kept] = current;
      flat[kept + 1] = current === wanted ? harmless(value) : (flat[i + 1] ?? "");
      kept += 2;
      found ||= current === wanted;
    }
    flat.length = kept;
    if (!found) this.append(wanted, value);
  }

  /** Drops every line of this (lower-case) name; the number dropped. */
  remove(name: string): number {
    return this.removeWhere((candidate) => candidate === name);
  }

  /** Drops every line for which `drop` is true; the number dropped. */
  removeWhere(drop: (name: string, value: string) => boolean): number {
    const flat = this.flat;
    let kept = 0;
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] ?? "";
      const value = flat[i + 1] ?? "";
      if (drop(name, value)) continue;
      flat[kept] = name;
      flat[kept + 1] = value;
      kept += 2;
    }
    const dropped = (flat.length - kept) / 2;
    flat.length = kept;
    return dropped;
  }

  copy(): HeaderList {
    return new HeaderList(this.flat.slice());
  }

  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i < this.flat.length; i += 2) yield [this.flat[i] ?? "", this.flat[i + 1] ?? ""];
  }
}

function harmless(value: string): string {
  return /[\0\r\n]/.test(value) ? value.replaceAll(/[\0\r\n]/g, " ") : value;
}
