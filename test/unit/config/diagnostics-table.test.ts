/** docs/reference/diagnostics.md lists the codes that the source can give, no more and no fewer. */

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../../..");

function codesInSource(): Set<string> {
  const codes = new Set<string>();
  for (const path of globSync("src/config/**/*.ts", { cwd: ROOT })) {
    const text = readFileSync(join(ROOT, path), "utf8");
    for (const [, code = ""] of text.matchAll(/"((?:config|keepalived|haproxy)\/[a-z0-9-]+)"/g)) codes.add(code);
  }
  return codes;
}

test("every code has a row, sorted within its section, and every row a code", () => {
  const page = readFileSync(join(ROOT, "docs/reference/diagnostics.md"), "utf8");
  const rows = [
    ...page.matchAll(
      /^\| `([a-z0-9]+\/[a-z0-9-]+)` \| ((?:error|warning|note)(?:, (?:error|warning|note))*) \| \S.* \|$/gm,
    ),
  ];
  const listed = rows.map(([, code = ""]) => code);
  const codes = codesInSource();
  assert.ok(codes.size > 80, `only ${codes.size} codes were found in the source`);
  assert.deepEqual([...codes].sort(), [...listed].sort());
  assert.equal(page.match(/^\| `/gm)?.length, listed.length, "a row is malformed");
  for (const language of ["config", "keepalived", "haproxy"]) {
    const section = listed.filter((code) => code.startsWith(`${language}/`));
    assert.deepEqual(section, section.toSorted());
  }
});
