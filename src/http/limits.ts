/** Bounds and leniencies of the readers. Every leniency is off unless named. */

export interface Limits {
  /** Start line and fields with their line ends, bytes; also the bound of a trailer section. bufsize − maxrewrite. */
  readonly headBytes: number;
  /** Field lines of a head or of a trailer section (HAProxy's tune.http.maxhdr). */
  readonly fields: number;
  /** A chunk's size with its extensions, without the line end, bytes. */
  readonly chunkLineBytes: number;
}

export interface Leniency {
  /** LF alone ends a line (RFC 9112 §2.2 allows it; two parsers that differ in it can be played against each other). */
  readonly bareLf: boolean;
  /** A folded field value is joined with spaces (RFC 9112 §5.2). */
  readonly obsFold: boolean;
  /** The same Content-Length several times counts as one (RFC 9110 §8.6). */
  readonly repeatedContentLength: boolean;
  /** Transfer-Encoding wins over Content-Length, which is dropped (RFC 9112 §6.3). */
  readonly lengthWithTransferEncoding: boolean;
  /** HTTP/1.1 requests may lack Host. */
  readonly missingHost: boolean;
  /** Bytes from 0x80 and `#` in a request target. */
  readonly looseTarget: boolean;
  /** `HTTP/1.1 200` without the space that must follow (RFC 9112 §4). */
  readonly missingReason: boolean;
}

export interface ReaderOptions extends Partial<Limits> {
  readonly lenient?: Partial<Leniency>;
}

export const DEFAULT_LIMITS: Limits = { headBytes: 15_360, fields: 101, chunkLineBytes: 256 };

export const STRICT: Leniency = {
  bareLf: false,
  obsFold: false,
  repeatedContentLength: false,
  lengthWithTransferEncoding: false,
  missingHost: false,
  looseTarget: false,
  missingReason: false,
};
