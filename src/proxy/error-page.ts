/**
 * What the proxy answers itself when there is no better answer: HAProxy's pages to the byte, or an `errorfile`.
 *
 * Reference "Error pages". A page that ends a connection whose request could not be read keeps the spelling of its names;
 * one that ends an exchange has passed HAProxy's message engine and has lower-case names.
 */

import { HeaderList } from "../http/headers.ts";
import type { ResponseHead } from "../http/message.ts";

/** Status → reason, sentence. */
const PAGES: Readonly<Record<number, readonly [reason: string, sentence: string]>> = {
  200: ["OK", "Service ready."],
  400: ["Bad request", "Your browser sent an invalid request."],
  401: ["Unauthorized", "You need a valid user and password to access this content."],
  403: ["Forbidden", "Request forbidden by administrative rules."],
  404: ["Not Found", "The resource could not be found."],
  405: ["Method Not Allowed", "A request was made of a resource using a request method not supported by that resource"],
  408: ["Request Time-out", "Your browser didn't send a complete request in time."],
  413: ["Payload Too Large", "The request entity exceeds the maximum allowed."],
  414: ["URI Too Long", "The request target is too long."],
  431: ["Request Header Fields Too Large", "The request header fields exceed the maximum allowed."],
  500: ["Internal Server Error", "An internal server error occurred."],
  501: ["Not Implemented", "The server does not support the functionality required to fulfill the request."],
  502: ["Bad Gateway", "The server returned an invalid or incomplete response."],
  503: ["Service Unavailable", "No server is available to handle this request."],
  504: ["Gateway Time-out", "The server didn't respond in time."],
  505: ["HTTP Version Not Supported", "The version of HTTP is not supported."],
};

export interface Page {
  readonly head: ResponseHead;
  readonly body: Uint8Array;
}

/** The page as a message, to be answered to a request that was understood. */
export function errorPage(status: number, errorFiles: Readonly<Record<string, string>>): Page {
  const file = errorFiles[String(status)];
  const parsed = file === undefined ? undefined : parseErrorFile(file);
  if (parsed !== undefined) return parsed;
  const [reason, sentence] = PAGES[status] ?? ["Error", "An error occurred."];
  const body = latin1(bodyOf(status, reason, sentence));
  const headers = new HeaderList([
    "content-length",
    String(body.length),
    "cache-control",
    "no-cache",
    "content-type",
    "text/html",
  ]);
  return { head: { version: "1.1", status, reason, headers }, body };
}

/** The bytes for a connection that is then closed because its request made no sense or did not come. */
export function closingPage(status: number, errorFiles: Readonly<Record<string, string>>): Uint8Array {
  const file = errorFiles[String(status)];
  if (file !== undefined) return latin1(file);
  const [reason, sentence] = PAGES[status] ?? ["Error", "An error occurred."];
  const body = bodyOf(status, reason, sentence);
  return latin1(
    `HTTP/1.1 ${status} ${reason}\r\nContent-length: ${body.length}\r\nCache-Control: no-cache\r\n` +
      `Connection: close\r\nContent-Type: text/html\r\n\r\n${body}`,
  );
}

function bodyOf(status: number, reason: string, sentence: string): string {
  return `<html><body><h1>${status} ${reason}</h1>\n${sentence}\n</body></html>\n`;
}

/** An errorfile is a whole response as text; undefined when it is none. */
function parseErrorFile(text: string): Page | undefined {
  const end = /\r?\n\r?\n/.exec(text);
  const headText = end === null ? text : text.slice(0, end.index);
  const bodyText = end === null ? "" : text.slice(end.index + end[0].length);
  const [startLine = "", ...lines] = headText.split(/\r?\n/);
  const match = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(startLine);
  if (match === null) return undefined;
  const body = latin1(bodyText);
  const headers = new HeaderList();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    if (name === "" || name === "content-length" || name === "connection" || name === "transfer-encoding") continue;
    headers.append(name, line.slice(colon + 1).trim());
  }
  headers.append("content-length", String(body.length));
  return { head: { version: "1.1", status: Number(match[1]), reason: match[2] ?? "", headers }, body };
}

/** One byte a code unit. */
export function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
