/**
 * Reads the responses of one server connection: bytes in, events out.
 *
 * RFC 9112; see request-reader.ts for the manner. Responses are read one at a time, each announced by `expect`: bytes that
 * nobody asked for mean that the two sides no longer agree on where a message ends, and the connection must not be reused.
 */

import { BodyReader } from "./body-reader.ts";
import type { Closed, NeedData, ResponseEvent } from "./event.ts";
import { responseFraming } from "./framing.ts";
import { HeadParser, MORE, REFUSED } from "./head-parser.ts";
import { Inbox } from "./inbox.ts";
import { DEFAULT_LIMITS, type Leniency, type ReaderOptions, STRICT } from "./limits.ts";
import type { ResponseHead } from "./message.ts";
import { type Problem, type ProblemCode, problem } from "./problem.ts";

const NEED_DATA: NeedData = { kind: "need-data" };
const CLOSED: Closed = { kind: "closed" };

/** What of a request decides how its response ends. */
export interface Awaited {
  readonly method: string;
  /** The request asked to switch protocols, so 101 is an answer. */
  readonly upgrade: boolean;
}

export class ResponseReader {
  readonly #lenient: Leniency;
  readonly #inbox = new Inbox();
  readonly #parser: HeadParser;
  readonly #body: BodyReader;
  #awaited: Awaited | undefined;
  #inBody = false;
  /** Position in the stream of the head being read. */
  #headAt = 0;
  #failed: Problem | undefined;

  constructor(options: ReaderOptions = {}) {
    const limits = { ...DEFAULT_LIMITS, ...options };
    this.#lenient = { ...STRICT, ...options.lenient };
    this.#parser = new HeadParser(limits, this.#lenient);
    this.#body = new BodyReader(limits, this.#parser);
    this.#parser.begin("response");
  }

  /** A request was sent. Once per request, after `end` of the response before it. */
  expect(awaited: Awaited): void {
    this.#awaited = awaited;
  }

  /** Bytes of the server, which must stay unchanged until `next()` has answered need-data. */
  receive(bytes: Uint8Array): void {
    this.#inbox.receive(bytes);
  }

  /** The server will send no more. */
  receiveEnd(): void {
    this.#inbox.ended = true;
  }

  /**
   * `closed`: the server closed before the first byte of a response. While no response is awaited, bytes are the problem
   * `unexpected-response`.
   */
  next(): ResponseEvent {
    if (this.#failed !== undefined) return this.#failed;
    return this.#inBody ? this.#nextOfBody() : this.#nextOfHead();
  }

  /** Bytes received and not looked at yet. */
  get buffered(): number {
    return this.#inbox.buffered;
  }

  /** True from the first byte of a response to its end. */
  get midMessage(): boolean {
    return this.#inBody || this.#parser.started;
  }

  #nextOfHead(): ResponseEvent {
    const inbox = this.#inbox;
    const parser = this.#parser;
    while (inbox.ready()) {
      if (this.#awaited === undefined) return this.#fail("unexpected-response", inbox.position);
      const after = parser.feed(inbox.bytes, inbox.at);
      if (after === REFUSED) return this.#fail(parser.problem, this.#headAt + parser.length);
      if (after === MORE) {
        inbox.at = inbox.bytes.length;
        continue;
      }
      inbox.at = after;
      return this.#head(this.#awaited);
    }
    if (!inbox.ended) return NEED_DATA;
    return parser.started ? this.#fail("incomplete-head", inbox.position) : CLOSED;
  }

  #head(awaited: Awaited): ResponseEvent {
    const { version, status, reason, headers } = this.#parser;
    const head: ResponseHead = { version, status, reason, headers };
    const framing = responseFraming(head, awaited.method, awaited.upgrade, this.#lenient);
    if (typeof framing === "string") return this.#fail(framing, this.#headAt);
    if (status < 200 && framing.kind !== "tunnel") {
      this.#beginHead();
      return { kind: "interim", head };
    }
    this.#body.begin(framing);
    this.#inBody = true;
    this.#awaited = undefined;
    return { kind: "head", head, framing };
  }

  #nextOfBody(): ResponseEvent {
    const event = this.#body.next(this.#inbox);
    if (event === "need-data") return NEED_DATA;
    if (event === "problem") return this.#fail(this.#body.problem, this.#body.problemAt);
    if (event.kind === "end") {
      this.#inBody = false;
      this.#beginHead();
    }
    return event;
  }

  #beginHead(): void {
    this.#headAt = this.#inbox.position;
    this.#parser.begin("response");
  }

  #fail(code: ProblemCode, offset: number): Problem {
    this.#failed = problem(code, "response", offset);
    return this.#failed;
  }
}
