/**
 * Whether a request's target has a form that goes with its method, and whether Host agrees with it.
 *
 * RFC 9112 §3.2, RFC 9110 §7.2. Of two names for the same request different programs believe different ones, so they have to
 * be equal; a default port may be left out, as HAProxy has it.
 */

import type { HeaderList } from "./headers.ts";
import type { Leniency } from "./limits.ts";
import type { HttpVersion } from "./message.ts";
import type { ProblemCode } from "./problem.ts";

/** uri-host [":" port]. No comma, though RFC 3986 has it: it is what two Host lines put together look like. */
const AUTHORITY = /^(?:[A-Za-z0-9\-._~!$&'()*+;=%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?$/;
const ABSOLUTE = /^([A-Za-z][A-Za-z0-9+\-.]*):\/\/([^/?]*)/;

export function checkTarget(
  method: string,
  target: string,
  version: HttpVersion,
  headers: HeaderList,
  lenient: Leniency,
): ProblemCode | undefined {
  const flat = headers.flat;
  let host: string | undefined;
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== "host") continue;
    if (host !== undefined) return "host-repeated";
    host = flat[i + 1];
  }
  if (host === undefined) {
    if (version === "1.1" && !lenient.missingHost) return "host-missing";
  } else if (!AUTHORITY.test(host)) {
    return "host-invalid";
  }

  if (method === "CONNECT") {
    if (!AUTHORITY.test(target) || !/[^:]:[0-9]+$/.test(target)) return "target-form";
    return host === undefined || sameAuthority(host, target, ["80", "443"]) ? undefined : "host-mismatch";
  }
  if (target.charCodeAt(0) === 0x2f) return undefined;
  if (target === "*") return method === "OPTIONS" ? undefined : "target-form";
  const [, scheme, authority] = ABSOLUTE.exec(target) ?? [];
  if (scheme === undefined || authority === undefined || authority === "" || !AUTHORITY.test(authority)) {
    return "target-form";
  }
  const defaultPort = scheme.toLowerCase() === "https" ? "443" : "80";
  return host === undefined || sameAuthority(host, authority, [defaultPort]) ? undefined : "host-mismatch";
}

function sameAuthority(a: string, b: string, defaultPorts: readonly string[]): boolean {
  const plain = (authority: string): string => {
    const colon = authority.lastIndexOf(":");
    const port = colon > authority.lastIndexOf("]") ? authority.slice(colon + 1) : undefined;
    const optional = port !== undefined && (port === "" || defaultPorts.includes(port));
    return (optional ? authority.slice(0, colon) : authority).toLowerCase();
  };
  return plain(a) === plain(b);
}
