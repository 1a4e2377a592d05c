/** knip's finds as one JSON object, with what its own JSON reporter leaves out: how many files it has looked at. */

import { relative } from "node:path";
import type { ReporterOptions } from "knip";

export default function print({ issues, counters, configurationHints, report, cwd }: ReporterOptions): void {
  const kinds = (Object.keys(issues) as (keyof typeof issues)[]).filter((kind) => report[kind]);
  const found = kinds.flatMap((kind) => Object.values(issues[kind]).flatMap((ofFile) => Object.values(ofFile)));
  const problems = found.map(
    ({ filePath, line, type, symbol }) =>
      `${relative(cwd, filePath)}${line ? `:${line}` : ""} unused ${type === "files" ? "file" : `${type}: ${symbol}`}`,
  );
  // A hint is a line of knip.json that no longer means anything.
  const hints = configurationHints.map(({ type, identifier }) => `knip.json ${type}: ${identifier}`);
  console.log(JSON.stringify({ seen: counters.processed, problems: [...problems, ...hints] }));
}
