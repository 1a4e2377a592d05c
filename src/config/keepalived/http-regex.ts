/**
 * `regex` of an HTTP check. keepalived's are PCRE2's; here they are JavaScript's, which read nearly all of them alike:
 * what cannot be read so is refused.
 */

import type { HttpCheckUrl } from "../model/virtual-server.ts";
import { quote, type Report } from "./report.ts";
import { splitCommand } from "./script.ts";
import type { Statement, Word } from "./tree.ts";
import { integer } from "./values.ts";
import type { Handlers } from "./walk.ts";

export interface RegexDraft {
  /** As the quoting and the escapes of a script's line leave it. */
  pattern: { readonly text: string; readonly at: Word } | undefined;
  negated: boolean;
  options: readonly Word[];
  minOffset: number;
  maxOffset: number;
}

/** PCRE2 options by the flag that means the same; an empty one changes nothing here. */
const FLAGS: Readonly<Record<string, string>> = {
  caseless: "i",
  multiline: "m",
  dotall: "s",
  utf: "u",
  ucp: "u",
  auto_callout: "",
  dupnames: "",
  never_backslash_c: "",
  never_ucp: "",
  never_utf: "",
  no_auto_possessify: "",
  no_dotstar_anchor: "",
  no_start_optimize: "",
  match_unset_backref: "",
  use_offset_limit: "",
};
const GREATEST_OFFSET = 4_294_967_295;

export function regexHandlers(draft: RegexDraft, report: Report): Handlers {
  const setPattern = ({ line, words: [at] }: Statement) => {
    if (at !== undefined) draft.pattern = { text: splitCommand(line.text)?.[1] ?? at.text, at };
  };
  return {
    regex: setPattern,
    regex_no_match: (statement) => {
      draft.negated = true;
      setPattern(statement);
    },
    regex_options: ({ words }) => {
      draft.options = words;
    },
    regex_min_offset: ({ words: [word] }) => {
      draft.minOffset = (word && integer(word, 0, GREATEST_OFFSET, report, "0")) ?? draft.minOffset;
    },
    regex_max_offset: ({ words: [word] }) => {
      draft.maxOffset = (word && integer(word, 0, GREATEST_OFFSET, report, "no limit")) ?? draft.maxOffset;
    },
  };
}

export function regexOf(draft: RegexDraft, report: Report): HttpCheckUrl["regex"] {
  const { pattern, negated, options, minOffset, maxOffset } = draft;
  const flags = flagsOf(options, report);
  if (pattern === undefined) return undefined;
  if (maxOffset > 0 && maxOffset < minOffset) {
    const message = `regex_max_offset ${maxOffset} lies before regex_min_offset ${minOffset}: the regex never matches`;
    report.warning("keepalived/bad-regex", pattern.at, message, "Give a regex_max_offset that is the greater one");
  }
  try {
    new RegExp(pattern.text, flags);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const help = "Regular expressions are JavaScript's here; keepalived's are PCRE2's";
    report.error("keepalived/bad-regex", pattern.at, `${quote(pattern.text)} cannot be used: ${reason}`, help);
    return undefined;
  }
  return { pattern: pattern.text, negated, flags, minOffset, maxOffset };
}

function flagsOf(options: readonly Word[], report: Report): string {
  const flags = new Set<string>();
  for (const option of options) {
    if (Object.hasOwn(FLAGS, option.text)) flags.add(FLAGS[option.text] ?? "");
    else {
      const message = `regex option ${quote(option.text)} is not implemented - ignoring`;
      report.warning(
        "keepalived/unknown-option",
        option,
        message,
        "caseless, multiline, dotall, utf and ucp are there",
      );
    }
  }
  return [...flags].join("");
}
