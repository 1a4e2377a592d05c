/** docs/reference/ipvsadm.md against the options that are read, both ways, and the help against them too. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { HELP } from "../../../src/cli/ipvsadm-help.ts";
import { OPTION_WORDS } from "../../../src/config/ipvsadm/options.ts";

const spellings = OPTION_WORDS.flatMap(({ long, short }) => [
  `--${long}`,
  ...(short === undefined ? [] : [`-${short}`]),
]);
const words = [...new Set(spellings)].toSorted();

test("the page names each option and command in the first column of a table, and no others", () => {
  const page = readFileSync(new URL("../../../docs/reference/ipvsadm.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| (`-.*?) \|/gm)].map((match) => match[1] ?? "");
  const named = rows.flatMap((row) => [...row.matchAll(/(?<![\w-])--?[a-zA-Z0-9][\w-]*/g)].map(([word]) => word));
  assert.deepEqual([...new Set(named)].toSorted(), words);
});

test("the help names each option and command but those of the sync daemon", () => {
  const named = new Set([...HELP.matchAll(/(?<![\w-])--?[a-zA-Z0-9][\w-]*/g)].map(([word]) => word));
  const missing = words.filter((word) => !named.has(word));
  const ofSync = ["--mcast-group", "--mcast-interface", "--mcast-port", "--mcast-ttl", "--sync-maxlen", "--syncid"];
  assert.deepEqual(missing, ofSync);
});
