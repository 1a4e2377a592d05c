/**
 * Reads the requests of one client connection: bytes in, events out.
 *
 * RFC 9112. Holds no socket and no timer. Usage:
 *
 *     reader.receive(bytes)
 *     for (;;) switch ((event = reader.next()).kind) …   // until need-data (read more), closed, or problem
 *
 * Views of what was received are kept until need-data; nothing is copied but the first part of a head that comes in pieces.
 * Requests may be pipelined: after `end`, `next()` starts with the next request. A proxy that is not ready for it does not
 * call `next()`, and stops reading from the socket while `buffered > 0`.
 */

import { BodyReader } from "./body-reader.ts";
import type { Closed, NeedData, RequestEvent } from "./event.ts";
import { requestFraming } from "./framing.ts";
import { HeadParser, MORE, REFUSED } from "./head-parser.ts";
import { checkTarget } from "./host.ts";
import { Inbox } from "./inbox.ts";
import { DEFAULT_LIMITS, type Leniency, type ReaderOptions, STRICT } from "./limits.ts";
import type { RequestHead } from "./message.ts";
import { type Problem, type ProblemCode, problem } from "./problem.ts";

const NEED_DATA: NeedData = { kind: "need-data" };
const CLOSED: Closed = { kind: "closed" };

export class RequestReader {
  readonly #lenient: Leniency;
  readonly #inbox = new Inbox();
  readonly #parser: HeadParser;
  readonly #body: BodyReader;
  #inBody = false;
  /** Position in the stream of the head being read. */
  #headAt = 0;
  #failed: Problem | undefined;

  constructor(options: ReaderOptions = {}) {
    const limits = { ...DEFAULT_LIMITS, ...options };
    this.#lenient = { ...STRICT, ...options.lenient };
    this.#parser = new HeadParser(limits, this.#lenient);
    this.#body = new BodyReader(limits, this.#parser);
    this.#parser.begin("request");
  }

  /** Bytes of the client, which must stay unchanged until `next()` has answered need-data. */
  receive(bytes: Uint8Array): void {
    this.#inbox.receive(bytes);
  }

  /** The client will send no more (half-closed). */
  receiveEnd(): void {
    this.#inbox.ended = true;
  }

  next(): RequestEvent {
    if (this.#failed !== undefined) return this.#failed;
    return this.#inBody ? this.#nextOfBody() : this.#nextOfHead();
  }

  /** Bytes received and not looked at yet. */
  get buffered(): number {
    return this.#inbox.buffered;
  }

  /** True when a message has begun and is not complete, which makes silence a 408 rather than an idle connection. */
  get midMessage(): boolean {
    return this.#inBody || this.#parser.started;
  }

  /**
   * All further bytes are data. For a request that was answered with 101, or with 2xx to CONNECT: after its `end` and before
   * any further `next()`, which would take the first bytes for a request.
   */
  tunnel(): void {
    this.#inBody = true;
    this.#body.begin({ kind: "tunnel" });
  }

  #nextOfHead(): RequestEvent {
    const inbox = this.#inbox;
    const parser = this.#parser;
    while (inbox.ready()) {
      const after = parser.feed(inbox.bytes, inbox.at);
      if (after === REFUSED) return this.#fail(parser.problem, this.#headAt + parser.length);
      if (after === MORE) {
        inbox.at = inbox.bytes.length;
        continue;
      }
      inbox.at = after;
      return this.#head();
    }
    if (!inbox.ended) return NEED_DATA;
    return parser.started ? this.#fail("incomplete-head", inbox.position) : CLOSED;
  }

  #head(): RequestEvent {
    const { method, target, version, headers } = this.#parser;
    const head: RequestHead = { method, target, version, headers };
    const code = checkTarget(method, target, version, headers, this.#lenient);
    if (code !== undefined) return this.#fail(code, this.#headAt);
    const framing = requestFraming(head, this.#lenient);
    if (typeof framing === "string") return this.#fail(framing, this.#headAt);
    this.#body.begin(framing);
    this.#inBody = true;
    return { kind: "head", head, framing };
  }

  #nextOfBody(): RequestEvent {
    const event = this.#body.next(this.#inbox);
    if (event === "need-data") return NEED_DATA;
    if (event === "problem") return this.#fail(this.#body.problem, this.#body.problemAt);
    if (event.kind === "end") {
      this.#inBody = false;
      this.#headAt = this.#inbox.position;
      this.#parser.begin("request");
    }
    return event;
  }

  #fail(code: ProblemCode, offset: number): Problem {
    this.#failed = problem(code, "request", offset);
    return this.#failed;
  }
}
