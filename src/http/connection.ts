/**
 * What happens to the two connections of an exchange, and the fields that speak of a connection rather than of a message.
 *
 * RFC 9112 §9.3, RFC 9110 §7.6.1 and §7.8; HAProxy's modes keep-alive, server-close and close. HAProxy 2.6 forwards fields
 * that Connection names; RFC 9110 forbids it, and they are dropped here.
 */

import type { HeaderList } from "./headers.ts";
import type { Framing, RequestHead, ResponseHead } from "./message.ts";

export type ConnectionMode = "keep-alive" | "server-close" | "close";

/**
 * The mode of an exchange between a frontend and a backend: `close` of a backend does not close the client's connection,
 * any closing mode of either closes the server's.
 */
export function combinedMode(frontend: ConnectionMode, backend: ConnectionMode): ConnectionMode {
  if (frontend === "close") return "close";
  return frontend === "keep-alive" && backend === "keep-alive" ? "keep-alive" : "server-close";
}

/** The sender of this head keeps its connection open after this message (§9.3): 1.1 without `close`, 1.0 with `keep-alive`. */
export function wantsToPersist(head: RequestHead | ResponseHead): boolean {
  const { headers, version } = head;
  if (!headers.has("connection")) return version === "1.1";
  if (hasOption(headers, "close")) return false;
  return version === "1.1" || hasOption(headers, "keep-alive");
}

/**
 * The request asks to switch protocols (§7.8): 1.1, `Connection: upgrade`, and Upgrade. An upgrade to `h2c` is none: behind
 * it requests would pass unseen.
 */
export function asksUpgrade(head: RequestHead): boolean {
  const protocols = head.headers.get("upgrade");
  if (protocols === undefined || head.version === "1.0" || !hasOption(head.headers, "upgrade")) return false;
  return head.headers.all("upgrade").every((value) => !/(^|[,\s])h2c?([,\s/]|$)/i.test(value));
}

/** The client waits for 100 before it sends the body. */
export function expectsContinue(head: RequestHead): boolean {
  return head.version === "1.1" && head.headers.get("expect")?.toLowerCase() === "100-continue";
}

export interface Persistence {
  /** Read another request from this client. */
  readonly keepClient: boolean;
  /** Put the server connection into the pool. */
  readonly keepServer: boolean;
  /** How the body is to be framed towards the client: a client of 1.0 gets no chunks (RFC 9112 §6.1). */
  readonly clientFraming: Framing;
}

/**
 * To be asked when the response's head is known and before `prepareResponse`. Says what the messages allow: a connection on
 * which part of a message was left unread or unsent is never kept.
 */
export function persistence(exchange: {
  readonly mode: ConnectionMode;
  /** As it was read, before `prepareRequest`: see `wantsToPersist`. */
  readonly clientPersists: boolean;
  readonly clientVersion: RequestHead["version"];
  readonly response: ResponseHead;
  readonly responseFraming: Framing;
}): Persistence {
  const { mode, response, responseFraming } = exchange;
  const endless = responseFraming.kind === "until-close" || responseFraming.kind === "tunnel";
  const unchunk = responseFraming.kind === "chunked" && exchange.clientVersion === "1.0";
  return {
    keepClient: mode !== "close" && exchange.clientPersists && !endless && !unchunk,
    keepServer: mode === "keep-alive" && !endless && wantsToPersist(response),
    clientFraming: unchunk ? { kind: "until-close" } : responseFraming,
  };
}

/** Makes a client's request fit for the server connection: drops hop-by-hop fields, sets Connection as `mode` asks. */
export function prepareRequest(head: RequestHead, mode: ConnectionMode): void {
  const { headers } = head;
  const upgrade = asksUpgrade(head) ? headers.all("upgrade").join(", ") : undefined;
  const trailers = headers.some((name, value) => name === "te" && listed(value, "trailers"));
  dropHopByHop(headers);
  const options: string[] = [];
  if (trailers) {
    headers.append("te", "trailers");
    options.push("te");
  }
  if (upgrade !== undefined) {
    headers.append("upgrade", upgrade);
    options.push("upgrade");
  } else if (mode === "keep-alive") {
    if (head.version === "1.0") options.push("keep-alive");
  } else if (head.version === "1.1") {
    options.push("close");
  }
  if (options.length > 0) headers.append("connection", options.join(", "));
}

/** Makes a server's response fit for the client connection: drops hop-by-hop fields, sets Connection. */
export function prepareResponse(
  head: ResponseHead,
  client: { readonly version: RequestHead["version"]; readonly persistence: Persistence },
): void {
  const upgrade = head.status === 101 ? head.headers.get("upgrade") : undefined;
  dropHopByHop(head.headers);
  if (upgrade !== undefined) {
    head.headers.append("upgrade", upgrade);
    head.headers.append("connection", "upgrade");
    return;
  }
  const { keepClient, clientFraming } = client.persistence;
  if (client.version === "1.0") head.headers.remove("transfer-encoding");
  if (clientFraming.kind === "tunnel") return;
  if (!keepClient) {
    if (head.version === "1.1") head.headers.append("connection", "close");
  } else if (head.version === "1.0" || client.version === "1.0") {
    head.headers.append("connection", "keep-alive");
  }
}

/** Belong to one connection whether Connection names them or not. */
function isHopByHop(name: string): boolean {
  switch (name) {
    case "connection":
    case "keep-alive":
    case "proxy-connection":
    case "te":
    case "upgrade":
      return true;
    default:
      return false;
  }
}

/** Cannot be made to vanish by naming them in Connection: framing, routing, identity (RFC 9110 §7.6.1 last paragraphs). */
const END_TO_END = new Set(
  `authorization cache-control content-length content-type cookie forwarded host set-cookie transfer-encoding
   x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip`.split(/\s+/),
);

function dropHopByHop(headers: HeaderList): void {
  if (!headers.some(isHopByHop)) return;
  const named: string[] = [];
  for (const value of headers.all("connection")) {
    if (PLAIN_OPTIONS.has(value)) continue;
    for (const option of options(value)) if (!END_TO_END.has(option)) named.push(option);
  }
  headers.removeWhere((name) => isHopByHop(name) || (named.length > 0 && named.includes(name)));
}

/** What nearly every Connection field says: one option, which names no field but those of `isHopByHop`. */
const PLAIN_OPTIONS = new Set(["keep-alive", "close", "upgrade"]);

const options = (value: string): string[] => value.split(",").map((option) => option.trim().toLowerCase());

const listed = (value: string, wanted: string): boolean =>
  value === wanted || (!PLAIN_OPTIONS.has(value) && options(value).includes(wanted));

const hasOption = (headers: HeaderList, wanted: string): boolean =>
  headers.some((name, value) => name === "connection" && listed(value, wanted));
