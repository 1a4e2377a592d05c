/** Walks the parameters behind `bind ADDRESS` and `server NAME ADDRESS`, and reports those that are not implemented. */

import type { Keyword, KeywordTable } from "./keywords.ts";
import { type Reading, shortened } from "./reading.ts";
import { didYouMean, present, type Statement } from "./statement.ts";
import { reportUnsupported } from "./unsupported.ts";

/** Called with each supported parameter and the index of its first argument; false ends the walk. */
export type ParameterReader = (name: string, at: number) => boolean;

export function readParameters(
  statement: Statement,
  from: number,
  table: KeywordTable,
  reading: Reading,
  read: ParameterReader,
): boolean {
  const { diagnostics } = reading;
  const families = new Set<string>();
  let at = from;
  while (at < statement.length) {
    const name = statement.text(at);
    const row: Keyword | undefined = table.rows.get(name);
    if (row === undefined) {
      const help = didYouMean(name, table.rows.keys(), diagnostics);
      const message = `'${statement.head.text}' knows no '${shortened(name)}'`;
      diagnostics.error("haproxy/unknown-keyword", statement.span(at), message, help);
      return false;
    }
    if (row.takes > 0 && statement.text(at + 1) === "")
      return present(statement, statement.length, `an argument after '${name}'`, diagnostics);
    if (row.support === "supported") {
      if (!read(name, at + 1)) return false;
    } else if (row.family === "" || !families.has(row.family)) {
      families.add(row.family);
      reportUnsupported(row, `'${statement.head.text}' with '${name}'`, statement.span(at), reading);
    }
    at = row.takes < 0 ? statement.length : at + 1 + row.takes;
  }
  return true;
}
