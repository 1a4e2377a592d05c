/**
 * The size at which HAProxy counts a message head: `%B`, `bin` and `bout` are sums of these and of body bytes.
 *
 * HAProxy 2.x counts its internal form of a message (HTX), not the bytes on the wire, which administrators see in logs and
 * statistics. Measured against 2.6.12: 20 for the start line, its three words, each name and value, 1 for the end of the head;
 * a chunked body ends with 1 and its trailers with the same sum.
 */

import type { HeaderList } from "../http/headers.ts";
import type { RequestHead, ResponseHead } from "../http/message.ts";

const START_LINE = 20;
const VERSION = 8;
const STATUS = 3;
const END = 1;

export function requestHeadSize(head: RequestHead): number {
  return START_LINE + head.method.length + head.target.length + VERSION + fieldsSize(head.headers) + END;
}

export function responseHeadSize(head: ResponseHead): number {
  return START_LINE + VERSION + STATUS + head.reason.length + fieldsSize(head.headers) + END;
}

/** What comes after the data of a chunked body. */
export function bodyEndSize(trailers: HeaderList | undefined): number {
  return END + (trailers === undefined ? 0 : fieldsSize(trailers));
}

/** Connection is not in HAProxy's form of a message: it belongs to the wire. */
function fieldsSize({ flat }: HeaderList): number {
  let size = 0;
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] ?? "";
    if (name !== "connection") size += name.length + (flat[i + 1]?.length ?? 0);
  }
  return size;
}
