/** One line of a section, and the complaints about it that are the same everywhere. */

import type { Diagnostics, Severity } from "../text/diagnostic.ts";
import type { Span } from "../text/source.ts";
import { suggest } from "../text/suggest.ts";
import type { Word } from "./words.ts";

export class Statement {
  readonly words: readonly Word[];
  /** The first word; always there. */
  readonly head: Word;
  /** `no` and `default` before the keyword are not among `words`. */
  readonly form: "plain" | "no" | "default";

  constructor(head: Word, rest: readonly Word[], form: "plain" | "no" | "default" = "plain") {
    this.head = head;
    this.words = [head, ...rest];
    this.form = form;
  }

  /** Empty when there is no such word. */
  text(index: number): string {
    return this.words[index]?.text ?? "";
  }
  /** Of the word, or of the last one when there are fewer. */
  span(index: number): Span {
    return (this.words[index] ?? this.words.at(-1) ?? this.head).span;
  }
  /** From the word to the end of the statement. */
  spanFrom(index: number): Span {
    const { source, start } = this.span(index);
    return { source, start, end: this.span(this.words.length).end };
  }
  get length(): number {
    return this.words.length;
  }
}

/** False, with an error, when the word at `index` is missing. */
export function present(statement: Statement, index: number, what: string, diagnostics: Diagnostics): boolean {
  if (statement.text(index) !== "") return true;
  const written = statement.words.slice(0, index).map((word) => word.text);
  diagnostics.error("haproxy/missing-argument", statement.spanFrom(0), `'${written.join(" ")}' wants ${what}`);
  return false;
}

/** False, with a complaint, when there are words from `index` on. */
export function nothingFrom(
  statement: Statement,
  index: number,
  diagnostics: Diagnostics,
  severity: Severity = "error",
): boolean {
  const extra = statement.words[index];
  if (extra === undefined) return true;
  const message = `'${statement.head.text}' takes no further argument, and '${extra.text}' is one`;
  diagnostics.add(severity, "haproxy/extra-argument", statement.spanFrom(index), message, "remove it");
  return false;
}

/** Finding what was meant takes time, and after so many complaints it helps nobody: a file may hold a million bad words. */
const MOST_SUGGESTIONS = 100;

/** "did you mean", when something is near enough. */
export function didYouMean(word: string, candidates: Iterable<string>, diagnostics: Diagnostics): string | undefined {
  if (diagnostics.list.length >= MOST_SUGGESTIONS) return undefined;
  const meant = suggest(word, candidates);
  return meant === undefined ? undefined : `did you mean '${meant}'?`;
}
