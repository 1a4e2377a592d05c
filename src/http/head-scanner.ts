/**
 * Walks over a head, or a trailer section, one byte after the other and notes where its parts lie.
 *
 * RFC 9112 §2 to §5 and §7.1.2. Syntax only: knows no field's meaning and makes no strings. Can stop after any byte and go on
 * later, with the same outcome.
 */

import type { Leniency, Limits } from "./limits.ts";
import { hashStep } from "./names.ts";
import { COLON, CR, HTAB, LF, SP, TARGET, TEXT, TOKEN } from "./octets.ts";
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

/** Numbers noted of each field: start and end of its name, start and end of its value, hash of its name. */
export const MARKS = 5;
const VERSION_PREFIX = [72, 84, 84, 80, 47]; // HTTP/

export class HeadScanner {
  readonly #limits: Limits;
  readonly #lenient: Leniency;

  problem: ProblemCode | undefined;
  /** Bytes of this section scanned so far; with a problem, where it is. */
  length = 0;
  /** A byte other than an empty line before the start line was seen. */
  started = false;

  // What was found; offsets count from the start of the section.
  section: Section = "request";
  tokenStart = 0;
  tokenEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  minor = 1;
  status = 0;
  reasonStart = 0;
  reasonEnd = 0;
  /** Fields found, each with MARKS numbers in `marks`. */
  fields = 0;
  marks: Int32Array = new Int32Array(16 * MARKS);
  /** No octet from 0x80. */
  ascii = true;
  /** Some value holds a line end (obs-fold). */
  folded = false;

  #state: number = S.blank;
  #versionStart = 0;
  #hash = 0;
  #nameStart = 0;
  #nameEnd = 0;
  #valueStart = 0;

  constructor(limits: Limits, lenient: Leniency) {
    this.#limits = limits;
    this.#lenient = lenient;
  }

  begin(section: Section): void {
    this.section = section;
    this.#state = section === "request" ? S.blank : section === "response" ? S.version : S.fieldStart;
    this.problem = undefined;
    this.length = 0;
    this.started = false;
    this.#versionStart = 0;
    this.status = 0;
    this.ascii = true;
    this.folded = false;
    this.fields = 0;
  }

  /** The section stops in the middle of the method or the target. */
  get inTarget(): boolean {
    return this.#state === S.method || this.#state === S.target;
  }

  /** Goes on at `base + length`. True when the section is complete; false when `end` was reached or on a problem. */
  scan(bytes: Uint8Array, base: number, end: number): boolean {
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
            this.tokenStart = i - base;
            state = S.method;
          }
          break;

        case S.method:
          while (TOKEN[octet] !== 0 && ++i < end) octet = bytes[i] ?? 0;
          if (i >= end) break;
          if (octet !== SP || i - base === this.tokenStart) return this.#fail("method-invalid", i - base);
          this.tokenEnd = i - base;
          this.targetStart = ++i - base;
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
            if (octet >= 0x80) this.ascii = false;
            i++;
            break;
          }
          if (octet === SP) {
            if (i - base === this.targetStart) return this.#fail("request-line-malformed", i - base);
            this.targetEnd = i - base;
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
            this.minor = octet - 48;
            state = this.section === "request" ? S.lineCr : S.status;
          }
          i++;
          break;
        }

        case S.status: {
          const place = i - base - this.#versionStart - 8;
          if (place === 0) {
            if (octet !== SP) return this.#fail("status-line-malformed", i - base);
          } else if (place < 4) {
            if (octet < 48 || octet > 57 || (place === 1 && octet === 48))
              return this.#fail("status-invalid", i - base);
            this.status = this.status * 10 + octet - 48;
          } else if (octet === SP) {
            this.reasonStart = i + 1 - base;
            state = S.reason;
          } else if ((octet === CR || octet === LF) && this.#lenient.missingReason) {
            this.reasonStart = i - base;
            this.reasonEnd = i - base;
            state = S.lineCr;
            break;
          } else {
            return this.#fail("status-line-malformed", i - base);
          }
          i++;
          break;
        }

        case S.reason: {
          let kind = TEXT[octet];
          while (kind !== 0) {
            if (kind === 2) this.ascii = false;
            if (++i >= end) break;
            octet = bytes[i] ?? 0;
            kind = TEXT[octet];
          }
          if (i >= end) break;
          if (octet !== CR && octet !== LF) return this.#fail("status-line-malformed", i - base);
          this.reasonEnd = i - base;
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
              this.section === "request" ? "request-line-malformed" : "status-line-malformed",
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
            if (this.fields === 0) return this.#fail("leading-space", i - base);
            if (!this.#lenient.obsFold) return this.#fail("obs-fold", i - base);
            this.folded = true;
            this.fields--;
            state = S.value;
            break;
          }
          if (this.fields >= this.#limits.fields) return this.#fail("too-many-fields", i - base);
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
            if (kind === 2) this.ascii = false;
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
    const at = this.fields * MARKS;
    if (at >= this.marks.length) {
      const larger = new Int32Array(this.marks.length * 2);
      larger.set(this.marks);
      this.marks = larger;
    }
    const marks = this.marks;
    marks[at] = this.#nameStart;
    marks[at + 1] = this.#nameEnd;
    marks[at + 2] = this.#valueStart;
    marks[at + 3] = valueEnd;
    marks[at + 4] = this.#hash;
    this.fields++;
  }

  #fail(code: ProblemCode, at: number): false {
    this.problem = code;
    this.length = at;
    return false;
  }
}
