/**
 * Cuts one line of haproxy.cfg into words: spaces, `\` escapes, 'strong' and "weak" quotes, comments and variables
 * (HAProxy 2.6 configuration.txt §2.2 and §2.3; what the text leaves open was measured on 2.6.12).
 *
 * Variables are expanded inside weak quotes only. Knows no keyword.
 */

import type { Diagnostics } from "../text/diagnostic.ts";
import type { Source, Span } from "../text/source.ts";
import type { Environment } from "./environment.ts";

export interface Word {
  /** After quoting, escapes and variables. */
  readonly text: string;
  /** Where it is written, quotes included. */
  readonly span: Span;
}

export interface WordContext {
  readonly environment: Environment;
  readonly diagnostics: Diagnostics;
  /** `.FILE`, `.LINE` and `.SECTION`. */
  readonly pseudo: (name: string) => string | undefined;
  /** In a block that a condition leaves out only what HAProxy refuses there is reported. */
  readonly skipped: boolean;
}

/** As in HAProxy: the 65th word is an error. */
const MOST_WORDS = 64;
const LONGEST_LINE = 1024 * 1024;

/** The words between `start` and `end` (no line end inside), or undefined when the line cannot be read. */
export function splitWords(source: Source, start: number, end: number, context: WordContext): Word[] | undefined {
  const { diagnostics } = context;
  if (end - start > LONGEST_LINE) {
    const span = { source, start, end: start + 1 };
    diagnostics.error(
      "haproxy/line-too-long",
      span,
      `line of ${end - start} characters is longer than ${LONGEST_LINE}`,
    );
    return undefined;
  }
  const splitter = new Splitter(source, start, end, context);
  return splitter.run() ? splitter.words : undefined;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  [" ", " "],
  ["\\", "\\"],
  ["#", "#"],
  ['"', '"'],
  ["'", "'"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);
const NAME = /\{?(\.?[A-Za-z_][A-Za-z0-9_]*)/y;
const BLANK = /[ \t\v\f]/;

class Splitter {
  readonly words: Word[] = [];
  readonly #source: Source;
  readonly #start: number;
  readonly #line: string;
  readonly #context: WordContext;
  /** All positions below count from the start of the line. */
  #at = 0;
  /** Of the word under way; −1 between words. */
  #wordStart = -1;
  #word = "";
  #quote: { readonly kind: "weak" | "strong"; readonly at: number } | undefined;

  constructor(source: Source, start: number, end: number, context: WordContext) {
    this.#source = source;
    this.#start = start;
    this.#line = source.text.slice(start, end);
    this.#context = context;
  }

  run(): boolean {
    for (;;) {
      const char = this.#line[this.#at];
      if (char === undefined || char === "\r" || (char === "#" && this.#quote === undefined)) break;
      if (char === "\0") return this.#error("haproxy/stray-byte", this.#at, "the line holds a NUL byte");
      if (!this.#step(char)) return false;
    }
    if (this.#line[this.#at] === "\r" && this.#at + 1 < this.#line.length) {
      const message = "a carriage return ends the line, and the rest of it is ignored";
      this.#context.diagnostics.warning("haproxy/stray-byte", this.#span(this.#at), message, "remove it");
    }
    if (this.#quote !== undefined)
      return this.#error("haproxy/unmatched-quote", this.#quote.at, "the quote is not closed on its line");
    return this.#endWord();
  }

  #step(char: string): boolean {
    const quote = this.#quote?.kind;
    if (quote === undefined && BLANK.test(char)) {
      const fits = this.#endWord();
      this.#at++;
      return fits;
    }
    if (this.#wordStart < 0) this.#wordStart = this.#at;
    if (char === '"' && quote !== "strong") return this.#toggle("weak");
    if (char === "'" && quote !== "weak") return this.#toggle("strong");
    if (char === "\\" && quote !== "strong") return this.#escape();
    if (char === "$" && quote === "weak") return this.#variable();
    if (char === "$" && quote === undefined) this.#noteUnexpanded();
    this.#word += char;
    this.#at++;
    return true;
  }

  #toggle(kind: "weak" | "strong"): true {
    this.#quote = this.#quote === undefined ? { kind, at: this.#at } : undefined;
    this.#at++;
    return true;
  }

  /** A backslash before a character that has no escape stands for itself. */
  #escape(): boolean {
    const next = this.#line[this.#at + 1] ?? "";
    if (next === "x") {
      const digits = this.#line.slice(this.#at + 2, this.#at + 4);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits))
        return this.#error("haproxy/bad-escape", this.#at, "'\\x' wants two hexadecimal digits");
      if (digits === "00") return this.#error("haproxy/bad-escape", this.#at, "'\\x00' would cut the word short");
      this.#word += String.fromCharCode(Number.parseInt(digits, 16));
      this.#at += 4;
      return true;
    }
    const meant = next === "$" && this.#quote !== undefined ? "$" : ESCAPES.get(next);
    this.#word += meant ?? "\\";
    this.#at += meant === undefined ? 1 : 2;
    return true;
  }

  /** `$NAME`, `${NAME}`, `${NAME-DEFAULT}`; `[*]` after the name makes words of the value. */
  #variable(): boolean {
    const start = this.#at;
    NAME.lastIndex = start + 1;
    const match = NAME.exec(this.#line);
    if (match?.[1] === undefined) {
      const help = "write \\$ for a dollar sign, or use single quotes";
      return this.#error("haproxy/bad-variable", start, "'$' is not followed by the name of a variable", help);
    }
    let at = start + 1 + match[0].length;
    let split = false;
    let fallback: string | undefined;
    if (match[0].startsWith("{")) {
      split = this.#line.startsWith("[*]", at);
      if (split) at += 3;
      const close = this.#line.indexOf("}", at);
      const dash = this.#line[at] === "-";
      if (close < 0 || (!dash && close !== at))
        return this.#error("haproxy/bad-variable", start, "the brace of the variable is not closed after its name");
      if (dash) fallback = this.#line.slice(at + 1, close);
      at = close + 1;
    }
    this.#at = at;
    return this.#expand(match[1], fallback, split, start);
  }

  #expand(name: string, fallback: string | undefined, split: boolean, start: number): boolean {
    const { diagnostics, environment, pseudo, skipped } = this.#context;
    const value = (name.startsWith(".") ? pseudo(name) : environment.get(name)) ?? fallback;
    if (value === undefined) {
      const help = `give it a value for when it is not set: \${${name}-VALUE}`;
      const message = `variable '${name}' is not set and leaves nothing here`;
      if (!skipped) diagnostics.note("haproxy/unset-variable", this.#span(start, this.#at), message, help);
      return true;
    }
    if (!environment.spend(value.length))
      return this.#error(
        "haproxy/expansion-too-large",
        start,
        "the variables of this configuration expand without end",
      );
    for (const [index, part] of (split ? value.split(/[ \t\v\f\r\n]+/) : [value]).entries()) {
      if (index > 0) {
        if (!this.#endWord()) return false;
        this.#wordStart = start;
      }
      this.#word += part;
    }
    return true;
  }

  #endWord(): boolean {
    if (this.#wordStart < 0) return true;
    const span = this.#span(this.#wordStart, this.#at);
    if (this.words.length >= MOST_WORDS) {
      this.#context.diagnostics.error("haproxy/too-many-words", span, `a line holds at most ${MOST_WORDS} words`);
      return false;
    }
    this.words.push({ text: this.#word, span });
    this.#word = "";
    this.#wordStart = -1;
    return true;
  }

  #noteUnexpanded(): void {
    NAME.lastIndex = this.#at + 1;
    const match = NAME.exec(this.#line);
    if (match === null || this.#context.skipped) return;
    const span = this.#span(this.#at, this.#at + 1 + match[0].length);
    const message = `'$${match[0]}' is taken as it stands: variables are read inside double quotes only`;
    this.#context.diagnostics.note("haproxy/unexpanded-variable", span, message, "put the word into double quotes");
  }

  #span(start: number, end = start + 1): Span {
    return { source: this.#source, start: this.#start + start, end: this.#start + end };
  }

  #error(code: string, at: number, message: string, help?: string): false {
    this.#context.diagnostics.error(code, this.#span(at), message, help);
    return false;
  }
}
