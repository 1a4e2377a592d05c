/**
 * Where a message's body ends. One function a direction, in the order of precedence of RFC 9112 §6.3.
 *
 * Two parsers that disagree here are what request smuggling is made of: whatever can be read in two ways is a problem, and
 * what is accepted leaves in one way only (fields in canonical form).
 */

import type { HeaderList } from "./headers.ts";
import type { Leniency } from "./limits.ts";
import type { Framing, HttpVersion, RequestHead, ResponseHead } from "./message.ts";
import type { ProblemCode } from "./problem.ts";

const NONE: Framing = { kind: "none" };
const CHUNKED: Framing = { kind: "chunked" };
const UNTIL_CLOSE: Framing = { kind: "until-close" };
const TUNNEL: Framing = { kind: "tunnel" };

export function requestFraming(head: RequestHead, lenient: Leniency): Framing | ProblemCode {
  const declared = declaredFraming(head.version, head.headers, lenient);
  if (declared === undefined) return NONE;
  // RFC 9110 §9.3.6: what follows the head of a CONNECT is the tunnel's.
  if (head.method === "CONNECT" && typeof declared === "object") return "connect-with-body";
  return declared;
}

/** `upgrade`: the request asked to switch protocols. */
export function responseFraming(
  head: ResponseHead,
  method: string,
  upgrade: boolean,
  lenient: Leniency,
): Framing | ProblemCode {
  const { status, headers } = head;
  const tunnel = status === 101 || (method === "CONNECT" && status >= 200 && status < 300);
  if (status === 101 && !upgrade) return "unexpected-upgrade";
  // RFC 9110 §8.6, RFC 9112 §6.1: these must not carry either field; whoever reads them behind us must not believe them.
  if (tunnel || status < 200 || status === 204) {
    headers.removeWhere((name) => name === "content-length" || name === "transfer-encoding");
    return tunnel ? TUNNEL : NONE;
  }
  const declared = declaredFraming(head.version, headers, lenient);
  if (typeof declared === "string") return declared;
  if (method === "HEAD" || status === 304) return NONE;
  return declared ?? UNTIL_CLOSE;
}

/** What Content-Length and Transfer-Encoding say; undefined without either. */
function declaredFraming(
  version: HttpVersion,
  headers: HeaderList,
  lenient: Leniency,
): Framing | ProblemCode | undefined {
  let length: string | undefined;
  let lengths = 0;
  let coding: string | undefined;
  let codings = 0;
  const flat = headers.flat;
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i];
    if (name === "content-length") {
      length = lengths++ === 0 ? flat[i + 1] : `${length},${flat[i + 1]}`;
    } else if (name === "transfer-encoding") {
      coding = codings++ === 0 ? flat[i + 1] : `${coding},${flat[i + 1]}`;
    }
  }
  if (coding !== undefined) {
    const code = codingProblem(version, coding);
    if (code !== undefined) return code;
    if (length !== undefined) {
      if (!lenient.lengthWithTransferEncoding) return "content-length-with-transfer-encoding";
      headers.remove("content-length");
      // RFC 9112 §6.1: such a connection is not used again.
      headers.set("connection", "close");
    }
    if (coding !== "chunked") headers.set("transfer-encoding", "chunked");
    return CHUNKED;
  }
  if (length === undefined) return undefined;
  if (length.includes(",")) {
    const values = length.split(",").map((value) => value.replaceAll(/^[ \t]+|[ \t]+$/g, ""));
    const [first = ""] = values;
    if (!lenient.repeatedContentLength || values.some((value) => value !== first)) return "content-length-repeated";
    headers.set("content-length", first);
    length = first;
  }
  if (!/^[0-9]{1,16}$/.test(length) || Number(length) > Number.MAX_SAFE_INTEGER) return "content-length-invalid";
  return { kind: "length", bytes: Number(length) };
}

function codingProblem(version: HttpVersion, coding: string): ProblemCode | undefined {
  if (version === "1.0") return "transfer-encoding-in-1.0";
  if (coding === "chunked") return undefined;
  const codings = coding.split(",").map((element) => element.replaceAll(/^[ \t]+|[ \t]+$/g, "").toLowerCase());
  if (codings.length === 1 && codings[0] === "chunked") return undefined;
  const soundButUnknown =
    codings.indexOf("chunked") === codings.length - 1 &&
    codings.every((element) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(element));
  return soundButUnknown ? "transfer-encoding-unknown" : "transfer-encoding-invalid";
}
