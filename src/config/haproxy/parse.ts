/**
 * Text of one or more haproxy.cfg files → sections with their statements, in order (HAProxy 2.6 configuration.txt §2).
 *
 * Reads what works on lines rather than on their meaning: words, variables, `.if` blocks, and the `setenv` family of
 * `global`, which changes how the lines below it are read. Sections do not reach over the end of a file. Knows keywords
 * only to tell a misspelt section from a statement.
 */

import type { Diagnostics } from "../text/diagnostic.ts";
import type { Source } from "../text/source.ts";
import { Conditionals } from "./conditional.ts";
import type { Environment } from "./environment.ts";
import { KEYWORDS } from "./keywords.ts";
import { isProxySection, isSectionKind, SECTION_KINDS, type SectionKind } from "./sections.ts";
import { didYouMean, present, Statement } from "./statement.ts";
import { splitWords, type Word } from "./words.ts";

export interface Section {
  readonly kind: SectionKind;
  /** The line that opens it. */
  readonly head: Statement;
  readonly statements: Statement[];
}

/** Far above any real configuration, and the memory that it costs is still small. */
const MOST_LINES = 500_000;
/** So many unknown words are compared with the names of sections; each comparison takes time. */
const MOST_DOUBTFUL = 100;

export function parse(sources: readonly Source[], environment: Environment, diagnostics: Diagnostics): Section[] {
  return sources.flatMap((source) => new FileParser(source, environment, diagnostics).run());
}

class FileParser {
  readonly #source: Source;
  readonly #environment: Environment;
  readonly #diagnostics: Diagnostics;
  readonly #conditionals: Conditionals;
  readonly #sections: Section[] = [];
  #lineNumber = 0;
  /** Unknown words at the margin so far. */
  #doubtful = 0;

  constructor(source: Source, environment: Environment, diagnostics: Diagnostics) {
    this.#source = source;
    this.#environment = environment;
    this.#diagnostics = diagnostics;
    this.#conditionals = new Conditionals(environment, diagnostics);
  }

  run(): readonly Section[] {
    const { text } = this.#source;
    let start = 0;
    while (start < text.length) {
      const lineEnd = text.indexOf("\n", start);
      const end = lineEnd < 0 ? text.length : lineEnd;
      if (++this.#lineNumber > MOST_LINES) {
        const span = { source: this.#source, start, end: start + 1 };
        this.#diagnostics.error("haproxy/too-many-lines", span, `a file has at most ${MOST_LINES} lines`);
        break;
      }
      this.#line(start, end);
      if (lineEnd < 0 && text.slice(start, Math.min(end, start + 4096)).trim() !== "") this.#missingLineEnd(end);
      start = end + 1;
    }
    this.#conditionals.end();
    return this.#sections;
  }

  #line(start: number, end: number): void {
    const words = splitWords(this.#source, start, end, {
      environment: this.#environment,
      diagnostics: this.#diagnostics,
      pseudo: (name) => this.#pseudo(name),
      skipped: !this.#conditionals.active,
    });
    const [head, ...rest] = words ?? [];
    if (head === undefined) return;
    const statement = new Statement(head, rest);
    if (this.#conditionals.take(statement)) return;
    if (isSectionKind(head.text)) this.#sections.push({ kind: head.text, head: statement, statements: [] });
    else this.#statement(statement, rest, head.span.start === start);
  }

  #statement(statement: Statement, rest: readonly Word[], atMargin: boolean): void {
    const section = this.#sections.at(-1);
    const word = statement.head.text;
    if (atMargin && (section === undefined || !isKnown(section.kind, word))) {
      const kind = this.#misspeltSection(statement);
      if (kind !== undefined) {
        this.#sections.push({ kind, head: statement, statements: [] });
        return;
      }
    }
    if (section === undefined) {
      const help = "begin with a section: global, defaults, frontend, backend or listen";
      this.#diagnostics.error(
        "haproxy/outside-section",
        statement.head.span,
        `'${word}' stands outside any section`,
        help,
      );
      return;
    }
    if (section.kind === "global" && this.#changesEnvironment(statement)) return;
    const form = word === "no" || word === "default" ? word : undefined;
    const [first, ...others] = rest;
    if (form === undefined) section.statements.push(statement);
    else if (first !== undefined) section.statements.push(new Statement(first, others, form));
    else present(statement, 1, "the keyword that it negates", this.#diagnostics);
  }

  /** What follows is read as that section: one complaint is enough for one wrong letter. */
  #misspeltSection(statement: Statement): SectionKind | undefined {
    if (++this.#doubtful > MOST_DOUBTFUL) return undefined;
    const word = statement.head.text;
    const help = didYouMean(word, SECTION_KINDS, this.#diagnostics);
    if (help === undefined) return undefined;
    this.#diagnostics.error("haproxy/unknown-section", statement.head.span, `'${word}' is not a section`, help);
    const meant = /'(.*)'/.exec(help)?.[1] ?? "";
    return isSectionKind(meant) ? meant : undefined;
  }

  #changesEnvironment(statement: Statement): boolean {
    const name = statement.text(1);
    switch (statement.head.text) {
      case "setenv":
      case "presetenv":
        if (!present(statement, 1, "a name and a value", this.#diagnostics)) return true;
        if (statement.words[2] === undefined) present(statement, 2, "a value", this.#diagnostics);
        else if (statement.head.text === "setenv" || this.#environment.get(name) === undefined)
          this.#environment.set(name, statement.text(2));
        return true;
      case "unsetenv":
        if (!present(statement, 1, "the names of variables", this.#diagnostics)) return true;
        for (const word of statement.words.slice(1)) this.#environment.unset(word.text);
        return true;
      case "resetenv":
        this.#environment.reset(new Set(statement.words.slice(1).map((word) => word.text)));
        return true;
      default:
        return false;
    }
  }

  #pseudo(name: string): string | undefined {
    const section = this.#sections.at(-1);
    if (name === ".FILE") return this.#source.name;
    if (name === ".LINE") return String(this.#lineNumber);
    if (name === ".SECTION") return section === undefined ? "" : section.head.text(1) || section.kind;
    return undefined;
  }

  #missingLineEnd(end: number): void {
    const span = { source: this.#source, start: end - 1, end };
    const message = "the last line has no line end: the file may have been cut short";
    this.#diagnostics.warning(
      "haproxy/missing-line-end",
      span,
      message,
      "end the file with a line end; HAProxy refuses it",
    );
  }
}

function isKnown(kind: SectionKind, word: string): boolean {
  if (word === "no" || word === "default") return true;
  if (kind === "global") return KEYWORDS.global.firstWords.has(word);
  return isProxySection(kind) ? KEYWORDS.proxy.firstWords.has(word) : true;
}
