/**
 * Files of keepalived.conf as a stream of logical lines (keepalived.conf(5), "Configuration file syntax").
 *
 * Here live line ends, comments, `include`, `@id` conditions, `$NAME` definitions and `~SEQ` loops. Words, quotes and
 * braces are `tree.ts`. The stream is lazy and bounded: a hostile file ends it early with a diagnostic.
 */

import type { ConfigurationFiles } from "../text/files.ts";
import { readSource } from "../text/read-source.ts";
import type { Source, Span } from "../text/source.ts";
import type { Budget } from "./budget.ts";
import { MAX_EXPANSION_DEPTH, MAX_FILES, MAX_INCLUDE_DEPTH, MAX_LINE_LENGTH } from "./budget.ts";
import { withoutComment } from "./comment.ts";
import { Definitions } from "./definitions.ts";
import { LogicalLine } from "./logical-line.ts";
import { quote, type Report } from "./report.ts";
import { parseSequence, sequenceLength } from "./sequence.ts";

export interface ReaderEnvironment {
  readonly files: ConfigurationFiles;
  /** What `@id` lines are compared with. */
  readonly configId: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly random: () => number;
}

const DEFINITION = /^\$([A-Za-z0-9_]+)=(.*)$/s;
const CONDITION = /^@(\^?)([^ \t]*)[ \t]*/;
const INCLUDE = /^(include[rmwba]?)[ \t]+(.*)$/s;
const WILDCARDS = /[*?[{]/;
/** `{a,b}{a,b}…` doubles with each pair. */
const MAX_BRACES_IN_PATTERN = 8;

export class LineReader {
  readonly sources: Source[] = [];
  readonly #environment: ReaderEnvironment;
  readonly #report: Report;
  readonly #budget: Budget;
  readonly #definitions: Definitions;
  /** Resolved paths of the files that are being read, outermost first. */
  readonly #open: string[] = [];

  constructor(environment: ReaderEnvironment, report: Report, budget: Budget) {
    const { configId, variables, files } = environment;
    const directoryOf = (file: string) => files.resolve(file, ".");
    const predefined = { instance: configId, variables, random: environment.random, directoryOf };
    this.#environment = environment;
    this.#report = report;
    this.#budget = budget;
    this.#definitions = new Definitions(predefined, report, budget);
  }

  *read(source: Source): Generator<LogicalLine> {
    this.sources.push(source);
    this.#open.push(this.#environment.files.resolve(source.name, source.name));
    yield* this.#linesOf(source);
    this.#open.pop();
    if (this.#budget.exhausted) {
      const end = { source, start: source.text.length, end: source.text.length };
      const help = "The rest is not read; sequences and definitions may multiply to far more lines than are meant";
      this.#report.error("keepalived/expansion-limit", end, "Configuration grows beyond every sensible size", help);
    }
  }

  *#linesOf(source: Source): Generator<LogicalLine> {
    let definition: { name: string; lines: string[]; at: Span } | undefined;
    for (const line of this.#writtenLines(source)) {
      if (definition !== undefined) {
        const continued = line.text.endsWith("\\");
        definition.lines.push((continued ? line.text.slice(0, -1) : line.text).trim());
        if (continued) continue;
        this.#definitions.define(definition.name, definition.lines, definition.at);
        definition = undefined;
        continue;
      }
      const [, name, value] = DEFINITION.exec(line.text) ?? [];
      if (name !== undefined && value?.endsWith("\\")) {
        const first = value.slice(0, -1).trim();
        definition = { name, lines: first === "" ? [] : [first], at: line.spanOf(0, line.text.length) };
      } else {
        yield* this.#process(line, []);
      }
      if (this.#budget.exhausted) return;
    }
    if (definition !== undefined) {
      const message = `Definition of ${quote(`$${definition.name}`)} is not finished at the end of the file`;
      this.#report.warning(
        "keepalived/unfinished-definition",
        definition.at,
        message,
        "Its last line must not end in \\",
      );
    }
  }

  *#writtenLines(source: Source): Generator<LogicalLine> {
    const { text } = source;
    for (let start = 0; start < text.length; ) {
      if (!this.#budget.line()) return;
      const newline = text.indexOf("\n", start);
      const end = newline < 0 ? text.length : newline;
      if (end - start > MAX_LINE_LENGTH) {
        const span = { source, start, end };
        const message = `Line of ${end - start} characters is ignored: at most ${MAX_LINE_LENGTH} are read`;
        this.#report.warning("keepalived/line-too-long", span, message, "Break it up");
      } else {
        const line = withoutComment(LogicalLine.written(source, text.slice(start, end), start)).trimmed();
        if (line.text !== "") yield line;
      }
      start = end + 1;
    }
  }

  /** `active`: definitions that `line` comes from. */
  *#process(written: LogicalLine, active: readonly string[]): Generator<LogicalLine> {
    let line = written.trimmed();
    const condition = CONDITION.exec(line.text);
    if (condition !== null) {
      const same = condition[2] === this.#environment.configId;
      if (same === (condition[1] === "^")) return;
      line = line.slice(condition[0].length);
    }
    if (line.text === "") return;
    const definition = DEFINITION.exec(line.text);
    if (definition !== null) {
      this.#definitions.define(definition[1] ?? "", [(definition[2] ?? "").trim()], line.spanOf(0, line.text.length));
      return;
    }
    if (active.length > MAX_EXPANSION_DEPTH) {
      const at = line.spanOf(0, line.text.length);
      this.#report.error("keepalived/expansion-limit", at, `Definitions nest deeper than ${MAX_EXPANSION_DEPTH}`);
      return;
    }
    const loop = sequenceLength(line.text);
    if (loop !== 0) {
      yield* this.#repeat(line, loop, active);
      return;
    }
    const { lines, used, changed } = this.#definitions.substitute(line, active);
    const [only] = lines;
    if (only !== undefined && lines.length === 1 && !(changed && /^[ \t]*[@~]/.test(only.text))) {
      yield* this.#include(only.trimmed());
      return;
    }
    for (const next of lines) {
      if (!this.#budget.expandedLine(next.text.length)) return;
      yield* this.#process(next, [...active, ...used, ""]);
    }
  }

  *#repeat(line: LogicalLine, length: number, active: readonly string[]): Generator<LogicalLine> {
    const at = line.spanOf(0, length < 0 ? line.text.length : length);
    const text = this.#definitions.replaceIn(line.text.slice(0, Math.max(0, length)), at, active);
    const sequence =
      length < 0 ? ({ ok: false, error: "its parenthesis does not close" } as const) : parseSequence(text);
    if (!sequence.ok) {
      const help = "Write ~SEQ(name, start, step, end) or ~LST(name, a, b)";
      const message = `Invalid ${line.text.slice(0, 4)} specification: ${sequence.error}`;
      this.#report.warning("keepalived/bad-sequence", at, message, help);
      return;
    }
    const rest = line.slice(length);
    for (const turn of sequence.value.turns()) {
      if (!this.#budget.expandedLine(rest.text.length)) return;
      for (const [name, value] of turn) this.#definitions.define(name, [value], at);
      yield* this.#process(rest, [...active, ""]);
    }
  }

  *#include(line: LogicalLine): Generator<LogicalLine> {
    const match = INCLUDE.exec(line.text);
    if (match === null) {
      if (line.text !== "") yield line;
      return;
    }
    const [, keyword = "", pattern = ""] = match;
    const at = line.spanOf(line.text.length - pattern.length, line.text.length);
    const severity = keyword === "include" ? "warning" : "error";
    if (this.#open.length > MAX_INCLUDE_DEPTH || this.sources.length > MAX_FILES) {
      const message = `Files are included deeper than ${MAX_INCLUDE_DEPTH} or there are more than ${MAX_FILES}`;
      this.#report.error("keepalived/include-limit", at, message);
      return;
    }
    const path = this.#environment.files.resolve(at.source.name, pattern);
    const isPattern = WILDCARDS.test(pattern);
    if (isPattern && pattern.split("{").length > MAX_BRACES_IN_PATTERN) {
      this.#report.error("keepalived/include-limit", at, `Pattern has more than ${MAX_BRACES_IN_PATTERN} braces`);
      return;
    }
    const paths = isPattern ? this.#environment.files.glob(path) : [path];
    if (paths.length === 0 && severity === "error")
      this.#report.error("keepalived/include-missing", at, `Config files missing ${quote(pattern)}`);
    for (const one of paths) yield* this.#includeFile(one, at, severity);
  }

  *#includeFile(path: string, at: Span, severity: "warning" | "error"): Generator<LogicalLine> {
    if (this.#open.includes(path)) {
      this.#report.error("keepalived/include-cycle", at, `${quote(path)} includes itself`);
      return;
    }
    const source = readSource(path, this.#environment.files, this.#report.diagnostics, (reason) => {
      const help = path.includes('"') ? "Write the path without quotes" : "It is sought relative to the including file";
      this.#report.add(
        severity,
        "keepalived/include-missing",
        at,
        `Config files missing ${quote(path)}: ${reason}`,
        help,
      );
    });
    if (source === undefined) return;
    this.sources.push(source);
    this.#open.push(path);
    yield* this.#linesOf(source);
    this.#open.pop();
  }
}
