/**
 * HTTP_GET and SSL_GET: one GET, judged by status, digest of the body and a regular expression.
 *
 * The request is keepalived's to the byte. The answer is read to its end, or to where nothing can change the verdict any
 * more; little of it is kept, so a server that never ends cannot grow this process. A certificate is looked at only where a
 * `ca` is configured, and names never.
 */

import { createHash, type Hash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";
import { createContext, Script } from "node:vm";
import type { Duration } from "../../../base/time.ts";
import type { CheckConnection, HttpCheck, HttpCheckUrl } from "../../../config/model/virtual-server.ts";
import type { Leniency } from "../../../http/limits.ts";
import { ResponseReader } from "../../../http/response-reader.ts";
import { connectStream } from "../../../sys/outgoing.ts";
import { type Abort, type Attempt, begin, type Report, target, wordsOf } from "./attempt.ts";

/** Of the body, for a regular expression; what follows does not match. */
const LONGEST_TEXT_BYTES = 1024 * 1024;
/** Read of a body that nobody looks at, so that the server may finish. */
const LONGEST_IGNORED_BYTES = 1024 * 1024;
/** A server that always sends a little before the time-out is given up after so many of them. */
const LONGEST_TIMEOUTS = 10;
/** A pattern that runs away on a hostile body must not hold up the other checks. */
const LONGEST_MATCH_MS = 200;

const NO_BYTES = new Uint8Array();

/** A check asks whether the server lives; how well it frames is seen when it gets traffic. */
const LENIENT: Leniency = {
  bareLf: true,
  obsFold: true,
  repeatedContentLength: true,
  lengthWithTransferEncoding: true,
  missingHost: true,
  looseTarget: true,
  missingReason: true,
};

export function probeHttp(
  check: HttpCheck & { readonly connection: CheckConnection },
  step: number,
  report: Report,
): Abort {
  const { connection } = check;
  const url = check.urls[step];
  return begin(report, (attempt) => {
    if (url === undefined) throw new Error("no URL to ask for");
    const context = check.type === "SSL_GET" ? secureContext(check) : undefined;
    const raw = connectStream(connection);
    attempt.afterwards(() => raw.destroy());
    const timedOut = (doing: string) => () =>
      attempt.fail(`timeout ${doing}`, `Timeout ${doing} server ${target(connection)}.`);
    const failed = (error: NodeJS.ErrnoException) =>
      attempt.fail(wordsOf(error), `Connection failed server ${target(connection)}.`);
    raw.on("error", failed);
    attempt.deadline(connection.timeout, timedOut("connecting"));
    const ask = (socket: Socket) => exchange(attempt, socket, check, url, timedOut("reading"));
    if (context === undefined) {
      raw.once("connect", () => ask(raw));
      return;
    }
    const socket = connectTls({
      socket: raw,
      secureContext: context,
      rejectUnauthorized: check.tls?.ca !== undefined,
      checkServerIdentity: () => undefined,
      ...(check.tls?.sni === undefined ? {} : { servername: check.tls.sni }),
    });
    attempt.afterwards(() => socket.destroy());
    socket.on("error", (error) =>
      attempt.fail(`TLS: ${wordsOf(error)}`, `Error connecting server ${target(connection)}.`),
    );
    socket.once("secureConnect", () => ask(socket));
  });
}

function exchange(
  attempt: Attempt,
  socket: Socket,
  check: HttpCheck & { readonly connection: CheckConnection },
  url: HttpCheckUrl,
  timedOut: () => void,
): void {
  const { timeout } = check.connection;
  const reader = new ResponseReader({ lenient: LENIENT });
  reader.expect({ method: "GET", upgrade: false });
  const reply = new Reply(attempt, url, target(check.connection));
  const limit = setTimeout(timedOut, (timeout * LONGEST_TIMEOUTS) / 1000);
  attempt.afterwards(() => clearTimeout(limit));
  const waitAgain = () => attempt.deadline(timeout as Duration, timedOut);
  let inBody = false;
  const read = (last: Uint8Array) => {
    for (let event = reader.next(); event.kind !== "need-data" && !attempt.over; event = reader.next()) {
      switch (event.kind) {
        case "interim":
          break;
        case "head":
          reply.head(event.head.status);
          inBody = true;
          reply.digest(last.subarray(last.length - reader.buffered));
          break;
        case "data":
          reply.body(event.bytes);
          break;
        case "end":
          reply.end();
          return;
        case "closed":
          attempt.fail("closed without an answer", "no data received from remote webserver");
          return;
        case "problem":
          attempt.fail(`not HTTP: ${event.code}`);
          return;
        default:
          event satisfies never;
      }
    }
  };
  socket.on("data", (bytes: Uint8Array) => {
    waitAgain();
    if (inBody) reply.digest(bytes);
    reader.receive(bytes);
    read(bytes);
  });
  socket.on("end", () => {
    reader.receiveEnd();
    read(NO_BYTES);
  });
  socket.on("close", () => attempt.fail("closed before the end of the answer"));
  waitAgain();
  socket.write(requestOf(check, url));
}

/** keepalived's request, to the byte. */
export function requestOf({ httpVersion }: Pick<HttpCheck, "httpVersion">, { path, host }: HttpCheckUrl): string {
  const version = httpVersion === "1.1" ? "1.1" : "1.0";
  const close = httpVersion === "1.0" ? "" : "Connection: close\r\n";
  return `GET ${path} HTTP/${version}\r\nUser-Agent: KeepAliveClient\r\n${close}Host: ${host}\r\n\r\n`;
}

/** What came back, judged as it comes. */
class Reply {
  readonly #attempt: Attempt;
  readonly #url: HttpCheckUrl;
  readonly #server: string;
  readonly #hash: Hash | undefined;
  readonly #text: Uint8Array[] = [];
  #status = 0;
  #length = 0;
  #kept = 0;

  constructor(attempt: Attempt, url: HttpCheckUrl, server: string) {
    this.#attempt = attempt;
    this.#url = url;
    this.#server = server;
    this.#hash = url.digest === undefined ? undefined : createHash("md5");
  }

  head(status: number): void {
    this.#status = status;
    const { path, statusCodes } = this.#url;
    if (statusCodes.length === 0 || statusCodes.some(({ first, last }) => status >= first && status <= last)) return;
    const line = `HTTP status code error to ${this.#server} url [${path}], status_code [${status}].`;
    this.#attempt.fail(`status ${status} of ${path}`, line);
  }

  /** keepalived 2.2.7 takes the digest of a body as it came, sizes of chunks included (measured). */
  digest(bytes: Uint8Array): void {
    this.#hash?.update(bytes);
  }

  body(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#url.regex !== undefined && this.#kept < LONGEST_TEXT_BYTES) {
      const kept = bytes.slice(0, LONGEST_TEXT_BYTES - this.#kept);
      this.#kept += kept.length;
      this.#text.push(kept);
    }
    const looking = this.#hash !== undefined || (this.#url.regex !== undefined && this.#kept < LONGEST_TEXT_BYTES);
    if (!looking && this.#length >= LONGEST_IGNORED_BYTES) this.end();
  }

  end(): void {
    const { path, digest, regex } = this.#url;
    const found = this.#hash?.digest("hex");
    if (found !== digest) {
      const line = `MD5 digest error to server ${this.#server}.`;
      this.#attempt.fail(`digest ${found} of ${path}`, line);
      return;
    }
    const matched = regex === undefined ? true : matches(Buffer.concat(this.#text).toString("utf8"), regex);
    if (matched !== true) {
      const detail = matched === false ? `${path} does not match` : matched;
      this.#attempt.fail(detail, `Regex match failed to ${this.#server} url [${path}].`);
      return;
    }
    this.#attempt.pass(`status ${this.#status} of ${path}`);
  }
}

const sandbox = createContext(Object.create(null));
const search = new Script("new RegExp(pattern, flags).exec(text)?.index");

/** A reason instead of an answer when the pattern is none or takes too long. */
function matches(text: string, regex: NonNullable<HttpCheckUrl["regex"]>): boolean | string {
  const { pattern, flags, minOffset, maxOffset, negated } = regex;
  Object.assign(sandbox, { pattern, flags, text: text.slice(minOffset) });
  try {
    const index: unknown = search.runInContext(sandbox, { timeout: LONGEST_MATCH_MS });
    const found = typeof index === "number" && (maxOffset === 0 || index + minOffset <= maxOffset);
    return found !== negated;
  } catch (error) {
    const timedOut = (error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
    return timedOut ? "the regular expression took too long" : `regular expression: ${(error as Error).message}`;
  } finally {
    Object.assign(sandbox, { text: "" });
  }
}

const contexts = new WeakMap<HttpCheck, SecureContext>();

/** Files are read once for each configuration. @throws {Error} naming the file */
function secureContext(check: HttpCheck): SecureContext {
  const known = contexts.get(check);
  if (known !== undefined) return known;
  const { ca, certificate, key, password } = check.tls ?? {};
  const context = createSecureContext({
    // As old as the servers may be that are asked.
    minVersion: "TLSv1",
    ciphers: "DEFAULT@SECLEVEL=0",
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(certificate === undefined ? {} : { cert: readFileSync(certificate) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
    ...(password === undefined ? {} : { passphrase: password }),
  });
  contexts.set(check, context);
  return context;
}
