/**
 * What an HTTP/1.1 message head says, and how the end of its body is found.
 *
 * RFC 9110 and RFC 9112. Heads are mutable: rules of a proxy rewrite them between the reader and the writer.
 */

import type { HeaderList } from "./headers.ts";

export type HttpVersion = "1.0" | "1.1";

export interface RequestHead {
  /** A token, case as sent. */
  method: string;
  /** As sent: origin-form, absolute-form, authority-form (CONNECT) or `*`. */
  target: string;
  version: HttpVersion;
  readonly headers: HeaderList;
}

export interface ResponseHead {
  version: HttpVersion;
  /** 100..999. */
  status: number;
  /** Latin-1 text, may be empty. */
  reason: string;
  readonly headers: HeaderList;
}

/**
 * RFC 9112 §6.3. `none`: the message ends with its head. `until-close`: responses only. `tunnel`: what follows the head is
 * not HTTP any more (101, 2xx to CONNECT); the reader hands everything out as data until the peer closes.
 */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "until-close" }
  | { readonly kind: "tunnel" };
