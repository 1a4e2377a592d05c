/** What is said about a keyword that is known and does nothing, or not all, here. */

import type { Span } from "../text/source.ts";
import type { Keyword } from "./keywords.ts";
import type { Reading } from "./reading.ts";

/** `what` is the keyword in its quotes, as the message names it. */
export function reportUnsupported(row: Keyword, what: string, span: Span, { diagnostics }: Reading): void {
  const because = row.remark === "" ? "" : `: ${row.remark}`;
  switch (row.support) {
    case "supported":
      return;
    case "without-effect":
      diagnostics.note("haproxy/without-effect", span, `${what} has no effect${because}`);
      return;
    case "warned":
      diagnostics.warning("haproxy/not-implemented", span, `${what} is not implemented${because}`);
      return;
    case "refused": {
      const help = "remove it if the service may run without it";
      diagnostics.error("haproxy/not-implemented", span, `${what} is not implemented${because}`, help);
      return;
    }
    case "translated":
      diagnostics.warning("haproxy/legacy", span, `${what} is old syntax that HAProxy refuses`, row.remark);
      return;
    case "removed":
      diagnostics.error("haproxy/removed", span, `${what} was removed from HAProxy`, row.remark);
      return;
    default:
      row.support satisfies never;
  }
}
