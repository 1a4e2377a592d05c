/**
 * Reads a head, or a trailer section, in one pass over the bytes and can stop after any of them.
 *
 * RFC 9112 §2 to §5 and §7.1.2. Syntax only: knows no field's meaning (framing.ts and host.ts do). Remembers offsets while it
 * reads and makes strings at the end. A head that arrives in one piece is read where it lies; of a split one the first part
 * is kept in a buffer of its own, which is bounded by `headBytes`.
 */

import { HeaderList } from "./headers.ts";
import type { Leniency, Limits } from "./limits.ts";
import type { HttpVersion } from "./message.ts";
import { commonName, hashStep } from "./names.ts";
import { COLON, CR, HTAB, LF, SP, TARGET, TEXT, TOKEN, textOf } from "./octets.ts";
import type { ProblemCode } from "./problem.ts";

/** What begins the section: a request line, a status line, or nothing (trailers). */
export type Section = "request" | "response" | "trailers";

/** Where in the section the next byte stands. */
const S = {
  blank: 0,
  method: 1,
  target: 2,
  version: 3,
  status: 4,
  reason: 5,
  lineCr: 6,
  lineLf: 7,
  fieldStart: 8,
  name: 9,
  valueStart: 10,
  value: 11,
  endLf: 12,
  done: 13,
} as const;

/** RFC 9112 §5.2: a fold becomes one space. */
const unfold = (value: string): string =>
  value.replaceAll(/[ \t]*\r?\n[ \t]+/g, " ").replaceAll(/^[ \t]+|[ \t]+$/g, "");

/** Numbers kept of each field: start and end of name and value, and the hash of the name. */
const MARKS = 5;
const NOTHING = new Uint8Array(0);
const VERSION_PREFIX = [72, 84, 84, 80, 47]; // HTTP/

export class HeadParser {
  readonly #limits: Limits;
  readonly #lenient: Leniency;

  /** Set when `feed` answered a problem. */
  problem: ProblemCode | undefined;
  /** Bytes of this section read so far; with a problem, where it is. */
  length = 0;
  /** A byte other than an empty line before the start line was seen. */
  started = false;

  #section: Section = "request";
  #state: number = S.blank;
  /** The first part of a split section. */
  #kept: Uint8Array = NOTHING;
  #keptLength = 0;

  // Offsets from the start of the section.
  #tokenEnd = 0;
  #tokenStart = 0;
  #targetStart = 0;
  #targetEnd = 0;
  #versionStart = 0;
  #minor = 1;
  #status = 0;
  #reasonStart = 0;
  #reasonEnd = 0;
  #ascii = true;
  #folded = false;
  #fields = 0;
  #hash = 0;
  #nameStart = 0;
  #nameEnd = 0;
  #valueStart = 0;
  #marks: Int32Array = new Int32Array(16 * MARKS);

  // Strings of the finished section.
  method = "";
  target = "";
  version: HttpVersion = "1.1";
  status = 0;
  reason = "";
  headers: HeaderList = new HeaderList();

  constructor(limits: Limits, lenient: Leniency) {
    this.#limits = limits;
    this.#lenient = lenient;
  }

  begin(section: Section): void {
    this.#section = section;
    this.#state = section === "request" ? S.blank : section === "response" ? S.version : S.fieldStart;
    this.#kept = NOTHING;
    this.#keptLength = 0;
    this.problem = undefined;
    this.length = 0;
    this.started = false;
    this.#versionStart = 0;
    this.#status = 0;
    this.#ascii = true;
    this.#folded = false;
    this.#fields = 0;
  }

  /**
   * Reads `bytes` from `at`. Answers the position after the section (its strings are then set), or −1 when all bytes were
   * taken and more are needed, or −2 with `problem` set.
   */
  feed(bytes: Uint8Array, at: number): number {
    const before = this.#keptLength;
    const room = this.#limits.headBytes - before;
    const usable = Math.min(bytes.length - at, room);
    let from = at;
    let source = bytes;
    if (before > 0) {
      this.#keep(bytes, at, usable);
      from = 0;
      source = this.#kept;
    }
    const complete = this.#scan(source, from, from + before + usable);
    if (this.problem !== undefined) return -2;
    if (complete) {
      this.#finish(source, from);
      this.#kept = NOTHING;
      return at + this.length - before;
    }
    if (usable === room) {
      this.problem = this.#state === S.method || this.#state === S.target ? "target-too-long" : "head-too-large";
      return -2;
    }
    if (before === 0) this.#keep(bytes, at, usable);
    return -1;
  }

  #keep(bytes: Uint8Array, at: number, count: number): void {
    const needed = this.#keptLength + count;
    if (needed > this.#kept.length) {
      const larger = new Uint8Array(Math.min(this.#limits.headBytes, Math.max(512, needed, this.#kept.length * 2)));
      larger.set(this.#kept.subarray(0, this.#keptLength));
      this.#kept = larger;
    }
    this.#kept.set(bytes.subarray(at, at + count), this.#keptLength);
    this.#keptLength = needed;
  }

  #fail(code: ProblemCode, at: number): false {
    this.problem = code;
    this.length = at;
    return false;
  }

  /** Goes on at `base + length`. True when the section is complete; false when `end` was reached or on a problem. */
  #scan(bytes: Uint8Array, base: number, end: number): boolean {
    let i = base + this.length;
    let state = this.#state;
    let octet = 0;
    while (i < end) {
      octet = bytes[i] ?? 0;
      switch (state) {
        case S.blank:
          // RFC 9112 §2.2: empty lines before a request line are ignored. They count towards the head's size.
          if (octet === CR) {
            if (i + 1 >= end) return this.#pause(S.blank, i, base);
            if (bytes[i + 1] !== LF) return this.#fail("bare-cr", i - base);
            i += 2;
          } else if (octet === LF) {
            if (!this.#lenient.bareLf) return this.#fail("bare-lf", i - base);
            i++;
          } else {
            this.started = true;
            this.#tokenStart = i - base;
            state = S.method;
          }
          break;

        case S.method:
          while (TOKEN[octet] !== 0 && ++i < end) octet = bytes[i] ?? 0;
          if (i >= end) break;
          if (octet !== SP || i - base === this.#tokenStart) return this.#fail("method-invalid", i - base);
          this.#tokenEnd = i - base;
          this.#targetStart = ++i - base;
          state = S.target;
          break;

        case S.target: {
          let kind = TARGET[octet];
          while (kind === 1 && ++i < end) {
            octet = bytes[i] ?? 0;
            kind = TARGET[octet];
          }
          if (i >= end) break;
          if (kind === 2 && this.#lenient.looseTarget) {
            if (octet >= 0x80) this.#ascii = false;
            i++;
            break;
          }
          if (octet === SP) {
            if (i - base === this.#targetStart) return this.#fail("request-line-malformed", i - base);
            this.#targetEnd = i - base;
            this.#versionStart = ++i - base;
            state = S.version;
            break;
          }
          if (octet === CR || octet === LF) return this.#fail("http-0.9", i - base);
          return this.#fail("target-invalid", i - base);
        }

        case S.version: {
          this.started = true;
          const place = i - base - this.#versionStart;
          const expected = VERSION_PREFIX[place];
          const isDigit = octet >= 48 && octet <= 57;
          if (expected !== undefined ? octet !== expected : place === 6 ? octet !== 46 : !isDigit) {
            return this.#fail("version-malformed", i - base);
          }
          if (place === 5 && octet !== 49) return this.#fail("version-unsupported", i - base);
          if (place === 7) {
            if (octet > 49) return this.#fail("version-unsupported", i - base);
            this.#minor = octet - 48;
            state = this.#section === "request" ? S.lineCr : S.status;
          }
          i++;
          break;
        }

        case S.status: {
          const place = i - base - this.#versionStart - 8;
          if (place === 0 || place === 4) {
            if (place === 4) {
              if (octet === SP) {
                state = S.reason;
                this.#reasonStart = i + 1 - base;
              } else if (octet === CR && this.#lenient.missingReason) {
                this.#reasonStart = this.#reasonEnd = i - base;
                state = S.lineCr;
                break;
              } else return this.#fail("status-line-malformed", i - base);
            } else if (octet !== SP) return this.#fail("status-line-malformed", i - base);
          } else {
            if (octet < 48 || octet > 57 || (place === 1 && octet === 48))
              return this.#fail("status-invalid", i - base);
            this.#status = this.#status * 10 + octet - 48;
          }
          i++;
          break;
        }

        case S.reason: {
          let kind = TEXT[octet];
          while (kind !== 0) {
            if (kind === 2) this.#ascii = false;
            if (++i >= end) break;
            octet = bytes[i] ?? 0;
            kind = TEXT[octet];
          }
          if (i >= end) break;
          if (octet !== CR && octet !== LF) return this.#fail("status-line-malformed", i - base);
          this.#reasonEnd = i - base;
          state = S.lineCr;
          break;
        }

        case S.lineCr:
          if (octet === CR) {
            i++;
            state = S.lineLf;
          } else if (octet === LF) {
            if (!this.#lenient.bareLf) return this.#fail("bare-lf", i - base);
            i++;
            state = S.fieldStart;
          } else {
            return this.#fail(
              this.#section === "request" ? "request-line-malformed" : "status-line-malformed",
              i - base,
            );
          }
          break;

        case S.lineLf:
          if (octet !== LF) return this.#fail("bare-cr", i - 1 - base);
          i++;
          state = S.fieldStart;
          break;

        case S.fieldStart:
          if (octet === CR) {
            i++;
            state = S.endLf;
            break;
          }
          if (octet === LF) {
            if (!this.#lenient.bareLf) return this.#fail("bare-lf", i - base);
            return this.#pause(S.done, i + 1, base);
          }
          if (octet === SP || octet === HTAB) {
            if (this.#fields === 0) return this.#fail("leading-space", i - base);
            if (!this.#lenient.obsFold) return this.#fail("obs-fold", i - base);
            this.#folded = true;
            this.#fields--;
            state = S.value;
            break;
          }
          if (this.#fields >= this.#limits.fields) return this.#fail("too-many-fields", i - base);
          this.#nameStart = i - base;
          this.#hash = 0;
          state = S.name;
          break;

        case S.name: {
          let lower = TOKEN[octet] ?? 0;
          let hash = this.#hash;
          while (lower !== 0) {
            hash = hashStep(hash, lower);
            if (++i >= end) break;
            octet = bytes[i] ?? 0;
            lower = TOKEN[octet] ?? 0;
          }
          this.#hash = hash;
          if (i >= end) break;
          if (octet !== COLON || i - base === this.#nameStart) {
            const spaced = (octet === SP || octet === HTAB) && i - base > this.#nameStart;
            return this.#fail(spaced ? "space-before-colon" : "field-name-invalid", i - base);
          }
          this.#nameEnd = i - base;
          i++;
          state = S.valueStart;
          break;
        }

        case S.valueStart:
          if (octet === SP || octet === HTAB) {
            i++;
            break;
          }
          this.#valueStart = i - base;
          state = S.value;
          break;

        case S.value: {
          let kind = TEXT[octet];
          while (kind !== 0) {
            if (kind === 2) this.#ascii = false;
            if (++i >= end) break;
            octet = bytes[i] ?? 0;
            kind = TEXT[octet];
          }
          if (i >= end) break;
          if (octet !== CR && octet !== LF) return this.#fail("field-value-invalid", i - base);
          let last = i;
          const first = base + this.#valueStart;
          while (last > first && (bytes[last - 1] === SP || bytes[last - 1] === HTAB)) last--;
          this.#mark(last - base);
          state = S.lineCr;
          break;
        }

        case S.endLf:
          if (octet !== LF) return this.#fail("bare-cr", i - 1 - base);
          return this.#pause(S.done, i + 1, base);
      }
    }
    return this.#pause(state, i, base);
  }

  #pause(state: number, i: number, base: number): boolean {
    this.#state = state;
    this.length = i - base;
    return state === S.done;
  }

  #mark(valueEnd: number): void {
    const at = this.#fields * MARKS;
    if (at >= this.#marks.length) {
      const larger = new Int32Array(this.#marks.length * 2);
      larger.set(this.#marks);
      this.#marks = larger;
    }
    const marks = this.#marks;
    marks[at] = this.#nameStart;
    marks[at + 1] = this.#nameEnd;
    marks[at + 2] = this.#valueStart;
    marks[at + 3] = valueEnd;
    marks[at + 4] = this.#hash;
    this.#fields++;
  }

  /** Offsets to strings: one decoding of the whole section, then slices of it. */
  #finish(bytes: Uint8Array, base: number): void {
    const text = textOf(bytes, base, base + this.length, this.#ascii);
    this.version = this.#minor === 1 ? "1.1" : "1.0";
    if (this.#section === "request") {
      this.method = text.slice(this.#tokenStart, this.#tokenEnd);
      this.target = text.slice(this.#targetStart, this.#targetEnd);
    } else if (this.#section === "response") {
      this.status = this.#status;
      this.reason = text.slice(this.#reasonStart, this.#reasonEnd);
    }
    const flat: string[] = [];
    const marks = this.#marks;
    for (let at = 0; at < this.#fields * MARKS; at += MARKS) {
      const from = marks[at] ?? 0;
      const to = marks[at + 1] ?? 0;
      const name = commonName(marks[at + 4] ?? 0, bytes, base + from, base + to) ?? text.slice(from, to).toLowerCase();
      const value = text.slice(marks[at + 2], marks[at + 3]);
      flat.push(name, this.#folded ? unfold(value) : value);
    }
    this.headers = new HeaderList(flat);
  }
}
