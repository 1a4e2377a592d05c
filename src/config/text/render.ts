/** Diagnostics as people and as programs read them. */

import type { Diagnostic } from "./diagnostic.ts";

export interface RenderOptions {
  readonly colour: boolean;
}

const COLOURS = { error: "\x1b[1;31m", warning: "\x1b[1;33m", note: "\x1b[1;36m" } as const;
const WIDEST_LINE = 160;

/** `FILE:LINE:COLUMN: severity[code]: message`, the line with a caret below, and the cure. Ends with a line end. */
export function renderDiagnostic(diagnostic: Diagnostic, options: RenderOptions): string {
  const { source, start, end } = diagnostic.span;
  const { line, column } = source.positionOf(start);
  const paint = (text: string, code: string) => (options.colour ? `${code}${text}\x1b[0m` : text);
  const head = paint(`${diagnostic.severity}[${diagnostic.code}]`, COLOURS[diagnostic.severity]);
  const out = [`${printable(source.name)}:${line}:${column}: ${head}: ${printable(diagnostic.message)}`];

  const text = source.line(line);
  const from = Math.max(0, Math.min(column - 1 - 40, text.length - WIDEST_LINE));
  const shown = printable(text.slice(from, from + WIDEST_LINE));
  if (shown.trim() !== "") {
    const caretAt = column - 1 - from;
    const carets = Math.max(1, Math.min(end - start, shown.length - caretAt));
    const margin = String(line).padStart(5);
    out.push(`${margin} | ${shown}`);
    out.push(
      `${" ".repeat(margin.length)} | ${" ".repeat(caretAt)}${paint("^".repeat(carets), COLOURS[diagnostic.severity])}`,
    );
  }
  if (diagnostic.help !== undefined) out.push(`      = ${printable(diagnostic.help)}`);
  return `${out.join("\n")}\n`;
}

export interface DiagnosticJson {
  readonly severity: string;
  readonly code: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
  readonly message: string;
  readonly help?: string;
}

export function diagnosticToJson(diagnostic: Diagnostic): DiagnosticJson {
  const { source, start, end } = diagnostic.span;
  const { line, column } = source.positionOf(start);
  const { severity, code, message, help } = diagnostic;
  const base = {
    severity,
    code,
    file: source.name,
    line,
    column,
    endColumn: column + Math.max(1, end - start),
    message,
  };
  return help === undefined ? base : { ...base, help };
}

/**
 * One sign for one UTF-16 unit, so that carets stay in place: control characters and those that turn the direction of
 * writing would let a file rewrite the reader's terminal.
 */
function printable(text: string): string {
  return text.replace(/\t/g, " ").replace(/[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu, "\ufffd");
}
