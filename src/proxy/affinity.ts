/**
 * How one request and its server are kept together by a cookie: what the client brought, and what it is sent back with.
 *
 * configuration.txt `cookie`; the letters are the third and fourth of a termination state (8.5).
 */

import type { HeaderList } from "../http/headers.ts";
import type { ResponseHead } from "../http/message.ts";
import type { ProxyBackend } from "./backend.ts";
import { type CookieSeen, setResponseCookie, takeRequestCookies } from "./cookie.ts";
import type { ProxyServer } from "./server.ts";

export class Affinity {
  readonly #backend: ProxyBackend;
  #seen: CookieSeen = "N";
  /** The first server that is up among those that the cookies name. */
  readonly direct: ProxyServer | undefined;

  /** Takes the cookie out of the request where the server is not to see it. */
  constructor(backend: ProxyBackend, headers: HeaderList) {
    this.#backend = backend;
    const { cookie } = backend.configuration;
    if (cookie !== undefined) this.direct = this.#find(takeRequestCookies(headers, cookie));
  }

  /** Makes the response fit, and tells both letters. `direct`: the request went where its cookie sent it. */
  answer(head: ResponseHead, method: string, direct: boolean, server: ProxyServer | undefined): string {
    const { cookie } = this.#backend.configuration;
    if (cookie === undefined) return "--";
    const serverCookie = server?.configuration.cookie;
    return this.#letter(direct) + setResponseCookie(head, cookie, { direct, serverCookie, method });
  }

  /** The letters when the answer is our own, which sets no cookie. */
  ownAnswer(direct: boolean): string {
    return this.#backend.configuration.cookie === undefined ? "--" : `${this.#letter(direct)}N`;
  }

  /** A server that was named, and given up on the way, counts as down. */
  #letter(direct: boolean): CookieSeen {
    return this.#seen === "V" && !direct ? "D" : this.#seen;
  }

  #find(values: readonly string[]): ProxyServer | undefined {
    for (const value of values) {
      const named = value === "" ? [] : this.#backend.withCookie(value);
      const server = named.find((candidate) => candidate.status.up);
      if (server !== undefined) {
        this.#seen = "V";
        return server;
      }
      if (named.length > 0) this.#seen = "D";
      else if (this.#seen === "N") this.#seen = "I";
    }
    return undefined;
  }
}
