/** Virtual servers with keepalived 2.2.7's verdict, what it understood, and ours: test/fixtures/keepalived/verdicts-lvs.md. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { load } from "../../../src/config/load.ts";
import { dumpOf } from "../../support/keepalived-dump.ts";
import { memoryEnvironment } from "../../support/memory-files.ts";
import { peerPath } from "../../support/peers.ts";

interface Case {
  readonly name: string;
  readonly keepalived: string;
  readonly evenkeel: string;
  readonly codes: readonly string[];
  readonly differs: boolean;
  readonly text: string;
  readonly dump: readonly string[] | undefined;
}

function casesOf(document: string): Case[] {
  return document
    .split(/^### /m)
    .slice(1)
    .map((part) => {
      const match =
        /^(.*)\n\nkeepalived: (\w+)\. evenkeel: (\w+)(?: \(([^)]*)\))?\.( Differs: .+\.)?\n\n```keepalived\n([\s\S]*?)```\n(?:\n```dump\n([\s\S]*?)```\n)?\n?$/.exec(
          part,
        );
      assert.ok(match !== null, `case cannot be read: ${part.slice(0, 200)}`);
      const [, name = "", keepalived = "", evenkeel = "", codes = "", differs, text = "", dump] = match;
      return {
        name,
        keepalived,
        evenkeel,
        codes: codes === "" ? [] : codes.split(", ").map((code) => `keepalived/${code.replaceAll("`", "")}`),
        differs: differs !== undefined,
        text,
        dump: dump?.split("\n").slice(0, -1),
      };
    });
}

const cases = casesOf(readFileSync(new URL("../../fixtures/keepalived/verdicts-lvs.md", import.meta.url), "utf8"));

test("there are verdicts on hundreds of configurations, and what keepalived understood of most", () => {
  assert.ok(cases.length > 300);
  assert.ok(cases.filter(({ dump }) => dump !== undefined && dump.length > 0).length > 200);
});

for (const { name, keepalived, evenkeel, codes, differs, text, dump } of cases) {
  test(`${name}: ${evenkeel}`, () => {
    const { configuration, diagnostics } = load(["/k"], memoryEnvironment({ "/k": text }));
    const serious = diagnostics.filter(({ severity }) => severity !== "note");
    const isError = serious.some(({ severity }) => severity === "error");
    const verdict = isError ? "error" : serious.length > 0 ? "warning" : "ok";
    assert.equal(verdict, evenkeel);
    assert.deepEqual([...new Set(serious.map(({ code }) => code))], codes);
    const understood = dumpOf(configuration.director);
    if (!differs && dump !== undefined) assert.deepEqual(understood, dump);
    const same = verdict === keepalived && (dump === undefined || understood.join("\n") === dump.join("\n"));
    assert.equal(differs, !same, "a case gives a reason when it differs, and only then");
  });
}

test("keepalived 2.2.7 itself gives the verdicts that are written down for it", (t) => {
  const keepalived = peerPath("keepalived");
  const version = spawnSync(keepalived, ["--version"], { encoding: "utf8" }).stderr;
  if (!version.includes("v2.2.7 ")) {
    t.skip(`this is ${version.split("\n", 1)[0]}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "verdicts-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "case.conf");
  const words: Readonly<Record<string, string>> = { 0: "ok", 6: "ok", 5: "warning", 2: "error" };
  const said = cases.map(({ name, text }) => {
    writeFileSync(path, text);
    const { status } = spawnSync(keepalived, ["-t", "-f", path], { cwd: folder });
    return [name, words[String(status)] ?? "crash"];
  });
  assert.deepEqual(
    said,
    cases.map(({ name, keepalived }) => [name, keepalived]),
  );
});
