/** Heads and chunk framing to bytes. RFC 9112 §3, §4, §7.1. Writes what it is given: validity is the reader's part. */

import type { HeaderList } from "./headers.ts";
import type { RequestHead, ResponseHead } from "./message.ts";

export function encodeRequestHead(_head: RequestHead): Uint8Array {
  throw new Error("not written yet");
}

export function encodeResponseHead(_head: ResponseHead): Uint8Array {
  throw new Error("not written yet");
}

/** Into a buffer of the caller's at `at`: the position after the head, or −1 when it does not fit. */
export function writeRequestHead(_head: RequestHead, _into: Uint8Array, _at: number): number {
  throw new Error("not written yet");
}

export function writeResponseHead(_head: ResponseHead, _into: Uint8Array, _at: number): number {
  throw new Error("not written yet");
}

/** The size line before a chunk of `size` > 0 bytes, with its CRLF. The data and CHUNK_END follow. */
export function chunkHeader(_size: number): Uint8Array {
  throw new Error("not written yet");
}

/** After a chunk's data. */
export const CHUNK_END: Uint8Array = Uint8Array.of(13, 10);

/** The last chunk, the trailers and the final empty line. */
export function lastChunk(_trailers?: HeaderList): Uint8Array {
  throw new Error("not written yet");
}
