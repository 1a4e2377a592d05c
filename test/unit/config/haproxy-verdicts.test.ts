/** Small configurations with HAProxy 2.6.12's verdict and ours: test/fixtures/haproxy-config/verdicts.md. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadTexts } from "../../support/haproxy-text.ts";
import { peerPath } from "../../support/peers.ts";

const FIXTURES = new URL("../../fixtures/haproxy-config/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, FIXTURES), "utf8");
const common = read("common.cfg");
const files = { "/503.http": read("503.http"), "/empty.http": read("empty.http"), "/common.cfg": common };

interface Case {
  readonly name: string;
  readonly haproxy: string;
  readonly evenkeel: string;
  readonly codes: readonly string[];
  readonly alone: boolean;
  readonly differs: boolean;
  readonly text: string;
}

function casesOf(document: string): Case[] {
  return document
    .split(/^### /m)
    .slice(1)
    .map((part) => {
      const match =
        /^(.*)\n\nHAProxy: (\w+)\. evenkeel: (\w+)(?: \(([^)]*)\))?(, alone)?\.( Differs: .+\.)?\n\n```haproxy\n([\s\S]*)```/.exec(
          part,
        );
      assert.ok(match !== null, `case cannot be read: ${part.slice(0, 200)}`);
      const [, name = "", haproxy = "", evenkeel = "", codes = "", alone, differs, text = ""] = match;
      return {
        name,
        haproxy,
        evenkeel,
        codes: codes === "" ? [] : codes.split(", ").map((code) => code.replaceAll("`", "")),
        alone: alone !== undefined,
        differs: differs !== undefined,
        text: text.replaceAll("␍", "\r").replace(/␄\n$/, ""),
      };
    });
}

const cases = casesOf(read("verdicts.md"));

test("there are verdicts on more than a hundred configurations", () => assert.ok(cases.length > 100));

for (const { name, haproxy, evenkeel, codes, alone, differs, text } of cases) {
  test(`${name}: ${evenkeel}`, () => {
    const { diagnostics, model } = loadTexts(alone ? text : [common, text], { files });
    const serious = diagnostics.list.filter(({ severity }) => severity !== "note");
    const verdict = diagnostics.errors > 0 ? "error" : serious.length > 0 ? "warning" : "ok";
    assert.equal(verdict, evenkeel);
    assert.deepEqual([...new Set(serious.map(({ code }) => code))], codes);
    assert.equal(model === undefined, verdict === "error");
    assert.equal(evenkeel !== haproxy, differs, "a case gives a reason when it differs, and only then");
  });
}

test("HAProxy 2.6 itself gives the verdicts that are written down for it", (t) => {
  const haproxy = peerPath("haproxy");
  const version = spawnSync(haproxy, ["-v"], { encoding: "utf8" }).stdout;
  if (!version.includes("version 2.6.")) {
    t.skip(`this is ${version.split("\n", 1)[0]}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "verdicts-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [path, content] of Object.entries(files)) writeFileSync(join(folder, path), content);
  const said = cases.map(({ name, alone, text }) => {
    writeFileSync(join(folder, "case.cfg"), text);
    const args = ["-c", ...(alone ? [] : ["-f", "common.cfg"]), "-f", "case.cfg"];
    const { status, stderr } = spawnSync(haproxy, args, { encoding: "utf8", cwd: folder, env: {} });
    return [name, status !== 0 ? "error" : stderr.includes("[WARNING]") ? "warning" : "ok"];
  });
  assert.deepEqual(
    said,
    cases.map(({ name, haproxy }) => [name, haproxy]),
  );
});
