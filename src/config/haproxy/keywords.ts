/**
 * What this program does with each keyword of haproxy.cfg. The one table: the reader acts by it, docs/reference/haproxy.md
 * prints it, and a test compares the two.
 *
 * A keyword that cannot be honoured is `refused` when leaving it out would let traffic do what the file forbids or send it
 * elsewhere, and `warned` otherwise.
 */

import { BIND_KEYWORDS } from "./keywords-bind.ts";
import { GLOBAL_KEYWORDS } from "./keywords-global.ts";
import { PROXY_KEYWORDS } from "./keywords-proxy.ts";
import { SERVER_KEYWORDS } from "./keywords-server.ts";

/**
 * - `supported`: does what HAProxy does.
 * - `without-effect`: nothing needs doing; said in a note.
 * - `warned`: known, not implemented, harmless to leave out; a warning.
 * - `refused`: known, not implemented, not harmless; an error.
 * - `translated`: old syntax that HAProxy refuses and that is read in its present form; a warning.
 * - `removed`: refused by HAProxy too; an error that names the replacement.
 */
export type Support = "supported" | "without-effect" | "warned" | "refused" | "translated" | "removed";

export interface Keyword {
  /** One or two words, as after which the arguments begin: `option httplog`. */
  readonly name: string;
  readonly support: Support;
  /** For proxy sections: letters of `defaults`, `frontend`, `backend`; `listen` takes what either of the last two does. */
  readonly where: string;
  /** For `bind` and `server` parameters: how many words follow; −1 is all of them. */
  readonly takes: number;
  /** What is missing, or what stands in for it. */
  readonly remark: string;
  /** Only the first of a family is reported on a line: `ssl crt F alpn h2` is one complaint. */
  readonly family: string;
}

export interface KeywordGroup {
  readonly support: Support;
  readonly where?: string;
  readonly takes?: number;
  readonly remark?: string;
  readonly family?: string;
  /** Separated by commas. */
  readonly names: string;
}

export interface KeywordTable {
  readonly rows: ReadonlyMap<string, Keyword>;
  /** Every word that may begin a statement. */
  readonly firstWords: ReadonlySet<string>;
  /** What may follow a word that is only the first half of keywords, such as `option`. */
  readonly secondWords: ReadonlyMap<string, readonly string[]>;
}

function table(groups: readonly KeywordGroup[]): KeywordTable {
  const rows = new Map<string, Keyword>();
  const secondWords = new Map<string, string[]>();
  for (const { names, support, where = "", takes = 0, remark = "", family = "" } of groups) {
    for (const name of names.split(",").map((one) => one.trim())) {
      if (rows.has(name)) throw new Error(`the keyword '${name}' stands twice in its table`);
      rows.set(name, { name, support, where, takes, remark, family });
      const [first = "", second] = name.split(" ");
      if (second !== undefined) secondWords.set(first, [...(secondWords.get(first) ?? []), second]);
    }
  }
  const firstWords = new Set([...rows.keys()].map((name) => name.split(" ", 1)[0] ?? name));
  return { rows, firstWords, secondWords };
}

export const KEYWORDS = {
  global: table(GLOBAL_KEYWORDS),
  proxy: table(PROXY_KEYWORDS),
  bind: table(BIND_KEYWORDS),
  server: table(SERVER_KEYWORDS),
} as const;

/** The row for a statement that begins with these two words. */
export function findKeyword({ rows }: KeywordTable, first: string, second: string): Keyword | undefined {
  return rows.get(`${first} ${second}`) ?? rows.get(first);
}
