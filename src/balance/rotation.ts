/** What an algorithm that chooses servers is asked, and what it may know of them. */

/** What an algorithm reads of a server. */
export interface Candidate {
  /** From 1 in file order. */
  readonly id: number;
  readonly backup: boolean;
  /** 0..256; 0 takes no balanced load. */
  readonly weight: number;
  /** 0: unlimited. */
  readonly maxconn: number;
  /** Requests it is working on. */
  readonly served: number;
  /** Requests that wait for this very server. */
  readonly queued: number;
}

/** One algorithm over one set of servers. */
export interface Rotation<S extends Candidate> {
  readonly size: number;
  add(server: S): void;
  remove(server: S): void;
  /** The weight changed and is not zero. */
  reweigh(server: S): void;
  /** `served` or `queued` changed. */
  loadChanged(server: S): void;
  /** `avoid` comes only when no other server can take the request. Undefined: all are full. */
  choose(avoid: S | undefined): S | undefined;
}

/** A server with a connection limit takes no more when it is reached, nor before those that already wait for it. */
export const isFull = (server: Candidate): boolean =>
  server.maxconn > 0 && (server.queued > 0 || server.served >= server.maxconn);
