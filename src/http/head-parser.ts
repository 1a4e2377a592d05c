/**
 * Reads a head, or a trailer section, from bytes that come in pieces.
 *
 * One pass by head-scanner.ts, then one decoding of the whole and slices of it. A section that arrives in one piece is read
 * where it lies; of a split one the first part is kept in a buffer of its own, bounded by `headBytes`.
 */

import { HeadScanner, MARKS, type Section } from "./head-scanner.ts";
import { HeaderList } from "./headers.ts";
import type { Leniency, Limits } from "./limits.ts";
import type { HttpVersion } from "./message.ts";
import { commonName } from "./names.ts";
import { textOf } from "./octets.ts";
import type { ProblemCode } from "./problem.ts";

const NOTHING = new Uint8Array(0);

/** `feed` took all bytes and needs more. */
export const MORE = -1;
/** `feed` found a problem. */
export const REFUSED = -2;

export class HeadParser {
  // Of the finished section.
  method = "";
  target = "";
  version: HttpVersion = "1.1";
  status = 0;
  reason = "";
  headers: HeaderList = new HeaderList();

  /** After REFUSED. */
  problem: ProblemCode = "head-too-large";

  readonly #headBytes: number;
  readonly #scanner: HeadScanner;
  /** The first part of a split section. */
  #kept: Uint8Array = NOTHING;
  #keptLength = 0;

  constructor(limits: Limits, lenient: Leniency) {
    this.#headBytes = limits.headBytes;
    this.#scanner = new HeadScanner(limits, lenient);
  }

  begin(section: Section): void {
    this.#scanner.begin(section);
    this.#kept = NOTHING;
    this.#keptLength = 0;
  }

  /** A byte other than an empty line before the start line was seen. */
  get started(): boolean {
    return this.#scanner.started;
  }

  /** Bytes of this section read so far; after REFUSED, where the problem is. */
  get length(): number {
    return this.#scanner.length;
  }

  /** Reads `bytes` from `at`: the position after the section, whose strings are then set, or MORE, or REFUSED. */
  feed(bytes: Uint8Array, at: number): number {
    const scanner = this.#scanner;
    const before = this.#keptLength;
    const room = this.#headBytes - before;
    const usable = Math.min(bytes.length - at, room);
    if (before > 0) this.#keep(bytes, at, usable);
    const source = before > 0 ? this.#kept : bytes;
    const from = before > 0 ? 0 : at;
    if (scanner.scan(source, from, from + before + usable)) {
      this.#finish(source, from);
      this.#kept = NOTHING;
      return at + scanner.length - before;
    }
    if (scanner.problem !== undefined || usable === room) {
      this.problem = scanner.problem ?? (scanner.inTarget ? "target-too-long" : "head-too-large");
      return REFUSED;
    }
    if (before === 0) this.#keep(bytes, at, usable);
    return MORE;
  }

  #keep(bytes: Uint8Array, at: number, count: number): void {
    const needed = this.#keptLength + count;
    if (needed > this.#kept.length) {
      const larger = new Uint8Array(Math.min(this.#headBytes, Math.max(512, needed, this.#kept.length * 2)));
      larger.set(this.#kept.subarray(0, this.#keptLength));
      this.#kept = larger;
    }
    this.#kept.set(bytes.subarray(at, at + count), this.#keptLength);
    this.#keptLength = needed;
  }

  #finish(bytes: Uint8Array, base: number): void {
    const scan = this.#scanner;
    const text = textOf(bytes, base, base + scan.length, scan.ascii);
    this.version = scan.minor === 1 ? "1.1" : "1.0";
    if (scan.section === "request") {
      this.method = text.slice(scan.tokenStart, scan.tokenEnd);
      this.target = text.slice(scan.targetStart, scan.targetEnd);
    } else if (scan.section === "response") {
      this.status = scan.status;
      this.reason = text.slice(scan.reasonStart, scan.reasonEnd);
    }
    const flat: string[] = [];
    const marks = scan.marks;
    for (let at = 0; at < scan.fields * MARKS; at += MARKS) {
      const from = marks[at] ?? 0;
      const to = marks[at + 1] ?? 0;
      const name = commonName(marks[at + 4] ?? 0, bytes, base + from, base + to) ?? text.slice(from, to).toLowerCase();
      const value = text.slice(marks[at + 2], marks[at + 3]);
      flat.push(name, scan.folded ? unfold(value) : value);
    }
    this.headers = new HeaderList(flat);
  }
}

/** RFC 9112 §5.2: a fold becomes one space. */
const unfold = (value: string): string =>
  value.replaceAll(/[ \t]*\r?\n[ \t]+/g, " ").replaceAll(/^[ \t]+|[ \t]+$/g, "");
