/** What evenkeel's commands print and exit with, and docs/reference/cli.md against `--help`, both ways. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hostNames } from "../../src/cli/explain.ts";
import { evenkeel } from "../support/proxy-daemon.ts";

const HAPROXY =
  "defaults\n  mode http\n  timeout client 1s\n  timeout connect 1s\n  timeout server 1s\nfrontend f\n  bind 127.0.0.1:9\n";

interface Help {
  readonly options: string[];
  readonly arguments: string[];
  readonly commands: string[];
}

async function helpOf(...command: string[]): Promise<Help> {
  const { status, stdout } = await evenkeel(...command, "--help");
  assert.equal(status, 0);
  const part = (title: string) => new RegExp(`^${title}:\\n((?:  .*\\n?)+)`, "m").exec(stdout)?.[1] ?? "";
  const terms = (text: string) => [...text.matchAll(/^ {2}(\S.*?)(?: {2,}.*)?$/gm)].map((match) => match[1] ?? "");
  const usage = /^Usage: .*$/m.exec(stdout)?.[0] ?? "";
  return {
    options: terms(part("Options")).filter((one) => one !== "-h, --help"),
    arguments: [...usage.matchAll(/<[^>]+>|\[(?!options|command)[^\]]+\]/g)].map(([word]) => word),
    commands: terms(part("Commands"))
      .map((one) => one.split(" ")[0] ?? "")
      .filter((name) => name !== "help"),
  };
}

/** Heading → options in the table below it. */
function documented(): Map<string, string[]> {
  const text = readFileSync(new URL("../../docs/reference/cli.md", import.meta.url), "utf8");
  const sections = new Map<string, string[]>();
  for (const section of text.split(/^## /m).slice(1)) {
    const heading = /^`([^`]+)`/.exec(section)?.[1];
    if (heading === undefined) continue;
    sections.set(
      heading,
      [...section.matchAll(/^\| `(-[^`]+)` \|/gm)].map((match) => match[1] ?? ""),
    );
  }
  return sections;
}

test("cli.md has every command, argument and option that --help has, and no others", async () => {
  const pages = new Map<string, Help>([["evenkeel", await helpOf()]]);
  for (const name of pages.get("evenkeel")?.commands ?? []) {
    const help = await helpOf(name);
    if (help.commands.length === 0) pages.set(`evenkeel ${name}`, help);
    for (const sub of help.commands) pages.set(`evenkeel ${name} ${sub}`, await helpOf(name, sub));
  }
  const sections = documented();
  const headings = [...pages].map(([name, help]) => [name, ...help.arguments].join(" "));
  assert.deepEqual([...sections.keys()].toSorted(), headings.toSorted());
  for (const [name, help] of pages) {
    const heading = [name, ...help.arguments].join(" ");
    assert.deepEqual(sections.get(heading)?.toSorted(), help.options.toSorted(), heading);
  }
});

test("check counts in words that fit, and exits with 0, 1 or 2", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "check-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "haproxy.cfg");
  const check = async (text: string) => {
    writeFileSync(file, text);
    const { status, stdout } = await evenkeel("check", file);
    return [status, stdout.trim().split("\n").at(-1)];
  };
  const backend = "  default_backend b\nbackend b\n";
  assert.deepEqual(await check(HAPROXY + backend), [
    0,
    `${file}: 1 frontend, 1 backend; 0 errors, 0 warnings, 0 notes`,
  ]);
  const [status, line] = await check(`${HAPROXY + backend}backend c\n  compression algo gzip\n`);
  assert.equal(status, 1);
  assert.equal(line, `${file}: 1 frontend, 2 backends; 0 errors, 1 warning, 0 notes`);
  assert.deepEqual(
    await check(`${HAPROXY}  default_backend nosuch\n`).then(([code, text]) => [code, /1 error,/.test(String(text))]),
    [2, true],
  );
});

test("check --json is one document of a stable shape", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "check-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "missing.cfg");
  const { status, stdout } = await evenkeel("check", "--json", file);
  assert.equal(status, 2);
  assert.deepEqual(JSON.parse(stdout), {
    exit: 2,
    files: [file],
    dropped: 0,
    diagnostics: [
      {
        severity: "error",
        code: "config/unreadable",
        file,
        line: 1,
        column: 1,
        endColumn: 2,
        message: "File cannot be read: no such file",
      },
    ],
  });
  const quiet = await evenkeel("check", "--quiet", file);
  assert.deepEqual(quiet, { status: 2, stdout: "", stderr: "" });
});

test("a file that is named twice is read once", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "check-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "haproxy.cfg");
  writeFileSync(file, `${HAPROXY}  default_backend b\nbackend b\n`);
  const { status, stdout } = await evenkeel("check", file, join(folder, ".", "haproxy.cfg"));
  assert.deepEqual([status, stdout], [0, `${file}: 1 frontend, 1 backend; 0 errors, 0 warnings, 0 notes\n`]);
});

test("wrong usage is 2, with the message on standard error", async () => {
  for (const argv of [["run"], ["run", "-f"], ["check"], ["nosuch"], ["status", "--nosuch"], ["lab", "nosuch"]]) {
    const { status, stdout, stderr } = await evenkeel(...argv);
    assert.equal(status, 2, argv.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, /^error: /);
  }
});

test("explain says who holds an address, who would after which failure, and when it is over", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "explain-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const files = ["a", "b"].map((name) => {
    const file = join(folder, `${name}.conf`);
    const body = "interface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\n10.0.0.100/24\n}\ntrack_script {\nchk\n}";
    const script = "vrrp_script chk {\nscript /bin/true\nfall 2\ninterval 2\n}";
    writeFileSync(file, `${script}\nvrrp_instance VI_1 {\n${body}\npriority ${name === "a" ? 101 : 100}\n}\n`);
    return file;
  });
  const { status, stdout } = await evenkeel("explain", ...files);
  assert.equal(status, 0);
  assert.deepEqual(stdout.split("\n"), [
    "VIP         INSTANCE  HELD BY",
    "10.0.0.100  VI_1      a",
    "",
    "FAILURE                      VIP         MOVES          AFTER   NOBODY  WHEN IT IS REPAIRED",
    "a: script chk fails          10.0.0.100  a → b          4.62 s  0.61 s  back to a",
    "a: interface eth0 goes down  10.0.0.100  a → b          3.61 s  3.61 s  back to a",
    "a stops                      10.0.0.100  a → b          0.61 s  0.00 s  back to a",
    "a dies                       10.0.0.100  a → b          3.61 s  3.61 s  back to a",
    ...["script chk fails", "interface eth0 goes down"].map((what) => `b: ${what}`.padEnd(41).concat("nothing moves")),
    ...["b stops", "b dies"].map((what) => what.padEnd(41).concat("nothing moves")),
    "",
  ]);
  const json = await evenkeel("explain", "--json", "--fail", "a dies", ...files);
  const [outcome] = JSON.parse(json.stdout).outcomes;
  assert.deepEqual([outcome.moves[0].from, outcome.moves[0].to], [["a"], ["b"]]);
  assert.match(outcome.steps[0].cause, /^no advert for 3\.61 s, last from a with priority 101$/);
  const wrong = await evenkeel("explain", "--fail", "a: script x", ...files);
  assert.equal(wrong.status, 2);
  assert.equal(wrong.stderr, 'evenkeel: "a: script x": a has script chk, interface eth0, stops, dies\n');
});

test("explain calls hosts by their folders when all files are called alike", () => {
  assert.deepEqual(hostNames(["/x/a.conf", "/y/b.conf"]), ["a", "b"]);
  assert.deepEqual(hostNames(["/x/keepalived.conf", "/y/keepalived.conf"]), ["x", "y"]);
  assert.deepEqual(hostNames(["/x/keepalived.conf", "/y/x/keepalived.conf"]), ["host1", "host2"]);
});
