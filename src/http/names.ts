/**
 * Header names that most messages carry, so that the parser can hand out one shared lower-case string for each instead of
 * making a new one. The list has no meaning beyond speed: an unlisted name is read just as well.
 */

import { TOKEN } from "./octets.ts";

const COMMON = `
  accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-credentials
  access-control-allow-headers access-control-allow-methods access-control-allow-origin access-control-expose-headers
  access-control-max-age access-control-request-headers access-control-request-method age allow alt-svc authorization
  cache-control cf-connecting-ip connection content-disposition content-encoding content-language content-length
  content-location content-range content-security-policy content-type cookie date dnt etag expect expires forwarded from
  host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive last-modified link location
  max-forwards origin pragma priority proxy-authenticate proxy-authorization proxy-connection range referer
  referrer-policy retry-after sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site
  sec-fetch-user sec-websocket-accept sec-websocket-extensions sec-websocket-key sec-websocket-protocol
  sec-websocket-version server set-cookie strict-transport-security te traceparent tracestate trailer transfer-encoding
  upgrade upgrade-insecure-requests user-agent vary via www-authenticate x-content-type-options x-forwarded-for
  x-forwarded-host x-forwarded-port x-forwarded-proto x-frame-options x-powered-by x-real-ip x-request-id
  x-requested-with x-xss-protection
`;

const SLOTS = 1024;
const slots: (string | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);

/** One step of the hash of a name: over its lower-case octets, from 0. */
export const hashStep = (hash: number, lowerCaseOctet: number): number => (Math.imul(hash, 31) + lowerCaseOctet) | 0;

const slotOf = (hash: number): number => (hash ^ (hash >>> 13)) & (SLOTS - 1);

for (const name of COMMON.trim().split(/\s+/)) {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = hashStep(hash, name.charCodeAt(i));
  // Where two names share a slot the first one keeps it; the other is merely not shared.
  slots[slotOf(hash)] ??= name;
}

/** The shared string for the name in `bytes`, whose hash is `hash`; undefined when it is not a common one. */
export function commonName(hash: number, bytes: Uint8Array, from: number, to: number): string | undefined {
  const name = slots[slotOf(hash)];
  if (name === undefined || name.length !== to - from) return undefined;
  for (let i = 0; i < name.length; i++) {
    if (name.charCodeAt(i) !== TOKEN[bytes[from + i] ?? 0]) return undefined;
  }
  return name;
}
