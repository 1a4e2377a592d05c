/**
 * Everything for which a message is refused: a stable code, which is also the counter's name, and what it means.
 *
 * The status is what the peer is told: for a request the row's own, for a response always 502.
 */

/** Code → status to answer a request with, and the sentence for the log. */
const PROBLEMS = {
  "request-line-malformed": [400, "the request line is not METHOD SP TARGET SP HTTP/1.x"],
  "http-0.9": [400, "a request line without a version is HTTP/0.9, which is not spoken"],
  "method-invalid": [400, "the method contains a character that is not allowed"],
  "target-invalid": [400, "the request target contains a character that is not allowed"],
  "target-form": [400, "this form of request target does not go with the method"],
  "target-too-long": [414, "the request line does not fit into the head buffer"],
  "version-malformed": [400, "the version is not of the form HTTP/x.y"],
  "version-unsupported": [505, "only HTTP/1.0 and HTTP/1.1 are spoken"],
  "status-line-malformed": [502, "the status line is not HTTP/1.x SP STATUS SP REASON"],
  "status-invalid": [502, "the status code is not three digits from 100"],
  "head-too-large": [431, "the head does not fit into the head buffer"],
  "too-many-fields": [431, "the message has too many header fields"],
  "bare-cr": [400, "a carriage return that no line feed follows"],
  "bare-lf": [400, "a line feed without its carriage return"],
  "obs-fold": [400, "a header field continues on the next line"],
  "leading-space": [400, "white space before the first header field"],
  "field-name-invalid": [400, "a header name is empty or contains a character that is not allowed"],
  "space-before-colon": [400, "white space between a header name and its colon"],
  "field-value-invalid": [400, "a header value contains a control character"],
  "host-missing": [400, "an HTTP/1.1 request without Host"],
  "host-repeated": [400, "more than one Host"],
  "host-invalid": [400, "Host is not a host with an optional port"],
  "host-mismatch": [400, "Host differs from the authority of the request target"],
  "content-length-invalid": [400, "Content-Length is not a plain decimal number below 2^53"],
  "content-length-repeated": [400, "more than one Content-Length"],
  "content-length-with-transfer-encoding": [400, "both Content-Length and Transfer-Encoding"],
  "transfer-encoding-invalid": [400, "Transfer-Encoding is not exactly one `chunked`"],
  "transfer-encoding-unknown": [501, "a transfer coding other than chunked"],
  "transfer-encoding-in-1.0": [400, "Transfer-Encoding in an HTTP/1.0 message"],
  "connect-with-body": [400, "a CONNECT request with a body"],
  "chunk-size-invalid": [400, "a chunk size is not a hexadecimal number below 2^53"],
  "chunk-extension-invalid": [400, "a chunk extension is malformed"],
  "chunk-line-too-long": [400, "a chunk's size line is too long"],
  "chunk-data-unterminated": [400, "a chunk's data is not followed by CRLF"],
  "trailer-forbidden": [400, "a trailer field that only a head may carry"],
  "incomplete-head": [400, "the peer closed before the end of the head"],
  "incomplete-body": [400, "the peer closed before the end of the body"],
  "unexpected-response": [502, "bytes from the server while no response is awaited"],
  "unexpected-upgrade": [502, "the server switches protocols without having been asked to"],
} as const satisfies Record<string, readonly [status: number, message: string]>;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];

/** Nothing more can be read after a problem: the reader repeats it, and the connection has to be closed. */
export interface Problem {
  readonly kind: "problem";
  readonly code: ProblemCode;
  /** What to answer the client: 400, 414, 431, 501, 505 for a request, 502 for a response. */
  readonly status: number;
  /** For the log; says nothing that the peer sent. */
  readonly message: string;
  /** Position in the stream of the byte at which it was seen, from 0 at the first byte this reader received. */
  readonly offset: number;
}

export function problem(code: ProblemCode, side: "request" | "response", offset: number): Problem {
  const [status, message] = PROBLEMS[code];
  return { kind: "problem", code, status: side === "request" ? status : 502, message, offset };
}
