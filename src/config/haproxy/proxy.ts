/**
 * Keywords of proxy sections → a draft. What each keyword may mean is in `keywords-proxy.ts`; this file knows how the
 * supported ones are read and where each may stand (HAProxy 2.6 configuration.txt §4).
 */

import type { BalanceAlgorithm } from "../model/proxy.ts";
import { readBind } from "./bind.ts";
import { readHttpCheckSend } from "./check.ts";
import { readCookie } from "./cookie.ts";
import { hasBackend, hasFrontend, type KeywordReader, type ProxyDraft } from "./draft.ts";
import { readErrorfile } from "./errorfile.ts";
import { findKeyword, KEYWORDS, type Keyword } from "./keywords.ts";
import { MOST_LOGS, readLog } from "./log.ts";
import { NEGATABLE, OPTION_READERS } from "./option.ts";
import { mayHave, numberArgument, numberOf, type Reading, shortened } from "./reading.ts";
import { readDefaultServer, readServer } from "./server.ts";
import { didYouMean, nothingFrom, present, type Statement } from "./statement.ts";
import { STATS_READERS } from "./stats.ts";
import { TIMEOUT_READERS } from "./timeout.ts";
import { reportUnsupported } from "./unsupported.ts";

const ALGORITHMS: readonly BalanceAlgorithm[] = ["roundrobin", "static-rr", "leastconn", "first"];
/** Algorithms that HAProxy has besides; `hdr` and `random` may carry an argument in parentheses. */
const OTHER_ALGORITHMS = ["random", "source", "uri", "url_param", "hdr", "rdp-cookie", "hash"];

const readMode: KeywordReader = (statement, { settings }, { diagnostics }) => {
  if (!present(statement, 1, "http or tcp", diagnostics) || !nothingFrom(statement, 2, diagnostics)) return;
  const mode = statement.text(1);
  if (mode === "http" || mode === "tcp") settings.mode = mode;
  else {
    const help = mode === "health" ? "use 'monitor-uri' in mode http" : "write 'mode http' or 'mode tcp'";
    diagnostics.error("haproxy/bad-value", statement.span(1), `'${shortened(mode)}' is not a mode`, help);
  }
};

const readBalance: KeywordReader = (statement, { settings }, { diagnostics }) => {
  const word = statement.text(1);
  const known = ALGORITHMS.find((one) => one === word);
  const name = word.replace(/\(.*$/, "");
  if (word === "") settings.balance = "roundrobin";
  else if (known !== undefined) settings.balance = known;
  else if (name === "random") {
    settings.balance = "roundrobin";
    const message = `'balance ${shortened(word)}' is not implemented: roundrobin is used`;
    diagnostics.warning("haproxy/not-implemented", statement.span(1), message);
  } else if (OTHER_ALGORITHMS.includes(name)) {
    const message = `'balance ${shortened(word)}' is not implemented, and clients would not stay on their server`;
    diagnostics.error("haproxy/not-implemented", statement.span(1), message, `use one of ${ALGORITHMS.join(", ")}`);
  } else {
    const help =
      didYouMean(name, [...ALGORITHMS, ...OTHER_ALGORITHMS], diagnostics) ?? `use one of ${ALGORITHMS.join(", ")}`;
    diagnostics.error(
      "haproxy/bad-value",
      statement.span(1),
      `'${shortened(word)}' is not a balancing algorithm`,
      help,
    );
  }
};

const readProxyLog: KeywordReader = (statement, { settings }, reading) => {
  if (statement.form === "no") {
    if (nothingFrom(statement, 1, reading.diagnostics)) settings.logs = [];
    return;
  }
  if (statement.text(1) === "global" && statement.length === 2) {
    if (!settings.logs.includes("global")) settings.logs = [...settings.logs, "global"];
    return;
  }
  const target = readLog(statement, reading);
  if (target !== undefined && mayHave(settings.logs.length + 1, MOST_LOGS, "log targets", statement, reading))
    settings.logs = [...settings.logs, target];
};

const readHttpReuse: KeywordReader = (statement, { settings }, { diagnostics }) => {
  if (!present(statement, 1, "never, safe, aggressive or always", diagnostics)) return;
  const known = (["never", "safe", "aggressive", "always"] as const).find((one) => one === statement.text(1));
  if (known !== undefined) settings.httpReuse = known;
  else {
    const message = `'${shortened(statement.text(1))}' is not a way of reusing connections`;
    diagnostics.error("haproxy/bad-value", statement.span(1), message, "use never, safe, aggressive or always");
  }
};

const disabled =
  (value: boolean): KeywordReader =>
  (statement, { settings }, { diagnostics }) => {
    if (nothingFrom(statement, 1, diagnostics)) settings.disabled = value;
  };

/** How supported and translated keywords are read; a test holds this against the table. */
export const PROXY_READERS: Readonly<Record<string, KeywordReader>> = {
  ...OPTION_READERS,
  ...STATS_READERS,
  ...TIMEOUT_READERS,
  mode: readMode,
  bind: readBind,
  server: readServer,
  "default-server": readDefaultServer,
  balance: readBalance,
  cookie: readCookie,
  errorfile: readErrorfile,
  log: readProxyLog,
  enabled: disabled(false),
  disabled: disabled(true),
  "http-reuse": readHttpReuse,
  "http-check send": readHttpCheckSend,
  redispatch: (statement, draft, { diagnostics }) => {
    if (nothingFrom(statement, 1, diagnostics)) draft.settings.redispatch = -1;
  },
  default_backend: (statement, { settings }, { diagnostics }) => {
    const word = statement.words[1];
    if (!present(statement, 1, "the name of a backend", diagnostics) || word === undefined) return;
    if (nothingFrom(statement, 2, diagnostics)) settings.defaultBackend = word;
  },
  maxconn: (statement, { settings }, reading) => {
    const maxconn = numberArgument(statement, reading);
    if (maxconn !== undefined) settings.maxconn = maxconn === 0 ? undefined : maxconn;
  },
  backlog: (statement, { settings }, reading) => {
    const backlog = numberArgument(statement, reading);
    if (backlog !== undefined) settings.backlog = backlog === 0 ? undefined : backlog;
  },
  "monitor-uri": (statement, { settings }, { diagnostics }) => {
    if (!present(statement, 1, "a path", diagnostics) || !nothingFrom(statement, 2, diagnostics)) return;
    settings.monitorUri = { value: statement.text(1), span: statement.spanFrom(0) };
  },
  retries: (statement, { settings }, reading) => {
    const word = statement.words[1];
    if (!present(statement, 1, "a number", reading.diagnostics) || word === undefined) return;
    if (nothingFrom(statement, 2, reading.diagnostics)) settings.retries = Math.max(0, numberOf(word, reading));
  },
  id: (statement, draft, reading) => {
    const id = numberArgument(statement, reading, { from: 1 });
    if (id !== undefined) draft.id = id;
  },
  description: (statement, draft, { diagnostics }) => {
    if (!present(statement, 1, "a text", diagnostics)) return;
    draft.description = statement.words
      .slice(1)
      .map((word) => word.text)
      .join(" ");
  },
};

export function readProxyStatement(statement: Statement, draft: ProxyDraft, reading: Reading): void {
  const row = findKeyword(KEYWORDS.proxy, statement.head.text, statement.text(1));
  if (row === undefined) {
    reportUnknown(statement, draft.kind, reading);
    return;
  }
  if (statement.form !== "plain" && !mayNegate(row, statement, reading)) return;
  if (!isInPlace(row, statement, draft, reading)) return;
  if (statement.form === "plain") {
    const words = row.name.split(" ").length;
    const { source, start } = statement.head.span;
    reportUnsupported(row, `'${row.name}'`, { source, start, end: statement.span(words - 1).end }, reading);
  } else if (row.support !== "supported") {
    return;
  }
  PROXY_READERS[row.name]?.(statement, draft, reading);
  if (!draft.seen.has(row.name)) draft.seen.set(row.name, statement.head.span);
}

function reportUnknown(statement: Statement, section: string, { diagnostics }: Reading): void {
  const { text: word, span } = statement.head;
  const seconds = KEYWORDS.proxy.secondWords.get(word);
  if (seconds === undefined) {
    const help = didYouMean(word, KEYWORDS.proxy.firstWords, diagnostics);
    diagnostics.error("haproxy/unknown-keyword", span, `'${shortened(word)}' is not a keyword of '${section}'`, help);
  } else if (present(statement, 1, `one of ${seconds.slice(0, 8).join(", ")} …`, diagnostics)) {
    const second = statement.text(1);
    const help = didYouMean(second, seconds, diagnostics) ?? `known are ${seconds.join(", ")}`;
    diagnostics.error("haproxy/unknown-keyword", statement.span(1), `'${word}' knows no '${shortened(second)}'`, help);
  }
}

/** Options that are not implemented may be switched off: that is the state they are in. */
function mayNegate(row: Keyword, statement: Statement, { diagnostics }: Reading): boolean {
  if (row.name === "log" && statement.form === "no") return true;
  const option = row.name.startsWith("option ");
  if (option && (NEGATABLE.has(row.name) || row.support !== "supported")) return true;
  const help = option ? "write it only where it is wanted, not in 'defaults'" : "only options and 'log' can be negated";
  const message = `'${statement.form}' cannot stand before '${row.name}'`;
  diagnostics.error("haproxy/bad-negation", statement.head.span, message, help);
  return false;
}

/** Keywords in the wrong kind of section are left out, as HAProxy does: with a warning, or an error where it has one. */
function isInPlace(row: Keyword, statement: Statement, draft: ProxyDraft, { diagnostics }: Reading): boolean {
  const allowed =
    draft.kind === "defaults"
      ? row.where.includes("D")
      : (hasFrontend(draft) && row.where.includes("F")) || (hasBackend(draft) && row.where.includes("B"));
  if (allowed) return true;
  const fatal =
    draft.kind === "defaults" || row.name === "server" || row.support === "refused" || row.support === "removed";
  const places = [
    ...(row.where.includes("D") ? ["defaults"] : []),
    ...(row.where.includes("F") ? ["frontend"] : []),
    ...(row.where.includes("B") ? ["backend"] : []),
    "listen",
  ];
  const message = `'${row.name}' ${fatal ? "is not allowed" : "has no effect"} in '${draft.kind}'`;
  const help = `it belongs into ${places.join(", ")}`;
  diagnostics.add(fatal ? "error" : "warning", "haproxy/misplaced", statement.head.span, message, help);
  return false;
}
