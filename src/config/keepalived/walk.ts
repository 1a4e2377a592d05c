/**
 * Goes through a block against the table of its keywords: says what is unknown, misplaced, incomplete or not implemented,
 * and hands the rest to its handlers. Depth is bounded by the table, not by the file.
 */

import { suggest } from "../text/suggest.ts";
import type { Keyword } from "./keyword-notation.ts";
import { CONTEXTS, MISSING } from "./keywords.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";

export type Handlers = Readonly<Record<string, (statement: Statement) => void>>;

export function walk(statements: readonly Statement[], context: string, handlers: Handlers, report: Report): void {
  const seen = new Set<string>();
  for (const statement of statements) {
    const keyword = CONTEXTS.get(context)?.get(statement.keyword.text);
    if (keyword === undefined) {
      reportUnknown(statement, context, report);
    } else if (isComplete(statement, keyword, report)) {
      if (keyword.block === undefined) noteRepetition(statement.keyword, seen, report);
      follow(statement, keyword, handlers, report);
    }
  }
}

/** Each line adds to those before. */
const ACCUMULATING: ReadonlySet<string> = new Set(["status_code"]);

function noteRepetition(keyword: Word, seen: Set<string>, report: Report): void {
  if (seen.has(keyword.text) && !ACCUMULATING.has(keyword.text)) {
    const message = `${quote(keyword.text)} is given again in this block: the last one counts`;
    report.note("keepalived/repeated-keyword", keyword, message, "Remove the others");
  }
  seen.add(keyword.text);
}

function follow(statement: Statement, keyword: Keyword, handlers: Handlers, report: Report): void {
  const name = statement.keyword;
  switch (keyword.support) {
    case "supported":
      handlers[name.text]?.(statement);
      return;
    case "accepted":
      report.note("keepalived/no-effect", name, `${quote(name.text)} is accepted and has nothing to do here`);
      return;
    case "missing": {
      const { severity, help } = MISSING[name.text] ?? { severity: "warning" };
      const listIsEmpty = keyword.block === "list" && statement.block?.length === 0;
      const message = `${quote(name.text)} is not implemented yet`;
      report.add(listIsEmpty ? "warning" : severity, "keepalived/not-implemented", name, message, help);
      checkInside(statement, keyword, report);
      return;
    }
    default:
      keyword.support satisfies never;
  }
}

/** Words inside a block that is not implemented are still checked, without saying of each that it is not. */
function checkInside(outer: Statement, { block }: Keyword, report: Report): void {
  if (block === undefined || block === "list") return;
  for (const statement of outer.block ?? []) {
    const keyword = CONTEXTS.get(block)?.get(statement.keyword.text);
    if (keyword === undefined) reportUnknown(statement, block, report);
    else if (isComplete(statement, keyword, report)) checkInside(statement, keyword, report);
  }
}

function isComplete(statement: Statement, keyword: Keyword, report: Report): boolean {
  const { keyword: name, words, block } = statement;
  if (words.length < keyword.least) {
    const message = `Configuration line starting ${quote(name.text)} is missing a parameter`;
    report.error("keepalived/missing-parameter", name, message, "keepalived refuses to start with it");
    return false;
  }
  const extra = words[keyword.most];
  if (extra !== undefined) {
    const rest = words.slice(keyword.most).map((word) => word.text);
    report.note("keepalived/extra-words", extra, `${quote(rest.join(" "))} is ignored after ${quote(name.text)}`);
  }
  if (keyword.block !== undefined && block === undefined) {
    report.warning("keepalived/missing-block", name, `${quote(name.text)} has no block`, `Write ${name.text} { … }`);
    return false;
  }
  if (keyword.block === undefined && block !== undefined) {
    const help = `${quote(name.text)} takes no block; the block is skipped`;
    report.warning("keepalived/unexpected-brace", name, "Unexpected '{' - ignoring", help);
  }
  return true;
}

function reportUnknown(statement: Statement, context: string, report: Report): void {
  const { keyword } = statement;
  const message = `Unknown keyword ${quote(keyword.text)}`;
  const skipped = statement.block === undefined ? "The line is skipped" : "It and its block are skipped";
  const help = report.full ? undefined : (cureFor(keyword.text, context) ?? skipped);
  report.warning("keepalived/unknown-keyword", keyword, message, help);
}

function cureFor(word: string, context: string): string | undefined {
  const here = CONTEXTS.get(context);
  const prefixed = `vrrp_${word}`;
  if (context === "global_defs" && here?.has(prefixed)) return `In global_defs it is called '${prefixed}'`;
  const homes = [...CONTEXTS].filter(([, keywords]) => keywords.has(word)).map(([name]) => name);
  if (homes.includes("")) return `'${word}' stands outside every block: is a '}' missing above?`;
  if (homes.length > 0) return `'${word}' belongs in ${homes.join(" or ")}`;
  if (/^[<=>]{7}/.test(word)) return "This is left over from a merge";
  const near = suggest(word, here?.keys() ?? []);
  return near === undefined ? undefined : `Did you mean '${near}'?`;
}
