/** How servers are checked: `option httpchk`, `option tcp-check`, `http-check send` (HAProxy 2.6 configuration.txt §4.2). */

import type { KeywordReader } from "./draft.ts";
import { mayHave, shortened } from "./reading.ts";
import { didYouMean, nothingFrom, present } from "./statement.ts";

const MOST_HEADERS = 100;
const PLAIN = { method: "OPTIONS", uri: "/", version: "HTTP/1.0", headers: [] } as const;

/** `option httpchk [[METHOD] URI [VERSION]]`; header lines hidden behind the version are old practice. */
export const readHttpchk: KeywordReader = (statement, { settings }, { diagnostics }) => {
  if (!nothingFrom(statement, 5, diagnostics)) return;
  const [, , first, second, third] = statement.words.map((word) => word.text);
  const [version = "", ...lines] = (third ?? PLAIN.version).split("\r\n");
  if (lines.length > 0) {
    const message = "headers behind the version are read, and deprecated";
    diagnostics.warning("haproxy/legacy", statement.span(4), message, "use 'http-check send hdr NAME VALUE'");
  }
  if (!/^HTTP\/[0-9]\.[0-9]$/.test(version)) {
    const message = `'${shortened(version)}' is not an HTTP version`;
    diagnostics.error("haproxy/bad-value", statement.span(4), message, "write HTTP/1.0 or HTTP/1.1");
    return;
  }
  settings.checkKind = "http";
  settings.httpCheck = {
    method: second === undefined ? PLAIN.method : (first ?? PLAIN.method),
    uri: second ?? first ?? PLAIN.uri,
    version,
    headers: lines.filter((line) => line.includes(":")).map(header),
  };
};

export const readTcpCheckOption: KeywordReader = (statement, { settings }, { diagnostics }) => {
  if (nothingFrom(statement, 2, diagnostics)) settings.checkKind = "tcp";
};

/** `http-check send [meth M] [uri U] [ver V] [hdr NAME VALUE]*`: what it names replaces what `option httpchk` said. */
export const readHttpCheckSend: KeywordReader = (statement, { settings }, reading) => {
  const { diagnostics } = reading;
  const check = { ...(settings.httpCheck ?? PLAIN) };
  const headers: [string, string][] = [];
  for (let at = 2; at < statement.length; at++) {
    const word = statement.text(at);
    const wanted = word === "hdr" ? 2 : 1;
    if (["uri-lf", "body", "body-lf"].includes(word)) {
      const message = `'http-check send' with '${word}' is not implemented`;
      diagnostics.error("haproxy/not-implemented", statement.span(at), message, "'meth', 'uri', 'ver' and 'hdr' are");
      at++;
      continue;
    }
    if (!["meth", "uri", "ver", "hdr", "comment"].includes(word)) {
      const help = didYouMean(word, ["meth", "uri", "ver", "hdr", "comment"], diagnostics);
      diagnostics.error(
        "haproxy/unknown-keyword",
        statement.span(at),
        `'http-check send' knows no '${shortened(word)}'`,
        help,
      );
      return;
    }
    if (!present(statement, at + wanted, word === "hdr" ? "a name and a value" : "a value", diagnostics)) return;
    const value = statement.text(at + 1);
    if (word === "meth") check.method = value;
    else if (word === "uri") check.uri = value;
    else if (word === "ver") check.version = value;
    else if (word === "hdr") headers.push([value, statement.text(at + 2)]);
    at += wanted;
  }
  if (!mayHave(headers.length, MOST_HEADERS, "headers in a check", statement, reading)) return;
  settings.httpCheck = headers.length === 0 ? check : { ...check, headers };
  settings.checkRule = statement.spanFrom(0);
};

function header(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}
