/** Reads the responses of one server connection: bytes in, events out. RFC 9112; see request-reader.ts for the manner. */

import type { ResponseEvent } from "./event.ts";
import type { ReaderOptions } from "./limits.ts";

/** What of a request decides how its response ends. */
export interface Awaited {
  readonly method: string;
  /** The request asked to switch protocols, so 101 is an answer. */
  readonly upgrade: boolean;
}

export class ResponseReader {
  constructor(_options: ReaderOptions = {}) {}

  /** A request was sent. Once per request, after `end` of the response before it; bytes that come earlier are a problem. */
  expect(_awaited: Awaited): void {}

  receive(_bytes: Uint8Array): void {
    throw new Error("not written yet");
  }

  receiveEnd(): void {
    throw new Error("not written yet");
  }

  /** While no response is awaited: need-data, `closed` once the server closed, or the problem `unexpected-response`. */
  next(): ResponseEvent {
    throw new Error("not written yet");
  }

  get buffered(): number {
    return 0;
  }

  /** True from the first byte of a response to its end. */
  get midMessage(): boolean {
    return false;
  }
}
