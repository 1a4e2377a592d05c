/**
 * What happens to the two connections of an exchange, and the fields that speak of a connection rather than of a message.
 *
 * RFC 9112 §9.3, RFC 9110 §7.6.1 and §7.8; HAProxy's modes keep-alive, server-close and close.
 */

import type { Framing, RequestHead, ResponseHead } from "./message.ts";

export type ConnectionMode = "keep-alive" | "server-close" | "close";

/** `option httpclose` or `http-server-close` on either side wins over keep-alive. */
export function combinedMode(_frontend: ConnectionMode, _backend: ConnectionMode): ConnectionMode {
  throw new Error("not written yet");
}

/** The sender of this head keeps its connection open after this message (§9.3): 1.1 without `close`, 1.0 with `keep-alive`. */
export function wantsToPersist(_head: RequestHead | ResponseHead): boolean {
  throw new Error("not written yet");
}

/** The request asks to switch protocols (§7.8): 1.1, `Connection: upgrade`, and an Upgrade that is not only `h2c`. */
export function asksUpgrade(_head: RequestHead): boolean {
  throw new Error("not written yet");
}

/** The client waits for 100 before it sends the body. */
export function expectsContinue(_head: RequestHead): boolean {
  throw new Error("not written yet");
}

export interface Persistence {
  /** Read another request from this client. */
  readonly keepClient: boolean;
  /** Put the server connection into the pool. */
  readonly keepServer: boolean;
}

/** To be asked when the response's head is known. A connection with an unread rest of a message is never kept. */
export function persistence(_exchange: {
  readonly mode: ConnectionMode;
  readonly request: RequestHead;
  readonly response: ResponseHead;
  readonly responseFraming: Framing;
}): Persistence {
  throw new Error("not written yet");
}

/** Makes a client's request fit for the server connection: drops hop-by-hop fields, sets Connection as `mode` asks. */
export function prepareRequest(_head: RequestHead, _mode: ConnectionMode): void {
  throw new Error("not written yet");
}

/** Makes a server's response fit for the client connection: drops hop-by-hop fields, sets Connection. */
export function prepareResponse(_head: ResponseHead, _request: RequestHead, _keepClient: boolean): void {
  throw new Error("not written yet");
}
