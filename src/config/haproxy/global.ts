/** The `global` sections, which merge (HAProxy 2.6 configuration.txt §3). */

import type { Duration } from "../../base/time.ts";
import type { LogTarget, ProxyGlobal } from "../model/proxy.ts";
import { findKeyword, KEYWORDS } from "./keywords.ts";
import { MOST_LOGS, readLog } from "./log.ts";
import { accepted, mayHave, numberArgument, type Reading, shortened, timeArgument } from "./reading.ts";
import { didYouMean, nothingFrom, present, type Statement } from "./statement.ts";
import { parseSize } from "./units.ts";
import { reportUnsupported } from "./unsupported.ts";

export type GlobalDraft = { -readonly [K in keyof Omit<ProxyGlobal, "logs">]: ProxyGlobal[K] } & {
  logs: LogTarget[];
  readonly seen: Set<string>;
};

export function initialGlobal(): GlobalDraft {
  return {
    maxconn: undefined,
    // One proxy process uses one core; HAProxy's default of one thread a core is for a process that shares its tables.
    nbthread: 1,
    user: undefined,
    group: undefined,
    uid: undefined,
    gid: undefined,
    pidfile: undefined,
    logs: [],
    logTag: "haproxy",
    node: undefined,
    description: undefined,
    hardStopAfter: undefined,
    bufsize: 16_384,
    maxrewrite: 1_024,
    spreadChecks: 0,
    seen: new Set(),
  };
}

const LARGEST_BUFFER = 16 * 1024 * 1024;

type GlobalReader = (statement: Statement, global: GlobalDraft, reading: Reading) => void;

const text =
  (key: "user" | "group" | "pidfile" | "logTag" | "node", what: string): GlobalReader =>
  (statement, global, { diagnostics }) => {
    if (present(statement, 1, what, diagnostics) && nothingFrom(statement, 2, diagnostics))
      global[key] = statement.text(1);
  };

const number =
  (key: "maxconn" | "nbthread" | "uid" | "gid" | "spreadChecks", from: number, to?: number): GlobalReader =>
  (statement, global, reading) => {
    const value = numberArgument(statement, reading, to === undefined ? { from } : { from, to });
    if (value !== undefined) global[key] = value;
  };

const size =
  (key: "bufsize" | "maxrewrite", least: number): GlobalReader =>
  (statement, global, reading) => {
    const word = statement.words[1];
    if (!present(statement, 1, "a size in bytes", reading.diagnostics) || word === undefined) return;
    if (!nothingFrom(statement, 2, reading.diagnostics)) return;
    const bytes = accepted(parseSize(word.text), word, "haproxy/bad-number", reading);
    if (bytes !== undefined && bytes >= least && bytes <= LARGEST_BUFFER) global[key] = bytes;
    else if (bytes !== undefined) {
      const message = `'${statement.head.text}' is from ${least} to ${LARGEST_BUFFER} bytes`;
      reading.diagnostics.error("haproxy/bad-value", word.span, message);
    }
  };

/** How supported keywords are read; a test holds this against the table. Those of the environment work in `parse.ts`. */
export const GLOBAL_READERS: Readonly<Record<string, GlobalReader>> = {
  maxconn: (statement, global, reading) => {
    const maxconn = numberArgument(statement, reading);
    if (maxconn !== undefined) global.maxconn = maxconn === 0 ? undefined : maxconn;
  },
  nbthread: number("nbthread", 1, 64),
  user: text("user", "the name of a user"),
  group: text("group", "the name of a group"),
  uid: number("uid", 0),
  gid: number("gid", 0),
  pidfile: text("pidfile", "a file"),
  log: (statement, global, reading) => {
    if (statement.form === "no") global.logs = [];
    else if (statement.text(1) === "global") {
      const message = "'log global' is for proxies: here its targets are named";
      reading.diagnostics.error("haproxy/bad-value", statement.span(1), message, "write 'log ADDRESS FACILITY'");
    } else {
      const target = readLog(statement, reading);
      if (target !== undefined && mayHave(global.logs.length + 1, MOST_LOGS, "log targets", statement, reading))
        global.logs.push(target);
    }
  },
  "log-tag": text("logTag", "a tag"),
  node: text("node", "a name"),
  description: (statement, global, { diagnostics }) => {
    if (!present(statement, 1, "a text", diagnostics)) return;
    global.description = statement.words
      .slice(1)
      .map((word) => word.text)
      .join(" ");
  },
  "hard-stop-after": (statement, global, reading) => {
    const time: Duration | undefined = timeArgument(statement, 1, reading);
    if (time !== undefined) global.hardStopAfter = time;
  },
  "tune.bufsize": size("bufsize", 1_024),
  "tune.maxrewrite": size("maxrewrite", 0),
  "spread-checks": number("spreadChecks", 0, 50),
};

/** The first one counts in HAProxy, which says so and goes on. */
const ONCE: ReadonlySet<string> = new Set(["maxconn", "user", "group", "uid", "gid", "pidfile"]);
/** Besides `log` the only words that HAProxy lets follow `no` here. */
const NEGATABLE = new Set([
  "log",
  "busy-polling",
  "set-dumpable",
  "strict-limits",
  "insecure-fork-wanted",
  "numa-cpu-mapping",
]);

export function readGlobalStatement(statement: Statement, global: GlobalDraft, reading: Reading): void {
  const { diagnostics } = reading;
  const word = statement.head.text;
  const row = findKeyword(KEYWORDS.global, word, statement.text(1));
  if (row === undefined) {
    const halves = KEYWORDS.global.secondWords.get(word) ?? [];
    const at = halves.length > 0 && statement.length > 1 ? 1 : 0;
    const help = didYouMean(statement.text(at), at === 1 ? halves : KEYWORDS.global.firstWords, diagnostics);
    const message = `'${shortened(statement.text(at))}' is not a keyword of 'global'`;
    diagnostics.error("haproxy/unknown-keyword", statement.span(at), message, help);
    return;
  }
  if (statement.form !== "plain" && !NEGATABLE.has(row.name)) {
    const message = `'${statement.form}' cannot stand before '${row.name}'`;
    diagnostics.error("haproxy/bad-negation", statement.head.span, message, "remove the line");
    return;
  }
  if (ONCE.has(row.name) && global.seen.has(row.name)) {
    const message = `'${row.name}' is set already, and the first one counts`;
    diagnostics.warning("haproxy/overwritten", statement.spanFrom(0), message, "remove one of them");
    return;
  }
  if (row.name === "daemon") nothingFrom(statement, 1, diagnostics);
  if (statement.form === "plain") reportUnsupported(row, `'${row.name}'`, statement.head.span, reading);
  GLOBAL_READERS[row.name]?.(statement, global, reading);
  global.seen.add(row.name);
}
