/** The guide's table of findings against the program's, both ways. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FINDING_CODES } from "../../../src/vrrp/neighbourhood/findings.ts";

test("the guide explains every finding, and no others", () => {
  const guide = readFileSync(new URL("../../../docs/guides/troubleshooting-vrrp.md", import.meta.url), "utf8");
  const [, table = ""] = guide.split("## Findings");
  const explained = [...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code);
  assert.deepEqual(explained.toSorted(), [...FINDING_CODES].toSorted());
});
