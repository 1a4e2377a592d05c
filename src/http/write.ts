/**
 * Heads and chunk framing to bytes. RFC 9112 §3, §4, §7.1.
 *
 * Writes what it is given: a head from a reader is sound, and HeaderList keeps line ends out of what is added to it. Whoever
 * changes `method`, `target` or `reason` answers for it.
 */

import type { HeaderList } from "./headers.ts";
import type { RequestHead, ResponseHead } from "./message.ts";

const encoder = new TextEncoder();

export function encodeRequestHead(head: RequestHead): Uint8Array {
  return bytesOf(requestText(head));
}

export function encodeResponseHead(head: ResponseHead): Uint8Array {
  return bytesOf(responseText(head));
}

/** Into a buffer of the caller's at `at`: the position after the head, or −1 when it does not fit. */
export function writeRequestHead(head: RequestHead, into: Uint8Array, at: number): number {
  return put(requestText(head), into, at);
}

/** As `writeRequestHead`. */
export function writeResponseHead(head: ResponseHead, into: Uint8Array, at: number): number {
  return put(responseText(head), into, at);
}

/** The size line before a chunk of `size` > 0 bytes, with its CRLF. The data and CHUNK_END follow. */
export function chunkHeader(size: number): Uint8Array {
  return bytesOf(`${size.toString(16)}\r\n`);
}

/** After a chunk's data. */
export const CHUNK_END: Uint8Array = Uint8Array.of(13, 10);

/** The last chunk, the trailers and the final empty line. */
export function lastChunk(trailers?: HeaderList): Uint8Array {
  return bytesOf(`0\r\n${trailers === undefined ? "\r\n" : fieldsText(trailers)}`);
}

const requestText = (head: RequestHead): string =>
  `${head.method} ${head.target} HTTP/${head.version}\r\n${fieldsText(head.headers)}`;

const responseText = (head: ResponseHead): string =>
  `HTTP/${head.version} ${head.status} ${head.reason}\r\n${fieldsText(head.headers)}`;

function fieldsText(headers: HeaderList): string {
  const flat = headers.flat;
  let text = "";
  for (let i = 0; i < flat.length; i += 2) text += `${flat[i]}: ${flat[i + 1]}\r\n`;
  return `${text}\r\n`;
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  put(text, bytes, 0);
  return bytes;
}

function put(text: string, into: Uint8Array, at: number): number {
  const end = at + text.length;
  if (end > into.length) return -1;
  const room = into.subarray(at, end);
  // UTF-8 has one byte a character exactly when all are ASCII; otherwise latin-1 is written a byte at a time.
  if (encoder.encodeInto(text, room).read !== text.length) {
    for (let i = 0; i < text.length; i++) room[i] = text.charCodeAt(i);
  }
  return end;
}
