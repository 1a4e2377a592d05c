import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { expectedLines, runCase } from "../../support/vrrp-case-run.ts";
import { visible } from "../../support/vrrp-case-seen.ts";
import { casesOf, readCases } from "../../support/vrrp-cases.ts";

const cases = readCases(new URL("../../conformance/vrrp/", import.meta.url));

const titles = cases.map((one) => `${one.file.replace(/\.md$/, "")}: ${one.title}`);
const rules = [
  ...(readFileSync(new URL("../../conformance/vrrp/README.md", import.meta.url), "utf8")
    .split("## Rules")
    .at(-1)
    ?.matchAll(/^\| ([^|]+) \| [^|]+ \| (.*) \|$/gm) ?? []),
].map(([, rule = "", list = ""]) => ({ rule, named: list.split("<br>").map((one) => one.replace(/^`(.*?)`/, "$1")) }));
/** Of the table: its own head. */
const named = rules.filter(({ rule }) => rule !== "Rule");

describe("VRRP cases", () => {
  it("are named by the table of rules, all of them, and no others", () => {
    assert.ok(named.length >= 50, `${named.length} rules`);
    for (const { rule, named: list } of named)
      for (const one of list) assert.ok(titles.includes(one), `${rule}: there is no case “${one}”`);
    const asked = new Set(named.flatMap((rule) => rule.named));
    assert.deepEqual(
      titles.filter((title) => !asked.has(title)),
      [],
    );
  });

  it("leave time between what is done to a real router and what its timers do", () => {
    for (const one of cases.filter(({ simulatedOnly }) => simulatedOnly === undefined)) {
      for (const { at } of one.happenings.filter((each) => each.at > 0)) {
        const near = visible(one).filter((each) => each.at !== at && Math.abs(each.at - at) < 200);
        // A skew of an owner is what it does about it.
        const others = near.filter((each) => each.at < at || each.at - at > 20);
        assert.deepEqual(others, [], `${one.file}: ${one.title} at ${at} ms`);
      }
    }
  });

  it("have each its own title in their file", () => {
    assert.ok(cases.length >= 20, `${cases.length} cases`);
    assert.equal(new Set(cases.map((one) => `${one.file} ${one.title}`)).size, cases.length);
  });

  it("are refused when they cannot be read", () => {
    const one = (timeline: string) =>
      casesOf("x.md", `## T\n\`\`\`keepalived\n\`\`\`\n\`\`\`timeline\n${timeline}\n\`\`\`\n`);
    for (const timeline of [
      "0 * script s sings\n1 end",
      "0 * jump\n1 end",
      "1 * start\n0 end",
      "0 < advert x\n1 end",
      "0 * start",
      "0 ? start",
    ])
      assert.throws(() => one(timeline), /x\.md: “T”/);
    assert.throws(
      () => casesOf("x.md", "## T\n- no remark: x\n```keepalived\n```\n```timeline\n0 end\n```\n"),
      /no such remark/,
    );
    assert.deepEqual(one("0 > advert 1 every 0.5 until 1.2\n2 end")[0]?.expected, [
      { at: 0, what: "advert 1" },
      { at: 500, what: "advert 1" },
      { at: 1_000, what: "advert 1" },
    ]);
  });
});

for (const file of new Set(cases.map((one) => one.file))) {
  describe(`VRRP cases of ${file}`, () => {
    for (const one of cases.filter((each) => each.file === file)) {
      it(one.title, () => assert.deepEqual(runCase(one), expectedLines(one)));
    }
  });
}
