/**
 * What reading keepalived.conf has to say, bounded: once `Diagnostics` is full, nothing more is worked out.
 *
 * Wordings stay near the lines that keepalived logs for the same mistakes.
 */

import type { Diagnostics, Severity } from "../text/diagnostic.ts";
import type { Span } from "../text/source.ts";
import type { Word } from "./tree.ts";

const LONGEST_QUOTATION = 60;

export class Report {
  readonly diagnostics: Diagnostics;

  constructor(diagnostics: Diagnostics) {
    this.diagnostics = diagnostics;
  }

  /** True when further diagnostics would only be counted: searching for suggestions is wasted then. */
  get full(): boolean {
    return this.diagnostics.list.length >= this.diagnostics.limit;
  }

  /** `at`: a word says what it expanded to when that is not what stands at its place. */
  add(severity: Severity, code: string, at: Word | Span, message: string, help?: string): void {
    const isWord = "text" in at;
    const span = isWord ? at.span : at;
    const expanded = isWord && at.expanded && !message.includes(quote(at.text));
    const whole = expanded ? `${message} (expanded to ${quote(at.text)})` : message;
    this.diagnostics.add(severity, code, span, whole, help);
  }
  error(code: string, at: Word | Span, message: string, help?: string): void {
    this.add("error", code, at, message, help);
  }
  warning(code: string, at: Word | Span, message: string, help?: string): void {
    this.add("warning", code, at, message, help);
  }
  note(code: string, at: Word | Span, message: string, help?: string): void {
    this.add("note", code, at, message, help);
  }
}

/** `'text'`, cut when it is long. */
export function quote(text: string): string {
  return text.length <= LONGEST_QUOTATION ? `'${text}'` : `'${text.slice(0, LONGEST_QUOTATION)}…'`;
}
