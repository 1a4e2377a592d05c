/**
 * `$NAME=value` definitions and their use as `$NAME` and `${NAME}` (keepalived.conf(5), "Configuration file syntax").
 *
 * A value is kept as written and replaced at its use, so it may use names that are defined later. `$NAME` counts only
 * before a blank, a comma, a closing parenthesis or the end of the line: other dollar signs, as in scripts, survive.
 */

import type { Span } from "../text/source.ts";
import { type Budget, MAX_DEFINITIONS, MAX_EXPANDED_LINE, MAX_EXPANSION_DEPTH } from "./budget.ts";
import { LineBuilder, type LogicalLine } from "./logical-line.ts";
import { quote, type Report } from "./report.ts";

/** What the predefined names stand for. */
export interface Predefined {
  readonly instance: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly random: () => number;
  directoryOf(file: string): string;
}

export interface Substituted {
  /** More than one when a definition of several lines was used; empty when the line grew too long. */
  readonly lines: readonly LogicalLine[];
  /** The definitions of several lines that were used: their lines are still as written. */
  readonly used: readonly string[];
  readonly changed: boolean;
}

const REFERENCE = /\$(?:\{([A-Za-z0-9_]+)((?:[ \t]+[^ \t{}"]+){0,2})[ \t]*\}|([A-Za-z0-9_]+)(?=[ \t,)]|$))/g;
const LARGEST_RANDOM = 32_767;

export class Definitions {
  readonly #values = new Map<string, readonly string[]>();
  readonly #predefined: Predefined;
  readonly #report: Report;
  readonly #budget: Budget;

  constructor(predefined: Predefined, report: Report, budget: Budget) {
    this.#predefined = predefined;
    this.#report = report;
    this.#budget = budget;
  }

  define(name: string, lines: readonly string[], at: Span): void {
    if (this.#values.size < MAX_DEFINITIONS || this.#values.has(name)) this.#values.set(name, lines);
    else this.#report.error("keepalived/expansion-limit", at, `More than ${MAX_DEFINITIONS} definitions`);
  }

  /** `active`: names that are being replaced around `line`; a name within itself stays as written. */
  substitute(line: LogicalLine, active: readonly string[]): Substituted {
    if (!line.text.includes("$")) return { lines: [line], used: [], changed: false };
    const lines: LogicalLine[] = [];
    const used: string[] = [];
    let changed = false;
    let builder = new LineBuilder(line.source);
    let copied = 0;
    for (const match of line.text.matchAll(REFERENCE)) {
      const end = match.index + match[0].length;
      const place = line.spanOf(match.index, end);
      const value = this.#valueOf(match, place, active);
      if (value === undefined) {
        this.#warnOfBrace(line, match, place);
        continue;
      }
      changed = true;
      builder.addSlice(line, copied, match.index);
      copied = end;
      const [only = "", ...more] = value;
      if (more.length === 0) {
        this.#addText(builder, only, place, [...active, nameOf(match)]);
      } else {
        used.push(nameOf(match));
        builder.addExpansion(only, place);
        for (const next of more) {
          lines.push(builder.line());
          builder = new LineBuilder(line.source);
          builder.addExpansion(next, place);
        }
      }
      if (builder.length > MAX_EXPANDED_LINE || this.#budget.exhausted) {
        this.#report.error("keepalived/expansion-limit", place, `Line grows beyond ${MAX_EXPANDED_LINE} characters`);
        return { lines: [], used, changed: true };
      }
    }
    if (!changed) return { lines: [line], used, changed };
    builder.addSlice(line, copied, line.text.length);
    lines.push(builder.line());
    return { lines, used, changed };
  }

  /** The values of `text` alone, for the parameters of a sequence. */
  replaceIn(text: string, place: Span, active: readonly string[]): string {
    const builder = new LineBuilder(place.source);
    this.#addText(builder, text, place, active);
    return builder.line().text;
  }

  #addText(builder: LineBuilder, text: string, place: Span, active: readonly string[]): void {
    let copied = 0;
    for (const match of text.matchAll(REFERENCE)) {
      const value = this.#valueOf(match, place, active);
      if (value === undefined) continue;
      builder.addExpansion(text.slice(copied, match.index), place);
      copied = match.index + match[0].length;
      this.#addText(builder, value.join(" "), place, [...active, nameOf(match)]);
      if (builder.length > MAX_EXPANDED_LINE || this.#budget.exhausted) return;
    }
    builder.addExpansion(text.slice(copied), place);
  }

  #valueOf(match: RegExpExecArray, place: Span, active: readonly string[]): readonly string[] | undefined {
    const name = nameOf(match);
    const value = this.#values.get(name) ?? this.#predefinedValue(name, (match[2] ?? "").trim(), place);
    if (value === undefined || !this.#budget.substitution()) return undefined;
    if (active.includes(name) || active.length >= MAX_EXPANSION_DEPTH) {
      this.#report.error("keepalived/recursive-definition", place, `Definition of ${quote(`$${name}`)} uses itself`);
      return undefined;
    }
    return value;
  }

  #predefinedValue(name: string, words: string, place: Span): readonly string[] | undefined {
    switch (name) {
      case "_HASH":
        return ["#"];
      case "_BANG":
        return ["!"];
      case "_INSTANCE":
        return [this.#predefined.instance];
      case "_PWD":
        return [this.#predefined.directoryOf(place.source.name)];
      case "_ENV":
        return this.#environmentVariable(words);
      case "_RANDOM": {
        const [least = 0, greatest = LARGEST_RANDOM] = words
          .split(/[ \t]+/)
          .filter(Boolean)
          .map(Number);
        const range = greatest - least + 1;
        const isRange = Number.isSafeInteger(least) && Number.isSafeInteger(greatest) && range > 0;
        return isRange ? [String(least + Math.floor(this.#predefined.random() * range))] : undefined;
      }
      default:
        return undefined;
    }
  }

  #environmentVariable(name: string): readonly string[] | undefined {
    const value = Object.hasOwn(this.#predefined.variables, name) ? this.#predefined.variables[name] : undefined;
    return value === undefined ? undefined : [value.replaceAll(/[\r\n]+/g, " ")];
  }

  /** keepalived would take the brace of an undefined `${NAME}` for a block. */
  #warnOfBrace(line: LogicalLine, match: RegExpExecArray, place: Span): void {
    const quotesBefore = line.text.slice(0, match.index).split('"').length - 1;
    if (match[1] === undefined || quotesBefore % 2 === 1) return;
    const message = `${quote(match[0])} is not defined and stays as written`;
    this.#report.warning("keepalived/undefined-name", place, message, `Define it above with $${nameOf(match)}=VALUE`);
  }
}

const nameOf = (match: RegExpExecArray): string => match[1] ?? match[3] ?? "";
