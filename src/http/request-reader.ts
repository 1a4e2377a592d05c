/**
 * Reads the requests of one client connection: bytes in, events out.
 *
 * RFC 9112. Holds no socket and no timer. Usage:
 *
 *     reader.receive(bytes)                       // views are kept until need-data, nothing is copied unless a head is split
 *     for (;;) switch ((event = reader.next()).kind) …   // until need-data (read more), closed, or problem
 *
 * Requests may be pipelined: after `end` the next `next()` starts with the next request. A proxy that is not ready for it
 * does not call `next()`, and stops reading from the socket while `buffered > 0`.
 */

import type { RequestEvent } from "./event.ts";
import type { ReaderOptions } from "./limits.ts";

export class RequestReader {
  constructor(_options: ReaderOptions = {}) {}

  /** Bytes of the client, which must stay unchanged until `next()` has answered need-data. */
  receive(_bytes: Uint8Array): void {
    throw new Error("not written yet");
  }

  /** The client will send no more (half-closed). */
  receiveEnd(): void {
    throw new Error("not written yet");
  }

  next(): RequestEvent {
    throw new Error("not written yet");
  }

  /** Bytes received and not looked at yet. */
  get buffered(): number {
    return 0;
  }

  /** True when a message has begun and is not complete, which makes silence a 408 rather than an idle connection. */
  get midMessage(): boolean {
    return false;
  }

  /** Call after `end` of a request that was answered with 101, or 2xx to CONNECT: all further bytes are data. */
  tunnel(): void {}
}
