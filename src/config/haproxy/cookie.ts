/** `cookie NAME …` (HAProxy 2.6 configuration.txt §4.2). */

import type { KeywordReader } from "./draft.ts";
import { shortened } from "./reading.ts";
import { didYouMean, present } from "./statement.ts";

const FLAGS = ["insert", "indirect", "nocache", "postonly", "preserve", "httponly", "secure"] as const;
/** Words that are known and not implemented, with the number of arguments that follow each. */
const MISSING: Readonly<Record<string, number>> = {
  rewrite: 0,
  prefix: 0,
  dynamic: 0,
  maxidle: 1,
  maxlife: 1,
  attr: 1,
};

export const readCookie: KeywordReader = (statement, draft, { diagnostics }) => {
  if (!present(statement, 1, "the name of the cookie", diagnostics)) return;
  const flags = new Set<string>();
  const domains: string[] = [];
  for (let at = 2; at < statement.length; at++) {
    const word = statement.text(at);
    const span = statement.span(at);
    if (FLAGS.some((flag) => flag === word)) flags.add(word);
    else if (word === "domain") {
      at++;
      if (!present(statement, at, "a domain", diagnostics)) return;
      domains.push(statement.text(at));
      if (!statement.text(at).slice(1, -1).includes(".")) {
        const message = `domain '${shortened(statement.text(at))}' has no dot inside, and browsers refuse such cookies`;
        diagnostics.warning(
          "haproxy/cookie-domain",
          statement.span(at),
          message,
          "write a full domain, see RFC 6265 §5.2.3",
        );
      }
    } else if (Object.hasOwn(MISSING, word)) {
      at += MISSING[word] ?? 0;
      flags.add(word);
      const help = "'cookie NAME insert indirect nocache' keeps clients on their server";
      diagnostics.error("haproxy/not-implemented", span, `'cookie' with '${word}' is not implemented`, help);
    } else {
      const help = didYouMean(word, [...FLAGS, "domain", ...Object.keys(MISSING)], diagnostics);
      diagnostics.error("haproxy/unknown-keyword", span, `'cookie' knows no '${shortened(word)}'`, help);
    }
  }
  const modes = ["insert", "rewrite", "prefix"].filter((mode) => flags.has(mode));
  if (modes.length > 1) {
    const message = `'${modes.join("' and '")}' exclude each other`;
    diagnostics.error("haproxy/bad-value", statement.spanFrom(2), message, "keep one of them");
  }
  if (flags.has("preserve") && !flags.has("insert") && !flags.has("indirect"))
    diagnostics.error("haproxy/bad-value", statement.spanFrom(2), "'preserve' wants 'insert' or 'indirect'");
  const value = {
    name: statement.text(1),
    insert: flags.has("insert"),
    indirect: flags.has("indirect"),
    nocache: flags.has("nocache"),
    postonly: flags.has("postonly"),
    preserve: flags.has("preserve"),
    httponly: flags.has("httponly"),
    secure: flags.has("secure"),
    domains,
  };
  draft.settings.cookie = { value, span: statement.head.span };
};
