/** What the readers report, in h11's vocabulary: receive bytes, ask for the next event. */

import type { HeaderList } from "./headers.ts";
import type { Framing, RequestHead, ResponseHead } from "./message.ts";
import type { Problem } from "./problem.ts";

/** Everything received was looked at. The reader refers to none of the received bytes any more: buffers may be reused. */
export interface NeedData {
  readonly kind: "need-data";
}

/** A part of the body, decoded (no chunk lines). `bytes` is a view of what was received, never empty, valid until the buffer
 * is reused. */
export interface Data {
  readonly kind: "data";
  readonly bytes: Uint8Array;
}

/** The message is complete; of a tunnel or an until-close body: the peer closed. */
export interface End {
  readonly kind: "end";
  readonly trailers: HeaderList | undefined;
}

/** The peer closed between two messages, which is an orderly end. */
export interface Closed {
  readonly kind: "closed";
}

export interface RequestHeadEvent {
  readonly kind: "head";
  readonly head: RequestHead;
  readonly framing: Framing;
}

export interface ResponseHeadEvent {
  readonly kind: "head";
  readonly head: ResponseHead;
  readonly framing: Framing;
}

/** A 1xx response other than 101: has no body, and the final response is still to come. */
export interface InterimHeadEvent {
  readonly kind: "interim";
  readonly head: ResponseHead;
}

export type BodyEvent = Data | End;

export type RequestEvent = NeedData | RequestHeadEvent | BodyEvent | Closed | Problem;

export type ResponseEvent = NeedData | ResponseHeadEvent | InterimHeadEvent | BodyEvent | Closed | Problem;
