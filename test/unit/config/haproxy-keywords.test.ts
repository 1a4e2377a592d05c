/** One table says what is done with each keyword: the reader has what it promises, and the documentation repeats it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { GLOBAL_READERS } from "../../../src/config/haproxy/global.ts";
import { KEYWORDS, type Keyword } from "../../../src/config/haproxy/keywords.ts";
import { NEGATABLE } from "../../../src/config/haproxy/option.ts";
import { PROXY_READERS } from "../../../src/config/haproxy/proxy.ts";
import { OTHER_SECTIONS } from "../../../src/config/haproxy/sections.ts";
import { loadTexts, seriousOf, TIMEOUTS } from "../../support/haproxy-text.ts";

const document = readFileSync(new URL("../../../docs/reference/haproxy.md", import.meta.url), "utf8");

/** Rows of the table under a heading: cells, without the backquotes of the first. */
function rowsUnder(heading: string): string[][] {
  const part = document.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? "";
  return part
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.slice(2, -2).split(" | "))
    .map(([first = "", ...rest]) => [first.replaceAll("`", ""), ...rest.map((cell) => cell.trim())]);
}

const places = ({ where }: Keyword): string =>
  [where.includes("D") && "defaults", where.includes("F") && "frontend", where.includes("B") && "backend"]
    .filter((place) => place !== false)
    .join(", ");

const byName = (a: readonly string[], b: readonly string[]): number => ((a[0] ?? "") < (b[0] ?? "") ? -1 : 1);

for (const [table, heading] of [
  ["global", "Keywords of global"],
  ["proxy", "Keywords of proxies"],
  ["bind", "Parameters of bind"],
  ["server", "Parameters of server and default-server"],
] as const) {
  test(`the documentation lists the ${heading.toLowerCase()} as they are`, () => {
    const rows = [...KEYWORDS[table].rows.values()].map((row) =>
      table === "proxy" ? [row.name, places(row), row.support, row.remark] : [row.name, row.support, row.remark],
    );
    assert.ok(rows.length > 20);
    assert.deepEqual(rowsUnder(heading), rows.sort(byName));
  });
}

test("the documentation lists the sections that are skipped", () => {
  const rows = Object.entries(OTHER_SECTIONS).map(([name, [severity, why]]) => [name, severity, why]);
  assert.deepEqual(rowsUnder("Sections"), rows);
});

const readable = (rows: ReadonlyMap<string, Keyword>): string[] =>
  [...rows.values()]
    .filter(({ support }) => support === "supported" || support === "translated")
    .map(({ name }) => name)
    .sort();

test("every keyword of a proxy that is supported or translated has a reader, and no other has", () => {
  assert.deepEqual(Object.keys(PROXY_READERS).sort(), readable(KEYWORDS.proxy.rows));
});

test("every supported keyword of global has a reader, and no other has", () => {
  const environment = ["presetenv", "resetenv", "setenv", "unsetenv"];
  assert.deepEqual([...Object.keys(GLOBAL_READERS), ...environment].sort(), readable(KEYWORDS.global.rows));
});

test("what can be negated is a supported option", () => {
  for (const name of NEGATABLE) assert.equal(KEYWORDS.proxy.rows.get(name)?.support, "supported", name);
});

/** Severity and code of what is said about a keyword that stands in the right place. */
const EXPECTED = {
  "without-effect": "note haproxy/without-effect",
  warned: "warning haproxy/not-implemented",
  refused: "error haproxy/not-implemented",
  removed: "error haproxy/removed",
} as const;

test("each keyword that does nothing is reported as its row says, once and in its place", () => {
  for (const row of KEYWORDS.proxy.rows.values()) {
    if (row.support === "supported" || row.support === "translated") continue;
    const kind = row.where.includes("F") ? "frontend f" : "backend b";
    const { diagnostics } = loadTexts(`${TIMEOUTS}${kind}\n  bind :1\n  ${row.name} x\n`);
    const said = diagnostics.list.filter(({ span }) => span.source.positionOf(span.start).line === 7);
    assert.deepEqual(
      said.map(({ severity, code, span }) => [`${severity} ${code}`, span.source.text.slice(span.start, span.end)]),
      [[EXPECTED[row.support], row.name]],
    );
  }
  for (const row of KEYWORDS.global.rows.values()) {
    if (row.support === "supported" || row.support === "translated") continue;
    const name = row.name.split(" ")[0] ?? "";
    const { diagnostics } = loadTexts(`global\n  ${row.name}\n`);
    const said = diagnostics.list.filter(({ code }) => code !== "haproxy/no-listener");
    assert.deepEqual(
      said.map(({ severity, code, span }) => [`${severity} ${code}`, span.source.text.slice(span.start, span.end)]),
      [[EXPECTED[row.support], name]],
    );
  }
});

test("of a family of parameters only the first is reported", () => {
  const text = `${TIMEOUTS}listen l\n  bind :1 ssl crt /a.pem alpn h2 maxconn 5\n  server s 10.0.0.1:1 ssl verify none slowstart 5s\n`;
  assert.deepEqual(seriousOf(loadTexts(text)), [
    "6:11 error haproxy/not-implemented: ssl",
    "6:34 warning haproxy/not-implemented: maxconn",
    "7:23 error haproxy/not-implemented: ssl",
    "7:39 warning haproxy/not-implemented: slowstart",
  ]);
});
