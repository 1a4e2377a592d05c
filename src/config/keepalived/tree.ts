/**
 * Words and blocks of keepalived.conf, and what is wrong with its quotes and braces. Knows no keyword.
 *
 * A statement is one line or the part of it before a brace, as keepalived reads it; double quotes make one word. Nothing
 * here recurses, so that nesting costs no stack.
 */

import type { Span } from "../text/source.ts";
import { MAX_BLOCK_DEPTH } from "./budget.ts";
import type { LogicalLine } from "./logical-line.ts";
import { quote, type Report } from "./report.ts";

export interface Word {
  /** Without its double quotes. */
  readonly text: string;
  readonly span: Span;
  /** A definition or a sequence wrote some of it: `text` is not what stands at `span`. */
  readonly expanded: boolean;
}

export interface Statement {
  readonly keyword: Word;
  /** Those after the keyword. */
  readonly words: readonly Word[];
  /** As written, for keywords whose value has its own quoting. */
  readonly line: LogicalLine;
  block: readonly Statement[] | undefined;
}

interface Frame {
  readonly statements: Statement[];
  /** Undefined for the file itself. */
  readonly opener: Span | undefined;
  /** Its contents are nobody's: only its braces count. */
  readonly discarded: boolean;
  /** May still get a `{` on a line of its own. */
  last: Statement | undefined;
}

const DEEPER = "A block within a block within a block … is never meant";

export class TreeBuilder {
  readonly #report: Report;
  readonly #root: Frame = { statements: [], opener: undefined, discarded: false, last: undefined };
  /** Those around `#frame`. */
  readonly #outer: Frame[] = [];
  #frame = this.#root;
  /** Braces that are open inside a block that is too deep to keep. */
  #tooDeep = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  add(line: LogicalLine): void {
    const { text } = line;
    let start = 0;
    for (let at = 0; at < text.length; at++) {
      const character = text[at];
      if (character === '"') {
        const close = text.indexOf('"', at + 1);
        at = close < 0 ? text.length : close;
      } else if (character === "$" && text[at + 1] === "{" && isName(text, at + 2)) {
        at = text.indexOf("}", at);
      } else if (character === "{" || character === "}") {
        this.#addStatement(line, start, at);
        if (character === "{") this.#openBlock(line.spanOf(at, at + 1));
        else this.#closeBlock(line.spanOf(at, at + 1));
        start = at + 1;
      }
    }
    this.#addStatement(line, start, text.length);
  }

  /** The statements outside every block, in file order. */
  done(): readonly Statement[] {
    const { opener } = this.#frame;
    if (opener !== undefined) {
      const message = `There are ${this.#outer.length + this.#tooDeep} missing '}'s or extra '{'s`;
      this.#report.warning("keepalived/missing-brace", opener, message, "This block is still open at the end");
    }
    return this.#root.statements;
  }

  #addStatement(line: LogicalLine, from: number, to: number): void {
    if (this.#tooDeep > 0 || this.#frame.discarded) return;
    const part = line.slice(from, to).trimmed();
    if (part.text === "") return;
    const [keyword, ...words] = wordsOf(part, this.#report);
    if (keyword === undefined) return;
    const statement: Statement = { keyword, words, line: part, block: undefined };
    this.#frame.statements.push(statement);
    this.#frame.last = statement;
  }

  #openBlock(brace: Span): void {
    if (this.#tooDeep > 0 || this.#outer.length >= MAX_BLOCK_DEPTH) {
      if (this.#tooDeep === 0)
        this.#report.error("keepalived/nested-too-deep", brace, `Blocks nest deeper than ${MAX_BLOCK_DEPTH}`, DEEPER);
      this.#tooDeep++;
      return;
    }
    const { last: owner, discarded } = this.#frame;
    const statements: Statement[] = [];
    if (owner !== undefined) {
      owner.block = statements;
      this.#frame.last = undefined;
    } else if (!discarded) {
      const help = "A block needs a name before it";
      this.#report.warning("keepalived/unexpected-brace", brace, "Unexpected '{' - ignoring", help);
    }
    this.#outer.push(this.#frame);
    this.#frame = { statements, opener: brace, discarded: owner === undefined, last: undefined };
  }

  #closeBlock(brace: Span): void {
    if (this.#tooDeep > 0) {
      this.#tooDeep--;
      return;
    }
    const outer = this.#outer.pop();
    if (outer === undefined)
      this.#report.warning("keepalived/extra-brace", brace, "Extra '}' found", "It closes no block; remove it");
    else this.#frame = outer;
  }
}

const isName = (text: string, at: number): boolean =>
  /^[A-Za-z0-9_]+(?:[ \t][^{}"]*)?\}/.test(text.slice(at, at + 128));

/** Words of an ordinary keyword: only double quotes protect, and they end the word before them. */
function wordsOf(line: LogicalLine, report: Report): Word[] {
  const words: Word[] = [];
  const { text } = line;
  for (const match of text.matchAll(/"([^"]*)("?)|[^ \t"\r\f\v]+/g)) {
    const end = match.index + match[0].length;
    const span = line.spanOf(match.index, end);
    if (match[1] !== undefined && match[2] === "") {
      report.warning("keepalived/unmatched-quote", span, `Unmatched quote: ${quote(text)}`, 'Close it with another "');
      break;
    }
    words.push({ text: match[1] ?? match[0], span, expanded: line.isExpanded(match.index, end) });
  }
  return words;
}
