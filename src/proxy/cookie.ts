/**
 * Cookie persistence: which server a request asks for, and the cookie that makes a client come back.
 *
 * HAProxy configuration.txt `cookie` with insert, indirect, nocache, postonly, preserve, httponly, secure and domain; without
 * `insert` a server's own cookie is only followed. Works on header lists, chooses nothing.
 */

import type { CookiePersistence } from "../config/model/proxy.ts";
import type { HeaderList } from "../http/headers.ts";
import type { ResponseHead } from "../http/message.ts";

/** Third character of the termination state. */
export type CookieSeen = "N" | "I" | "D" | "V";
/** Fourth character. */
export type CookieSet = "N" | "I" | "P" | "D";

/**
 * The values the request carries for this cookie, in order. With `insert indirect` the cookie is taken out, so that the server
 * never sees it, and with it the header when nothing else is left.
 */
export function takeRequestCookies(headers: HeaderList, cookie: CookiePersistence): string[] {
  const values: string[] = [];
  const flat = headers.flat;
  let emptied = false;
  for (let i = 0; i < flat.length; i += 2) {
    const line = flat[i + 1] ?? "";
    if (flat[i] !== "cookie" || !line.includes(cookie.name)) continue;
    const pairs = line.split(";");
    const kept: string[] = [];
    for (const pair of pairs) {
      const equals = pair.indexOf("=");
      if (equals < 0 || pair.slice(0, equals).trim() !== cookie.name) {
        kept.push(pair.trim());
        continue;
      }
      // `server|date|date` is what maxidle and maxlife write; the dates are not ours to judge.
      const value = pair.slice(equals + 1).trim();
      const bar = value.indexOf("|");
      values.push(bar < 0 ? value : value.slice(0, bar));
    }
    if (!cookie.insert || !cookie.indirect || kept.length === pairs.length) continue;
    flat[i + 1] = kept.join("; ");
    emptied ||= flat[i + 1] === "";
  }
  if (emptied) headers.removeWhere((name, value) => name === "cookie" && value === "");
  return values;
}

export interface Persisted {
  /** The client's cookie chose the server. */
  readonly direct: boolean;
  /** The cookie value of the server that answered. */
  readonly serverCookie: string | undefined;
  readonly method: string;
}

/** Removes what the server itself set under this name and sets ours where it is due. */
export function setResponseCookie(head: ResponseHead, cookie: CookiePersistence, exchange: Persisted): CookieSet {
  const { headers } = head;
  let done: CookieSet = "N";
  const own = headers.has("set-cookie") && headers.all("set-cookie").some((value) => cookieName(value) === cookie.name);
  if (own) {
    done = "P";
    const superseded = cookie.insert || (cookie.indirect && exchange.direct);
    if (superseded && !cookie.preserve) {
      headers.removeWhere((name, value) => name === "set-cookie" && cookieName(value) === cookie.name);
      done = "D";
    }
  }
  if (!cookie.insert || exchange.direct || (own && cookie.preserve)) return done;
  if (cookie.postonly && exchange.method !== "POST") return done;
  headers.append("set-cookie", cookieText(cookie, exchange.serverCookie));
  if (cookie.nocache && isCacheable(head)) headers.append("cache-control", "private");
  return "I";
}

function cookieName(setCookie: string): string {
  const equals = setCookie.indexOf("=");
  return (equals < 0 ? setCookie : setCookie.slice(0, equals)).trim();
}

/** A server without a cookie takes the client's away. */
function cookieText(cookie: CookiePersistence, value: string | undefined): string {
  const expired = value === undefined ? "; Expires=Thu, 01-Jan-1970 00:00:01 GMT" : "";
  const domains = cookie.domains.map((domain) => `; domain=${domain}`).join("");
  const flags = (cookie.httponly ? "; HttpOnly" : "") + (cookie.secure ? "; Secure" : "");
  return `${cookie.name}=${value ?? ""}${expired}; path=/${domains}${flags}`;
}

const CACHEABLE_STATUS = new Set([200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501]);

/** A shared cache could keep this response: by its status, and because it says how long or how to ask again. */
function isCacheable({ status, headers }: ResponseHead): boolean {
  if (!CACHEABLE_STATUS.has(status)) return false;
  const directives = headers
    .all("cache-control")
    .flatMap((value) => value.toLowerCase().split(","))
    .map((directive) => directive.trim());
  if (directives.some((directive) => /^(no-store|no-cache|private|max-age=0|s-maxage=0)$/.test(directive)))
    return false;
  if (headers.all("pragma").some((value) => value.toLowerCase() === "no-cache")) return false;
  const lasting = directives.some((directive) => /^(public|max-age=\d+|s-maxage=\d+)$/.test(directive));
  return lasting || headers.has("expires") || headers.has("etag") || headers.has("last-modified");
}
