/**
 * Reads the body of one message by its framing. RFC 9112 §6.3 and §7.1.
 *
 * Hands out views of what was received; keeps no body bytes. Chunk lines are read a byte at a time and validated, extensions
 * are thrown away (RFC 9112 §7.1.1), trailers go through the head parser with the head's bounds.
 */

import type { BodyEvent, End } from "./event.ts";
import { type HeadParser, MORE, REFUSED } from "./head-parser.ts";
import type { Inbox } from "./inbox.ts";
import type { Limits } from "./limits.ts";
import type { Framing } from "./message.ts";
import { CR, HEX, HTAB, LF, SEMICOLON, SP, TEXT, TOKEN } from "./octets.ts";
import type { ProblemCode } from "./problem.ts";

/** Where in a chunked body the next byte stands. */
const S = {
  size: 0,
  beforeExtension: 1,
  extensionName: 2,
  extension: 3,
  sizeLf: 4,
  data: 5,
  dataCr: 6,
  dataLf: 7,
  trailers: 8,
} as const;

/** RFC 9110 §6.5.1: fields that decide framing, routing or authentication, which nobody may learn after the fact. */
const NOT_IN_TRAILERS = new Set(
  `authorization connection content-encoding content-length content-range content-type cookie expect host keep-alive
   max-forwards proxy-authorization proxy-connection set-cookie te trailer transfer-encoding upgrade`.split(/\s+/),
);

const END: End = { kind: "end", trailers: undefined };

export class BodyReader {
  /** Set when `next` answered "problem", with its place in the stream. */
  problem: ProblemCode = "incomplete-body";
  problemAt = 0;

  readonly #limits: Limits;
  readonly #parser: HeadParser;
  #framing: Framing["kind"] = "none";
  /** Bytes of the body (length) or of the chunk that are still to come. */
  #remaining = 0;
  #state: number = S.size;
  #digits = 0;
  #lineBytes = 0;
  #trailersAt = 0;

  constructor(limits: Limits, parser: HeadParser) {
    this.#limits = limits;
    this.#parser = parser;
  }

  begin(framing: Framing): void {
    this.#framing = framing.kind;
    this.#remaining = framing.kind === "length" ? framing.bytes : 0;
    this.#beginChunk();
  }

  next(inbox: Inbox): BodyEvent | "need-data" | "problem" {
    switch (this.#framing) {
      case "none":
        return END;
      case "length": {
        if (this.#remaining === 0) return END;
        if (!inbox.ready()) return this.#starved(inbox);
        const bytes = inbox.take(this.#remaining);
        this.#remaining -= bytes.length;
        return { kind: "data", bytes };
      }
      case "until-close":
      case "tunnel":
        if (inbox.ready()) return { kind: "data", bytes: inbox.take(Number.POSITIVE_INFINITY) };
        return inbox.ended ? END : "need-data";
      case "chunked":
        return this.#nextChunked(inbox);
      default:
        return this.#framing satisfies never;
    }
  }

  #nextChunked(inbox: Inbox): BodyEvent | "need-data" | "problem" {
    while (inbox.ready()) {
      if (this.#state === S.data) {
        const bytes = inbox.take(this.#remaining);
        this.#remaining -= bytes.length;
        if (this.#remaining === 0) this.#state = S.dataCr;
        return { kind: "data", bytes };
      }
      if (this.#state === S.trailers) {
        const after = this.#parser.feed(inbox.bytes, inbox.at);
        if (after === REFUSED) return this.#fail(this.#parser.problem, this.#trailersAt + this.#parser.length);
        inbox.at = after === MORE ? inbox.bytes.length : after;
        if (after === MORE) continue;
        const trailers = this.#parser.headers;
        if (trailers.size === 0) return END;
        for (const [name] of trailers) {
          if (NOT_IN_TRAILERS.has(name)) return this.#fail("trailer-forbidden", this.#trailersAt);
        }
        return { kind: "end", trailers };
      }
      const problem = this.#chunkOctet(inbox.bytes[inbox.at] ?? 0);
      if (problem !== undefined) return this.#fail(problem, inbox.position);
      inbox.at++;
      if (this.#state === S.trailers) {
        this.#trailersAt = inbox.position;
        this.#parser.begin("trailers");
      }
    }
    return this.#starved(inbox);
  }

  /** One byte of a chunk's size line or of the line end after its data. */
  #chunkOctet(octet: number): ProblemCode | undefined {
    if (this.#state < S.sizeLf && octet !== CR) {
      if (octet === LF) return "bare-lf";
      if (++this.#lineBytes > this.#limits.chunkLineBytes) return "chunk-line-too-long";
    }
    switch (this.#state) {
      case S.size: {
        const digit = HEX[octet] ?? 255;
        if (digit !== 255) {
          // Sixteen digits hold any length; more of them, be they zeros, are made by nobody who means well.
          if (++this.#digits > 16) return "chunk-size-invalid";
          this.#remaining = this.#remaining * 16 + digit;
          return this.#remaining > Number.MAX_SAFE_INTEGER ? "chunk-size-invalid" : undefined;
        }
        if (this.#digits === 0) return "chunk-size-invalid";
        if (octet === CR) this.#state = S.sizeLf;
        else if (octet === SEMICOLON) this.#state = S.extensionName;
        else if (octet === SP || octet === HTAB) this.#state = S.beforeExtension;
        else return "chunk-size-invalid";
        return undefined;
      }
      case S.beforeExtension:
        if (octet === SEMICOLON) this.#state = S.extensionName;
        else if (octet !== SP && octet !== HTAB) return "chunk-size-invalid";
        return undefined;
      case S.extensionName:
        if (octet === SP || octet === HTAB) return undefined;
        if (TOKEN[octet] === 0) return "chunk-extension-invalid";
        this.#state = S.extension;
        return undefined;
      case S.extension:
        if (octet === CR) this.#state = S.sizeLf;
        else if (TEXT[octet] === 0) return "chunk-extension-invalid";
        return undefined;
      case S.sizeLf:
        if (octet !== LF) return "bare-cr";
        this.#state = this.#remaining === 0 ? S.trailers : S.data;
        return undefined;
      case S.dataCr:
        if (octet !== CR) return "chunk-data-unterminated";
        this.#state = S.dataLf;
        return undefined;
      default:
        if (octet !== LF) return "chunk-data-unterminated";
        this.#beginChunk();
        return undefined;
    }
  }

  #beginChunk(): void {
    this.#state = S.size;
    this.#digits = 0;
    this.#lineBytes = 0;
  }

  #starved(inbox: Inbox): "need-data" | "problem" {
    return inbox.ended ? this.#fail("incomplete-body", inbox.position) : "need-data";
  }

  #fail(code: ProblemCode, at: number): "problem" {
    this.problem = code;
    this.problemAt = at;
    return "problem";
  }
}
