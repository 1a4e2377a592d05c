/** `stats …`: the page of statistics (HAProxy 2.6 configuration.txt §4.2). Every one of these words switches it on. */

import { inSeconds } from "../../base/time.ts";
import type { StatsPage } from "../model/proxy.ts";
import type { KeywordReader } from "./draft.ts";
import { mayHave, timeArgument } from "./reading.ts";
import { nothingFrom, present, type Statement } from "./statement.ts";

const PLAIN: StatsPage = {
  uri: "/haproxy?stats",
  realm: "HAProxy Statistics",
  auth: [],
  refreshSeconds: undefined,
  hideVersion: false,
  showNode: undefined,
  showDescription: undefined,
  showLegends: false,
};

/** Stand for the node and the description of `global`, which may follow later. */
export const OF_GLOBAL = "";

const MOST_USERS = 1_000;

const change =
  (part: (statement: Statement, page: StatsPage) => Partial<StatsPage>): KeywordReader =>
  (statement, { settings }) => {
    const page = settings.stats?.value ?? PLAIN;
    settings.stats = { value: { ...page, ...part(statement, page) }, span: statement.spanFrom(0) };
  };

const flag =
  (part: Partial<StatsPage>): KeywordReader =>
  (statement, draft, reading) => {
    nothingFrom(statement, 2, reading.diagnostics, "warning");
    change(() => part)(statement, draft, reading);
  };

const withValue =
  (what: string, part: (value: string, page: StatsPage) => Partial<StatsPage>): KeywordReader =>
  (statement, draft, reading) => {
    if (!present(statement, 2, what, reading.diagnostics)) return;
    nothingFrom(statement, 3, reading.diagnostics, "warning");
    change((_, page) => part(statement.text(2), page))(statement, draft, reading);
  };

export const STATS_READERS: Readonly<Record<string, KeywordReader>> = {
  "stats enable": flag({}),
  "stats hide-version": flag({ hideVersion: true }),
  "stats show-legends": flag({ showLegends: true }),
  "stats uri": withValue("a path", (uri) => ({ uri })),
  "stats realm": withValue("a realm", (realm) => ({ realm })),
  "stats auth": (statement, draft, reading) => {
    if (statement.length > 2 && !statement.text(2).includes(":")) {
      const message = "'stats auth' has no colon: the password is empty";
      reading.diagnostics.warning("haproxy/bad-value", statement.span(2), message, "write USER:PASSWORD");
    }
    const count = (draft.settings.stats?.value.auth.length ?? 0) + 1;
    if (!mayHave(count, MOST_USERS, "users of the page", statement, reading)) return;
    const add = (word: string, { auth }: StatsPage) => ({ auth: [...auth, word.includes(":") ? word : `${word}:`] });
    withValue("USER:PASSWORD", add)(statement, draft, reading);
  },
  "stats refresh": (statement, draft, reading) => {
    const time = timeArgument(statement, 2, reading, "s");
    if (time !== undefined) change(() => ({ refreshSeconds: Math.ceil(inSeconds(time)) }))(statement, draft, reading);
  },
  "stats show-node": change((statement) => ({ showNode: statement.text(2) || OF_GLOBAL })),
  "stats show-desc": change((statement) => ({
    showDescription:
      statement.words
        .slice(2)
        .map((word) => word.text)
        .join(" ") || OF_GLOBAL,
  })),
};
