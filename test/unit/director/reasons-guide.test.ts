/** docs/guides/layer-4.md lists the reasons that the data plane counts, no more and no fewer, in their order. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), "utf8");

test("each reason of enum ek_reason has a row in the guide, and each row is a reason", () => {
  const body = /^enum ek_reason \{\n(.*?)^\};/ms.exec(read("bpf/structs.h"))?.[1] ?? "";
  const counted = [...body.matchAll(/^\tEK_REASON_(\w+),/gm)].map(([, name = ""]) => name.toLowerCase());
  const table = /^\| Reason \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(read("docs/guides/layer-4.md"))?.[1] ?? "";
  const rows = [...table.matchAll(/^\| `(\w+)` \| \S.* \|$/gm)].map(([, name = ""]) => name);
  assert.equal(table.trimEnd().split("\n").length, rows.length, "a row is malformed");
  assert.ok(counted.length > 20, `only ${counted.length} reasons were found in structs.h`);
  assert.deepEqual(rows, counted);
});
