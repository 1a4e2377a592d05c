import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { expectedLines, runCase } from "../../support/vrrp-case-run.ts";
import { casesOf, readCases } from "../../support/vrrp-cases.ts";

const cases = readCases(new URL("../../conformance/vrrp/", import.meta.url));

describe("VRRP cases", () => {
  it("have each its own title in their file", () => {
    assert.ok(cases.length >= 20, `${cases.length} cases`);
    assert.equal(new Set(cases.map((one) => `${one.file} ${one.title}`)).size, cases.length);
  });

  it("are refused when they cannot be read", () => {
    const one = (timeline: string) =>
      casesOf("x.md", `## T\n\`\`\`keepalived\n\`\`\`\n\`\`\`timeline\n${timeline}\n\`\`\`\n`);
    for (const timeline of ["0 * jump\n1 end", "1 * start\n0 end", "0 < advert x\n1 end", "0 * start", "0 ? start"])
      assert.throws(() => one(timeline), /x\.md: “T”/);
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
