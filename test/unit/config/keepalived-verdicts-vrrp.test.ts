/** VRRP configurations with keepalived 2.2.7's verdict, words and understanding, and ours: verdicts-vrrp.md. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { instancesInDump } from "../../support/keepalived-vrrp-dump.ts";
import { type VrrpVerdict, verdictOf, verdictsIn } from "../../support/vrrp-verdicts.ts";

const page = new URL("../../fixtures/keepalived/verdicts-vrrp.md", import.meta.url);
const cases = verdictsIn(readFileSync(page, "utf8"));

test("there are verdicts on hundreds of VRRP configurations, most of them without a difference", () => {
  assert.ok(cases.length > 250);
  assert.ok(cases.filter(({ dump }) => dump.length > 0).length > 220);
  assert.ok(cases.filter(({ differs }) => differs === undefined).length > 180);
});

/** Without quotes, full stops and zeros at the end of a fraction. */
const plain = (text: string): string =>
  text
    .replace(/['"]/g, "")
    .replace(/(\d+\.\d*?)0+(?=\D|$)/g, "$1")
    .replace(/\.(?=\D|$)/g, "")
    .trim();

/** keepalived often says two things of one line: one of them is enough. */
function covers(said: VrrpVerdict["said"], messages: readonly string[]): boolean {
  const ours = new Set(messages.map(plain));
  const byLine = new Map<string, string[]>();
  for (const [index, line] of said.entries()) {
    const [, at = `no line ${index}`, text = ""] = /^(?:\(Line (\d+)\) )?(.*)$/.exec(line) ?? [];
    byLine.set(at, [...(byLine.get(at) ?? []), plain(text)]);
  }
  return [...byLine.values()].every((texts) => texts.some((text) => ours.has(text)));
}

for (const { name, keepalived, evenkeel, codes, differs, text, said, dump } of cases) {
  test(`${name}: ${evenkeel}`, () => {
    const ours = verdictOf(text);
    assert.deepEqual([ours.evenkeel, ours.codes], [evenkeel, codes]);
    const understood = instancesInDump(ours.vrrp);
    if (differs === undefined && dump.length > 0) assert.deepEqual(understood, dump);
    const sameDump = dump.length === 0 || understood.join("\n") === dump.join("\n");
    const same = evenkeel === keepalived && sameDump && covers(said, ours.messages);
    assert.equal(differs !== undefined, !same, "a case gives a reason when it differs, and only then");
  });
}
