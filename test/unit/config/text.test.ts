/** Sources, spans, diagnostics and suggestions: what all configuration languages stand on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Diagnostics, worst } from "../../../src/config/text/diagnostic.ts";
import { readSource } from "../../../src/config/text/read-source.ts";
import { diagnosticToJson, renderDiagnostic } from "../../../src/config/text/render.ts";
import { Source, type Span } from "../../../src/config/text/source.ts";
import { suggest } from "../../../src/config/text/suggest.ts";
import { memoryFiles } from "../../support/memory-files.ts";

const spanOf = (source: Source, part: string): Span => {
  const start = source.text.indexOf(part);
  return { source, start, end: start + part.length };
};
const render = (span: Span, message = "m", help?: string) => {
  const diagnostic = { severity: "warning" as const, code: "a/b", message, span };
  return renderDiagnostic(help === undefined ? diagnostic : { ...diagnostic, help }, { colour: false });
};

test("a position is its line and column from 1; the line end belongs to its line", () => {
  const source = new Source("f", "ab\r\n\ncd");
  const positions = [0, 1, 2, 3, 4, 5, 6, 7].map((offset) => source.positionOf(offset));
  assert.deepEqual(
    positions.map(({ line, column }) => `${line}:${column}`),
    ["1:1", "1:2", "1:3", "1:4", "2:1", "3:1", "3:2", "3:3"],
  );
});

test("a line is its text without its end", () => {
  const source = new Source("f", "ab\r\n\ncd");
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((line) => source.line(line)),
    ["", "ab", "", "cd", ""],
  );
  assert.equal(new Source("f", "a\n").line(2), "");
});

test("positions agree with counting line ends", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("a", "\n", "\r\n", "é")), fc.nat(60), (parts, at) => {
      const text = parts.join("");
      const offset = Math.min(at, text.length);
      const before = text.slice(0, offset).split("\n");
      assert.deepEqual(new Source("f", text).positionOf(offset), {
        line: before.length,
        column: (before.at(-1) ?? "").length + 1,
      });
    }),
  );
});

test("a diagnostic shows its place, its line, a caret and the cure", () => {
  const source = new Source("/etc/k.conf", "one\n\tpriority 256\n");
  assert.equal(
    render(spanOf(source, "256"), "number '256'", "Give less"),
    [
      "/etc/k.conf:2:11: warning[a/b]: number '256'",
      "    2 |  priority 256",
      "      |           ^^^",
      "      = Give less",
      "",
    ].join("\n"),
  );
});

test("a place at the end of the file still has a caret", () => {
  const source = new Source("f", "a {");
  assert.match(render({ source, start: 3, end: 3 }), /^f:1:4: [^\n]*\n {4}1 \| a \{\n {6}\| {4}\^\n$/);
});

test("a place in an empty line shows no line", () => {
  assert.equal(render({ source: new Source("f", ""), start: 0, end: 0 }), "f:1:1: warning[a/b]: m\n");
});

test("carets end with the line that is shown", () => {
  const source = new Source("f", "abc\ndef\n");
  assert.match(render({ source, start: 1, end: 7 }), /\n {6}\| {2}\^\^\n$/);
});

test("of a long line the part around the place is shown", () => {
  const source = new Source("f", `${"x".repeat(500)}HERE${"y".repeat(1_000_000)}`);
  const [, line = "", carets = ""] = render(spanOf(source, "HERE")).split("\n");
  assert.equal(line.length, "    1 | ".length + 160);
  assert.equal(line.slice(carets.indexOf("^"), carets.lastIndexOf("^") + 1), "HERE");
});

test("line numbers of six digits keep the caret in place", () => {
  const source = new Source("f", `${"\n".repeat(123_455)}abc`);
  const [, line = "", carets = ""] = render(spanOf(source, "b")).split("\n");
  assert.equal(line[carets.indexOf("^")], "b");
});

test("nothing that steers a terminal or the direction of writing is printed", () => {
  const nasty = "\x1b[31m\u202e\u2066\u200f\x9b\x00";
  const source = new Source(`f${nasty}`, `a ${nasty}`);
  const text = render({ source, start: 0, end: 1 }, `m ${nasty}`, `h ${nasty}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200f\u202e\u2066]/);
});

test("colours surround the severity and the carets", () => {
  const source = new Source("f", "a");
  const text = renderDiagnostic(
    { severity: "error", code: "c", message: "m", span: { source, start: 0, end: 1 } },
    { colour: true },
  );
  assert.ok(text.includes("\x1b[1;31merror[c]\x1b[0m: m") && text.includes("\x1b[1;31m^\x1b[0m"));
});

test("JSON has columns from 1, and a help only when there is one", () => {
  const span = spanOf(new Source("f", "ab cd"), "cd");
  const expected = { severity: "note", code: "c", file: "f", line: 1, column: 4, endColumn: 6, message: "m" };
  assert.deepEqual(diagnosticToJson({ severity: "note", code: "c", message: "m", span }), expected);
  assert.deepEqual(diagnosticToJson({ severity: "note", code: "c", message: "m", span, help: "h" }), {
    ...expected,
    help: "h",
  });
});

test("past the limit diagnostics are only counted, and errors have a limit of their own", () => {
  const span = spanOf(new Source("f", "a"), "a");
  const diagnostics = new Diagnostics(2);
  for (const severity of ["warning", "note", "note", "error", "warning", "error", "error"] as const)
    diagnostics.add(severity, severity, span, "m");
  assert.deepEqual(
    diagnostics.list.map((one) => one.code),
    ["warning", "note", "error", "error"],
  );
  assert.equal(diagnostics.dropped, 3);
});

test("the worst of diagnostics is an error, then a warning; notes do not count", () => {
  const span = spanOf(new Source("f", "a"), "a");
  const of = (...severities: ("error" | "warning" | "note")[]) =>
    worst(severities.map((severity) => ({ severity, code: "c", message: "m", span })));
  assert.deepEqual(
    [of(), of("note"), of("note", "warning"), of("warning", "error")],
    [undefined, undefined, "warning", "error"],
  );
});

test("the nearest word within a third of its length is suggested", () => {
  const words = ["priority", "interface", "state", "nopreempt", "a"];
  assert.equal(suggest("prioirty", words), "priority");
  assert.equal(suggest("interfce", words), "interface");
  assert.equal(suggest("sttae", words), "state");
  assert.equal(suggest("preempt", words), "nopreempt");
  assert.equal(suggest("something", words), undefined);
  assert.equal(suggest("", words), undefined);
  assert.equal(suggest("x".repeat(65), ["x".repeat(65)]), undefined);
});

const read = (bytes: Uint8Array | string) => {
  const diagnostics = new Diagnostics();
  const source = readSource("/f", memoryFiles({ "/f": bytes }), diagnostics, () => assert.fail());
  return { text: source?.text, codes: diagnostics.list.map((one) => `${one.severity} ${one.code}`) };
};

test("a file is UTF-8, with or without its mark", () => {
  assert.deepEqual(read("é\n"), { text: "é\n", codes: [] });
  assert.deepEqual(read("\ufeffé"), { text: "é", codes: [] });
});

test("what is not UTF-8 is replaced and noted once", () => {
  const latin1 = Uint8Array.from(`# Gr\xfc\xdfe ${"x".repeat(50)}\n`, (character) => character.charCodeAt(0));
  assert.deepEqual(read(latin1), { text: `# Gr\ufffd\ufffde ${"x".repeat(50)}\n`, codes: ["note config/not-utf8"] });
});

test("a file with a NUL byte or mostly control characters is no text", () => {
  assert.deepEqual(read("a\0b"), { text: undefined, codes: ["error config/binary"] });
  assert.deepEqual(read(Uint8Array.from({ length: 400 }, (_, i) => 1 + ((i * 37) % 255))), {
    text: undefined,
    codes: ["error config/binary"],
  });
  assert.deepEqual(read(""), { text: "", codes: [] });
});

test("a file of more than 32 MiB is not read", () => {
  assert.deepEqual(read(new Uint8Array(32 * 1024 * 1024 + 1).fill(10)), {
    text: undefined,
    codes: ["error config/too-large"],
  });
});

test("a file that cannot be read gives the reason", () => {
  let reason = "";
  const source = readSource("/none", memoryFiles({}), new Diagnostics(), (why) => {
    reason = why;
  });
  assert.deepEqual([source, reason], [undefined, "ENOENT"]);
});
