/**
 * What the proxy needs from the kernel, and nothing more: streams of bytes, one alarm, no names of any implementation.
 *
 * design.md §3, decisions 3 and 4: `sys/net-transport.ts` implements it over `node:net`; a ring implements the same. The
 * proxy measures time-outs itself (timers.ts), so a transport never gives up on its own account.
 *
 * Rules that every implementation keeps:
 * - Handlers are called from the event loop, never from inside a call that the proxy makes.
 * - `closed` is the last call of a connection and comes exactly once, also after `abort`.
 * - Bytes given to `received` are valid during that call; when the handler pauses the connection in that call, until it
 *   resumes it. While valid they may be handed to `write` of any connection of the same transport, which then keeps or
 *   copies them itself.
 */

import type { IpAddress } from "../base/ip.ts";
import type { Duration } from "../base/time.ts";

export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

export interface Transport {
  /** Accepts from a listening descriptor that somebody else bound and may share, and owns it from now on. */
  listen(descriptor: number, handler: ListenerHandler): Listener;
  /** Never throws: a refusal arrives as `closed` with a reason. */
  connect(to: Endpoint, handler: ConnectionHandler): Connection;
  /** One alarm for the whole proxy; setting it again moves it. Undefined: none. */
  setAlarm(delay: Duration | undefined, ring: () => void): void;
}

export interface Listener {
  /** Leaves new connections in the kernel's queue. */
  pause(): void;
  resume(): void;
  /** Stops accepting; connections go on. */
  close(): void;
}

export interface ListenerHandler {
  /** Set `connection.handler` before returning, or abort the connection. */
  accepted(connection: Connection): void;
  /** Out of descriptors, for example; the listener goes on. */
  failed(reason: string): void;
}

export interface ConnectionHandler {
  /** Only for `connect`. */
  connected(): void;
  received(bytes: Uint8Array): void;
  /** The peer sends no more; writing is still possible. */
  ended(): void;
  /** After a `write` that answered false: everything has gone to the kernel. */
  drained(): void;
  /** `reason` is an errno name (`ECONNREFUSED`, `ECONNRESET`, `ETIMEDOUT`), undefined for an orderly end of both sides. */
  closed(reason: string | undefined): void;
}

export interface Connection {
  /** Who is told; may be changed at any time, as when an idle connection is taken from the pool. */
  handler: ConnectionHandler;
  /** The other end. */
  readonly remote: Endpoint;
  /** Our end: for an accepted connection what the client asked for. */
  readonly local: Endpoint;
  /** Bytes written that the kernel has not taken yet. */
  readonly pending: number;
  /**
   * Queues bytes; the caller does not change them any more. False: more than a little is waiting, stop until `drained`.
   * Ignored after `end`, `abort` or `closed`.
   */
  write(bytes: Uint8Array): boolean;
  /** Collects the writes until `uncork` into as few segments as possible. */
  cork(): void;
  uncork(): void;
  /** Half-close: sends what is queued, then FIN. */
  end(): void;
  /** Drops what is queued; `reset` sends RST, otherwise FIN when nothing unread is left. */
  abort(reset: boolean): void;
  /** No `received` and no `ended` until `resume`; the kernel's window closes. */
  pause(): void;
  resume(): void;
}
