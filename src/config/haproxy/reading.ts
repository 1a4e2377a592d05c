/** What the readers of single keywords share: where they complain, and what they may ask of the world. */

import type { Result } from "../../base/result.ts";
import type { Duration } from "../../base/time.ts";
import type { Diagnostics, Severity } from "../text/diagnostic.ts";
import type { ConfigurationFiles } from "../text/files.ts";
import { nothingFrom, present, type Statement } from "./statement.ts";
import { isInteger, leadingInteger, parseTime } from "./units.ts";
import type { Word } from "./words.ts";

export interface Reading {
  readonly diagnostics: Diagnostics;
  readonly files: ConfigurationFiles;
  readonly hostname: string;
  /** How many more addresses and ports may be listened on: `bind :1-65535` is short to write. */
  readonly room: { binds: number };
  /** Pages that were read, by path, with what is wrong with them. */
  readonly errorPages: Map<string, Result<string, Problem>>;
}

/** A complaint that does not know its place yet. */
export interface Problem {
  readonly severity?: Severity;
  readonly code: string;
  readonly message: string;
  readonly help?: string;
}

/** False, with an error, when there are more of a thing than `most`. */
export function mayHave(count: number, most: number, what: string, statement: Statement, reading: Reading): boolean {
  if (count <= most) return true;
  reading.diagnostics.error("haproxy/bad-value", statement.spanFrom(0), `there are more than ${most} ${what}`);
  return false;
}

/** The value, or undefined with an error that names the word. */
export function accepted<T>(result: Result<T, string>, word: Word, code: string, reading: Reading): T | undefined {
  if (result.ok) return result.value;
  reading.diagnostics.error(code, word.span, `'${shortened(word.text)}' ${result.error}`);
  return undefined;
}

/** The one time that a statement takes. */
export function timeArgument(
  statement: Statement,
  index: number,
  reading: Reading,
  unit: "ms" | "s" = "ms",
): Duration | undefined {
  const word = statement.words[index];
  if (!present(statement, index, "a time", reading.diagnostics) || word === undefined) return undefined;
  if (!nothingFrom(statement, index + 1, reading.diagnostics)) return undefined;
  return accepted(parseTime(word.text, unit), word, "haproxy/bad-time", reading);
}

/** A number as HAProxy reads it: only its leading digits count, with a warning when that changes it. */
export function numberOf(word: Word, reading: Reading): number {
  const number = leadingInteger(word.text);
  if (!isInteger(word.text)) {
    const message = `'${shortened(word.text)}' is read as ${number}`;
    reading.diagnostics.warning("haproxy/bad-number", word.span, message, "write a whole number");
  }
  return number;
}

/** The one whole number that a statement takes, within bounds. */
export function numberArgument(
  statement: Statement,
  reading: Reading,
  { from = 0, to = 2_147_483_647 }: { from?: number; to?: number } = {},
): number | undefined {
  const word = statement.words[1];
  if (!present(statement, 1, "a number", reading.diagnostics) || word === undefined) return undefined;
  if (!nothingFrom(statement, 2, reading.diagnostics)) return undefined;
  const number = numberOf(word, reading);
  if (number >= from && number <= to) return number;
  reading.diagnostics.error("haproxy/bad-value", word.span, `${number} is not within ${from} and ${to}`);
  return undefined;
}

/** Cut, so that a message stays readable whatever a file holds. */
export const shortened = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);
