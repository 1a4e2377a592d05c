/** Comments of keepalived.conf: from `#` or `!` to the end of the line, unless in double quotes or after a backslash. */

import { LineBuilder, type LogicalLine } from "./logical-line.ts";

export function withoutComment(line: LogicalLine): LogicalLine {
  const { text } = line;
  if (!text.includes("#") && !text.includes("!")) return line;
  const builder = new LineBuilder(line.source);
  let copied = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') quoted = !quoted;
    if (quoted || (character !== "#" && character !== "!")) continue;
    if (text[at - 1] !== "\\") {
      builder.addSlice(line, copied, at);
      return builder.line();
    }
    builder.addSlice(line, copied, at - 1);
    copied = at;
  }
  if (copied === 0) return line;
  builder.addSlice(line, copied, text.length);
  return builder.line();
}
