/**
 * What a configuration language has to say about a text: where, what, and how to mend it.
 *
 * Codes are stable strings with a row each in docs/reference/diagnostics.md (a test compares both ways). Holds no
 * judgement about exit codes beyond `worst`.
 */

import type { Span } from "./source.ts";

/** `error`: cannot be run as meant. `warning`: runs, but not as written or not as likely meant. `note`: worth knowing. */
export type Severity = "error" | "warning" | "note";

export interface Diagnostic {
  readonly severity: Severity;
  /** For example `keepalived/unknown-keyword`. */
  readonly code: string;
  /** One sentence, no full stop at its end, names the thing in quotes. */
  readonly message: string;
  readonly span: Span;
  /** The cure, when there is one to name. */
  readonly help?: string;
}

/** Severest among `diagnostics`, or undefined when there are none but notes. */
export function worst(diagnostics: readonly Diagnostic[]): "error" | "warning" | undefined {
  if (diagnostics.some((one) => one.severity === "error")) return "error";
  return diagnostics.some((one) => one.severity === "warning") ? "warning" : undefined;
}

/**
 * Collects diagnostics; past `limit` only a count is kept, so that a hostile file cannot grow the process. Errors have a
 * limit of their own of the same size: a thousand warnings must not hide that a file cannot be run.
 */
export class Diagnostics {
  readonly list: Diagnostic[] = [];
  readonly limit: number;
  dropped = 0;
  #keptErrors = 0;
  /** Errors among all that was added, dropped ones too. */
  errors = 0;

  constructor(limit = 1_000) {
    this.limit = limit;
  }

  add(severity: Severity, code: string, span: Span, message: string, help?: string): void {
    if (severity === "error") this.errors++;
    const kept = severity === "error" ? this.#keptErrors : this.list.length - this.#keptErrors;
    if (kept >= this.limit) {
      this.dropped++;
      return;
    }
    if (severity === "error") this.#keptErrors++;
    this.list.push(help === undefined ? { severity, code, message, span } : { severity, code, message, span, help });
  }
  error(code: string, span: Span, message: string, help?: string): void {
    this.add("error", code, span, message, help);
  }
  warning(code: string, span: Span, message: string, help?: string): void {
    this.add("warning", code, span, message, help);
  }
  note(code: string, span: Span, message: string, help?: string): void {
    this.add("note", code, span, message, help);
  }
}
