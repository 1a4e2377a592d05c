/** `npm run check` finds what it says that it finds, and no step of it is content with having looked at nothing. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("../..", import.meta.url));
const settings = [
  ".gitignore",
  ".dependency-cruiser.mjs",
  "biome.json",
  "knip.json",
  "package.json",
  "tsconfig.json",
  "scripts/no-random.grit",
];

/** The smallest house in which nothing is wrong: every line of the settings has something to say about it. */
const clean: Record<string, string> = {
  "bin/evenkeel": "#!/bin/sh\n",
  "src/base/number.ts": "export const one = 1;\n",
  "src/wire/packet.ts": 'import { one } from "../base/number.ts";\n\nexport const two = one + one;\n',
  "src/cli/main.ts":
    'import { program } from "commander";\nimport { two } from "../wire/packet.ts";\n\nprogram.name(String(two));\n',
  "src/daemon/vrrp/main.ts": 'import { two } from "../../wire/packet.ts";\n\nprocess.exitCode = two;\n',
  "src/daemon/director/main.ts": 'import { createTransport } from "nodemailer";\n\ncreateTransport({});\n',
  "src/lab/watch-main.ts": 'import { parse } from "yaml";\n\nparse("a: 1");\n',
  "scripts/look.ts": "process.exitCode = 0;\n",
  "bench/measure.ts": "process.exitCode = 0;\n",
  "test/unit/number.test.ts": 'import fc from "fast-check";\n\nfc.assert(fc.property(fc.nat(), (n) => n >= 0));\n',
};

/** Makes a house of these files with the project's settings; returns its folder. */
function house(t: TestContext, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "check-"));
  t.after(() => rmSync(folder, { recursive: true }));
  symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
  for (const file of settings) cpSync(join(project, file), join(folder, file));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

function check(folder: string, ...steps: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(join(project, "scripts/check"), steps, {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

/** Changes one of the settings in a house. The text must be there, so that a test cannot come to change nothing. */
function change(folder: string, file: string, from: string | RegExp, to: string): void {
  const text = readFileSync(join(folder, file), "utf8");
  const changed = text.replace(from, to);
  assert.notEqual(changed, text, `${file} has no ${from}`);
  writeFileSync(join(folder, file), changed);
}

test("a house in which nothing is wrong passes every step", (t) => {
  const { status, output } = check(house(t, clean));
  assert.equal(status, 0, output);
  assert.equal(output.match(/^✔/gm)?.length, 4, output);
});

test("an empty house fails every step", (t) => {
  const { status, output } = check(house(t, {}));
  assert.equal(status, 1);
  assert.equal(output.match(/that proves nothing\n✖/g)?.length, 4, output);
});

test("the format step finds bad format, lint, cycles and what pure folders may not name", (t) => {
  const ambient = "export const ambient = [Math.random(), Date, setTimeout, process, console, Buffer, performance];\n";
  const folder = house(t, {
    ...clean,
    "src/base/unformatted.ts": "export const a=1\n",
    "src/base/lint.ts": "export const first = (list: string[]) => list[0]!;\n",
    "src/base/egg.ts": 'import { hen } from "./hen.ts";\n\nexport const egg = () => hen;\n',
    "src/base/hen.ts": 'import { egg } from "./egg.ts";\n\nexport const hen = () => egg;\n',
    "src/wire/ambient.ts": ambient,
    "src/daemon/ambient.ts": ambient,
  });
  const { status, output } = check(folder, "format");
  assert.equal(status, 1);
  assert.match(output, /src\/base\/unformatted\.ts format/);
  assert.match(output, /src\/base\/lint\.ts\S* lint\/style\/noNonNullAssertion/);
  assert.match(output, /src\/base\/egg\.ts\S* lint\/suspicious\/noImportCycles/);
  assert.match(output, /src\/wire\/ambient\.ts\S* plugin/);
  const banned = [...output.matchAll(/Do not use the global variable (\w+)/g)].map(([, name]) => name);
  assert.deepEqual(banned.sort(), ["Buffer", "Date", "console", "performance", "process", "setTimeout"]);
  assert.doesNotMatch(output, /src\/daemon\/ambient/);
});

test("the types step finds what does not fit", (t) => {
  const { status, output } = check(
    house(t, { ...clean, "src/base/wrong.ts": 'export const n: number = "";\n' }),
    "types",
  );
  assert.equal(status, 1);
  assert.match(output, /src\/base\/wrong\.ts\(1,14\): error TS2322/);
});

test("the imports step finds every forbidden direction", (t) => {
  const importing = (target: string) => `import "${target}";\n`;
  const planted: [rule: string, from: string, target: string][] = [
    ["base-imports", "src/base/a.ts", "../wire/packet.ts"],
    ["wire-imports", "src/wire/a.ts", "node:fs"],
    ["http-imports", "src/http/a.ts", "../wire/packet.ts"],
    ["config-imports", "src/config/a.ts", "yaml"],
    ["vrrp-imports", "src/vrrp/a.ts", "../sys/netlink.ts"],
    ["proxy-imports", "src/proxy/a.ts", "../sys/netlink.ts"],
    ["daemon-imports", "src/daemon/a.ts", "../cli/main.ts"],
    ["only-sys-loads-the-addon", "src/daemon/b.ts", "node:module"],
    ["sys-imports", "src/sys/netlink.ts", "../daemon/a.ts"],
    ["room-without-a-line", "src/utils/a.ts", "../base/number.ts"],
    ["base-imports", "src/base/b.ts", "../utils/a.ts"],
    ["resolvable", "src/wire/b.ts", "./nowhere.ts"],
  ];
  const files = Object.fromEntries(planted.map(([, from, target]) => [from, importing(target)]));
  const { status, output } = check(house(t, { ...clean, ...files }), "imports");
  assert.equal(status, 1);
  for (const [rule, from] of planted) assert.match(output, new RegExp(`^${rule}: ${from} imports`, "m"));
  assert.doesNotMatch(output, /src\/(cli|lab)\/.* imports/);
});

test("the imports step sees imports of types", (t) => {
  const files = { "src/base/a.ts": 'import type { two } from "../wire/packet.ts";\n\nexport type Two = typeof two;\n' };
  const { status, output } = check(house(t, { ...clean, ...files }), "imports");
  assert.equal(status, 1);
  assert.match(output, /^base-imports: src\/base\/a\.ts imports src\/wire\/packet\.ts$/m);
});

test("the dead code step finds unused files, exports and packages", (t) => {
  const folder = house(t, { ...clean, "src/base/dead.ts": "export const dead = 1;\n" });
  change(folder, "src/base/number.ts", /$/, "export const three = 3;\n");
  change(folder, "src/lab/watch-main.ts", /^.*$/s, "process.exitCode = 0;\n");
  const { status, output } = check(folder, "dead-code");
  assert.equal(status, 1);
  assert.match(output, /^src\/base\/dead\.ts unused file$/m);
  assert.match(output, /^src\/base\/number\.ts:2 unused exports: three$/m);
  assert.match(output, /^package\.json:\d+ unused dependencies: yaml$/m);
});

// What makes each tool blind without making it fail by itself.
const blinding: [step: string, file: string, from: string | RegExp, to: string][] = [
  ["format", "biome.json", '"!test/fixtures"', '"!src"'],
  ["types", "tsconfig.json", /"include": \[.*\]/, '"include": ["src/base"]'],
  ["imports", ".dependency-cruiser.mjs", "doNotFollow:", 'exclude: "^src/wire", doNotFollow:'],
  ["dead-code", "knip.json", /"project": \[.*\]/, '"project": ["src/cli/**"]'],
];
for (const [step, file, from, to] of blinding) {
  test(`the ${step} step fails when its tool overlooks files`, (t) => {
    const folder = house(t, clean);
    change(folder, file, from, to);
    const { status, output } = check(folder, step);
    assert.equal(status, 1, output);
    assert.match(output, /looked at \d+ files of \d+: that proves nothing/);
  });
}
