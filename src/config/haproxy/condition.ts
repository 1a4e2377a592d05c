/**
 * The conditions of `.if` and `.elif` (HAProxy 2.6 configuration.txt §2.4): predicates, `!`, `&&`, `||`, parentheses.
 *
 * Knows also the predicates that later HAProxy versions have (`strstr`, `enabled`) and the words `true` and `false`.
 */

import { fail, ok, type Result } from "../../base/result.ts";
import type { Environment } from "./environment.ts";

/** The HAProxy whose configuration language and defaults are followed. */
export const HAPROXY_VERSION = "2.6.12";

/** Nothing of TLS, QUIC, Lua and the like is built in, so that `.if feature(OPENSSL)` blocks are left out. */
const FEATURES: ReadonlySet<string> = new Set(["ACCEPT4", "IPV6", "POLL", "EPOLL", "RT", "TPROXY"]);
const DEEPEST = 100;
const PREDICATES: Readonly<Record<string, number>> = {
  defined: 1,
  feature: 1,
  enabled: 1,
  streq: 2,
  strneq: 2,
  strstr: 2,
  version_atleast: 1,
  version_before: 1,
  openssl_version_atleast: 1,
  openssl_version_before: 1,
};

/** True or false, or one sentence on what cannot be read. An empty condition is false. */
export function evaluate(condition: string, environment: Environment): Result<boolean, string> {
  if (condition.trim() === "") return ok(false);
  const reader = new Reader(condition, environment);
  const value = reader.either(0);
  if (reader.problem !== undefined) return fail(reader.problem);
  const rest = reader.rest();
  return rest === "" ? ok(value) : fail(`unexpected '${rest.slice(0, 40)}' at the end of the condition`);
}

class Reader {
  readonly #text: string;
  readonly #environment: Environment;
  #at = 0;
  problem: string | undefined;

  constructor(text: string, environment: Environment) {
    this.#text = text;
    this.#environment = environment;
  }

  rest(): string {
    return this.#text.slice(this.#at).trim();
  }

  /** Both sides are read even when the first one decides, so that mistakes are found on every machine. */
  either(depth: number): boolean {
    let value = this.#both(depth);
    while (this.problem === undefined && this.#take("||")) value = this.#both(depth) || value;
    return value;
  }

  #both(depth: number): boolean {
    let value = this.#term(depth);
    while (this.problem === undefined && this.#take("&&")) value = this.#term(depth) && value;
    return value;
  }

  #term(depth: number): boolean {
    if (depth > DEEPEST) return this.#fail(`the condition is nested deeper than ${DEEPEST}`);
    if (this.#take("!")) return !this.#term(depth + 1);
    if (this.#take("(")) {
      const value = this.either(depth + 1);
      if (this.problem === undefined && !this.#take(")")) return this.#fail("a parenthesis is not closed");
      return value;
    }
    const word = this.#match(/[-+]?[A-Za-z0-9_]+/y);
    if (word === undefined)
      return this.#fail(this.rest() === "" ? "something is missing at its end" : this.#unreadable());
    if (/^[-+]?[0-9]+$/.test(word)) return Number(word) !== 0;
    if (word === "true" || word === "false") return word === "true";
    const count = Object.hasOwn(PREDICATES, word) ? PREDICATES[word] : undefined;
    if (count === undefined) return this.#fail(`'${word}' is not a predicate`);
    return this.#predicate(word, count);
  }

  #predicate(name: string, count: number): boolean {
    const inside = this.#match(/\(([^()]*)\)/y);
    if (inside === undefined) return this.#fail(`'${name}' wants its arguments in parentheses`);
    const given = inside.slice(1, -1).split(",");
    const [first = "", second = ""] = given;
    if (given.length !== count) return this.#fail(`'${name}' takes ${count} argument${count > 1 ? "s" : ""}`);
    switch (name) {
      case "defined":
        return this.#environment.get(first) !== undefined;
      case "feature":
        return FEATURES.has(first);
      case "streq":
        return first === second;
      case "strneq":
        return first !== second;
      case "strstr":
        return first.includes(second);
      case "version_atleast":
        return compareVersions(HAPROXY_VERSION, first) >= 0;
      case "version_before":
        return compareVersions(HAPROXY_VERSION, first) < 0;
      // No OpenSSL: it is neither at least of some version nor before one; run-time options (`enabled`) are all off.
      default:
        return false;
    }
  }

  #unreadable(): string {
    return `'${this.rest().slice(0, 40)}' cannot be read`;
  }

  #take(token: string): boolean {
    this.#match(/\s*/y);
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #fail(problem: string): false {
    this.problem ??= problem;
    return false;
  }
}

/** By numbers, missing ones being zero; `2.4-dev19` is older than `2.4`, as HAProxy orders them. */
function compareVersions(a: string, b: string): number {
  const left = versionNumbers(a);
  const right = versionNumbers(b);
  for (const [index, number] of left.entries()) {
    const difference = number - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function versionNumbers(text: string): number[] {
  const match = /^([0-9]{1,6})(?:\.([0-9]{1,6}))?(?:\.([0-9]{1,6}))?(?:-dev([0-9]{1,6}))?/.exec(text);
  const [, major = "0", minor = "0", patch = "0", development] = match ?? [];
  return [Number(major), Number(minor), Number(patch), development === undefined ? 1_000_000 : Number(development)];
}
