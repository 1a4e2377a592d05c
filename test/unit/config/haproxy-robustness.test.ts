/** No haproxy.cfg, however made, throws, hangs or grows the process: it ends with diagnostics, and not too many of them. */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are HAProxy's
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { LoadedHaproxy } from "../../../src/config/haproxy/load.ts";
import { renderDiagnostic } from "../../../src/config/text/render.ts";
import { loadTexts } from "../../support/haproxy-text.ts";

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/haproxy-config/${name}`, import.meta.url), "utf8");
const samples = [
  fixture("s5.cfg"),
  ...[...fixture("verdicts.md").matchAll(/```haproxy\n([\s\S]*?)```/g)].map((one) => one[1] ?? ""),
];

function judge(text: string, environment: Record<string, string> = {}): LoadedHaproxy {
  const loaded = loadTexts(text, { environment });
  const { diagnostics, model } = loaded;
  // Errors, and everything else: each has the limit for itself.
  assert.ok(diagnostics.list.length <= 2 * diagnostics.limit);
  for (const { span, message } of diagnostics.list) {
    assert.ok(span.start >= 0 && span.start <= span.end && span.end <= span.source.text.length, message);
    assert.ok(message.length < 1_000, "a message stays readable");
  }
  for (const one of diagnostics.list.slice(0, 20)) renderDiagnostic(one, { colour: true });
  assert.equal(model === undefined, diagnostics.errors > 0);
  return loaded;
}

const codes = ({ diagnostics }: LoadedHaproxy): string[] =>
  [...new Set(diagnostics.list.map(({ code }) => code))].sort();

test("random bytes end in diagnostics", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const text = new TextDecoder().decode(bytes);
      judge(text);
      judge(`listen l\n${text}`);
    }),
  );
});

test("random words of the language end in diagnostics", () => {
  const keywords =
    "global defaults frontend backend listen from server bind timeout option no default cookie stats log";
  const words = fc.constantFrom(
    ...`${keywords} client httplog httpchk s 10.0.0.1:80 :1-9 check inter 3s 0 -1 ssl if .if .elif .else .endif streq(a,b)`.split(
      " ",
    ),
    ...["\n", "\n", "\n  ", '"', "'", "\\", "#", '"$A"', '"${A-', '"${L[*]}"', "\r", "\0", "\t"],
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 60 }), (list) => {
      judge(list.join(" "), { A: "x", L: "a b" });
    }),
  );
});

test("mutations of real configurations end in diagnostics", () => {
  const edit = fc.record({ at: fc.nat(), cut: fc.nat(12), put: fc.string({ maxLength: 6, unit: "binary" }) });
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.array(edit, { minLength: 1, maxLength: 5 }), (sample, edits) => {
      let text = sample;
      for (const { at, cut, put } of edits) {
        const start = at % (text.length + 1);
        text = text.slice(0, start) + put + text.slice(start + cut);
      }
      judge(text);
    }),
  );
});

test("a configuration that loads loads again from the same text", () => {
  for (const sample of samples) assert.deepEqual(loadTexts(sample).model, loadTexts(sample).model);
});

test("a line of ten million characters is one complaint", () => {
  assert.deepEqual(codes(judge(`global\n${"x".repeat(10_000_000)}\n`)), [
    "haproxy/line-too-long",
    "haproxy/no-listener",
  ]);
});

test("conditions that never end, and that nest in themselves, are complaints", () => {
  assert.deepEqual(codes(judge(".if 1\n".repeat(50_000))), [
    "haproxy/nested-too-deep",
    "haproxy/no-listener",
    "haproxy/unbalanced-condition",
  ]);
  for (const condition of ["(".repeat(200_000), `${"!".repeat(200_000)}1`, `${"1&&".repeat(200_000)}`])
    assert.deepEqual(codes(judge(`.if ${condition}\n.endif\n`)), ["haproxy/bad-condition", "haproxy/no-listener"]);
});

test("variables that double with every line come to an end", () => {
  const text = `global\n  setenv A xxxxxxxx\n${'  setenv A "$A$A"\n'.repeat(100)}${'  description "$A"\n'.repeat(1_000)}`;
  assert.ok(codes(judge(text)).includes("haproxy/expansion-too-large"));
});

test("defaults of variables in one another come to an end", () => {
  assert.deepEqual(codes(judge(`global\n  description "${"${A-".repeat(100_000)}"\n`)), [
    "haproxy/bad-variable",
    "haproxy/no-listener",
  ]);
});

test("a hundred thousand sections are read", () => {
  const text = Array.from({ length: 100_000 }, (_, index) => `backend b${index}\n  server s 10.0.0.1:80 check\n`).join(
    "",
  );
  const { diagnostics, model } = judge(`listen l\n  bind :1\n${text}`);
  assert.equal(model?.backends.length, 100_001);
  assert.equal(diagnostics.list.length + diagnostics.dropped, 100_001);
});

test("a hundred thousand sections of one name are as many errors, of which the first are kept", () => {
  const { diagnostics } = judge("backend b\n".repeat(100_000));
  assert.equal(diagnostics.list.filter(({ severity }) => severity === "error").length, diagnostics.limit);
  assert.equal(diagnostics.errors, 99_999);
});

test("ports without number, and log targets, are bounded", () => {
  assert.deepEqual(codes(judge(`listen l\n  timeout client 1s\n${"  bind :1-65535\n".repeat(100)}`)), [
    "haproxy/bad-address",
  ]);
  assert.deepEqual(codes(judge(`global\n${"  log 10.0.0.1 local0\n".repeat(50_000)}`)), [
    "haproxy/bad-value",
    "haproxy/no-listener",
  ]);
});

test("a file of more lines than any configuration has is cut off", () => {
  assert.ok(codes(judge("\n".repeat(500_001))).includes("haproxy/too-many-lines"));
});

test("an error after a thousand warnings is kept, and costs the model", () => {
  const { model, diagnostics } = judge(`listen l\n  bind :1\n${"  option tcpka\n".repeat(2_000)}  nonsense\n`);
  assert.equal(model, undefined);
  assert.equal(diagnostics.errors, 1);
  assert.ok(diagnostics.list.some(({ code }) => code === "haproxy/unknown-keyword"));
});
