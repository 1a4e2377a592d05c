/** No text, however made, throws, hangs or grows the process: it ends with diagnostics, and not too many of them. */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are keepalived's
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { CONTEXTS } from "../../../src/config/keepalived/keywords.ts";
import { type Loaded, load } from "../../../src/config/load.ts";
import { renderDiagnostic } from "../../../src/config/text/render.ts";
import { type MemoryFiles, memoryEnvironment } from "../../support/memory-files.ts";

const MOST_DIAGNOSTICS = 2_000;
const FIXTURES = new URL("../../fixtures/keepalived/", import.meta.url);
const samples = readdirSync(FIXTURES)
  .filter((name) => name.endsWith(".conf"))
  .map((name) => new Uint8Array(readFileSync(new URL(name, FIXTURES))));

function loadAll(files: MemoryFiles): Loaded {
  const loaded = load(["/k"], memoryEnvironment(files));
  assert.ok(loaded.diagnostics.length <= MOST_DIAGNOSTICS);
  for (const { span, message } of loaded.diagnostics) {
    assert.ok(span.start >= 0 && span.start <= span.end && span.end <= span.source.text.length, message);
  }
  JSON.stringify(loaded.configuration);
  return loaded;
}

const codesOf = ({ diagnostics }: Loaded): string[] => [...new Set(diagnostics.map((one) => one.code))].sort();
/** Makes the file keepalived's whatever follows. */
const HEAD = "global_defs {\n}\n";

test("random bytes end in diagnostics", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const head = new TextEncoder().encode(HEAD);
      loadAll({ "/k": bytes });
      loadAll({ "/k": new Uint8Array([...head, ...bytes]) });
    }),
  );
});

test("random words of the language end in diagnostics that can be shown", () => {
  const words = [
    "{",
    "}",
    '"',
    "$A",
    "${A}",
    "$A=",
    "\\",
    "\n",
    "\n",
    " ",
    "#",
    "~SEQ(a,3)",
    "~LST(b,",
    "@lb1",
    "include /k",
  ];
  const keywords = [
    "vrrp_instance",
    "vrrp_script",
    "priority",
    "interface",
    "virtual_ipaddress",
    "track_script",
    "weight",
  ];
  const word = fc.constantFrom(...words, ...keywords, "10.0.0.1/24", "eth0", "1");
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60 }), (parts) => {
      const { diagnostics } = loadAll({ "/k": HEAD + parts.join(" ") });
      for (const diagnostic of diagnostics) assert.ok(renderDiagnostic(diagnostic, { colour: true }).endsWith("\n"));
    }),
  );
});

test("random lines in virtual servers end in diagnostics, and in values that a data plane can take", () => {
  const values = [
    "",
    "0",
    "1",
    "-1",
    "65536",
    "99999999999",
    "0.5",
    "on",
    "off",
    "x",
    "10.0.0.1",
    "10.0.0.0/24",
    "::1",
  ];
  const more = ["TCP", "DR", "TUN type gue port 7", "sh", "move", "A.", '"a b', "200-299", "0102", "[", "(?<a>"];
  const value = fc.constantFrom(...values, ...more);
  const contextLines = (context: string) => {
    const keywords = [...(CONTEXTS.get(context) ?? [])].filter(([, { block }]) => block === undefined);
    return fc.array(fc.tuple(fc.constantFrom(...keywords.map(([name]) => name)), value, value), { maxLength: 8 });
  };
  const head = fc.constantFrom("10.0.0.1 80", "::1 0", "fwmark 3", "group g", "fwmark", "x y");
  const checker = fc.constantFrom("TCP_CHECK", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "MISC_CHECK", "UDP_CHECK", "url");
  const check = checker.chain((name) => fc.tuple(fc.constant(name), contextLines(name)));
  const text = (lines: readonly (readonly string[])[]) => lines.map((line) => line.join(" ")).join("\n");
  fc.assert(
    fc.property(
      head,
      contextLines("virtual_server"),
      contextLines("real_server"),
      check,
      (vip, own, server, [kind, lines]) => {
        const block = kind === "url" ? `HTTP_GET {\nurl {\n${text(lines)}\n}\n}` : `${kind} {\n${text(lines)}\n}`;
        const { configuration } = loadAll({
          "/k": `virtual_server_group g {\n${vip}\nfwmark 9\n}\nvirtual_server ${vip} {\n${text(own)}\nreal_server 10.0.1.1 80 {\n${text(server)}\n${block}\n}\n}\n`,
        });
        for (const { quorum, hysteresis, services, realServers } of configuration.director?.virtualServers ?? []) {
          assert.ok(quorum >= 1 && hysteresis < quorum && services.length > 0 && realServers.length > 0);
          for (const { key, settings, checkers } of realServers) {
            assert.ok(key.port >= 0 && key.port <= 65_535 && settings.weight >= 0 && settings.weight <= 65_535);
            for (const { delayLoop, retry, delayBeforeRetry, warmup } of checkers)
              assert.ok(delayLoop > 0 && retry >= 0 && delayBeforeRetry >= 0 && warmup >= 0);
          }
        }
      },
    ),
  );
});

test("a mutated sample ends in diagnostics", () => {
  const change = fc.record({
    sample: fc.nat(samples.length - 1),
    at: fc.nat(2_000),
    remove: fc.nat(30),
    insert: fc.uint8Array({ maxLength: 8 }),
  });
  fc.assert(
    fc.property(change, ({ sample, at, remove, insert }) => {
      const bytes = samples[sample] ?? new Uint8Array();
      const start = at % (bytes.length + 1);
      loadAll({ "/k": new Uint8Array([...bytes.slice(0, start), ...insert, ...bytes.slice(start + remove)]) });
    }),
  );
});

test("a line of 10 MB is one warning", () => {
  const loaded = loadAll({ "/k": `${HEAD}${"x".repeat(10_000_000)}\n` });
  assert.deepEqual(codesOf(loaded), ["keepalived/line-too-long"]);
  const [only] = loaded.diagnostics;
  assert.ok(only !== undefined && renderDiagnostic(only, { colour: false }).length < 1_000);
});

test("100,000 nested blocks are one error, and an end that is missing one warning", () => {
  assert.deepEqual(codesOf(loadAll({ "/k": HEAD + "a {\n".repeat(100_000) })), [
    "keepalived/missing-brace",
    "keepalived/nested-too-deep",
    "keepalived/unknown-keyword",
  ]);
  const closed = loadAll({ "/k": `${HEAD}${"a {\n".repeat(100_000)}${"}\n".repeat(100_000)}vrrp_instance A {\n}\n` });
  assert.ok(codesOf(closed).includes("keepalived/no-interface"), "what follows is read");
});

test("200,000 mistakes are counted, and an error among them is kept", () => {
  const { diagnostics, dropped } = loadAll({ "/k": `${HEAD}${"foo bar\n".repeat(200_000)}vrrp_instance A {\n}\n` });
  assert.equal(diagnostics.length + dropped, 200_003);
  assert.ok(diagnostics.some((one) => one.code === "keepalived/no-interface"));
});

const bombs: readonly [name: string, text: string][] = [
  ["one sequence", "~SEQ(a,1,999999999999) b"],
  ["nested sequences", `${"~SEQ(a,1,1000) ".repeat(6)}b`],
  ["nested sequences that produce nothing", `${"~SEQ(a,1,1000) ".repeat(6)}$x=1`],
  ["sequences nested for the whole line", `${"~SEQ(a,2) ".repeat(90)}b`],
  ["a sequence of itself", "$M= \\\n~SEQ(a,9) $M\n$M"],
  ["definitions that double", `$a0=xxxxxxxx\n${doubling(40, " ")}$a40`],
  ["definitions that double to nothing", `$a0=\n${doubling(40, "")}$a40`],
  [
    "lines that double",
    `$a0= \\\nx\\\ny\n${Array.from({ length: 40 }, (_, i) => `$a${i + 1}= \\\n$a${i}\\\n$a${i}\n`).join("")}$a40`,
  ],
  ["a definition of itself", "$S=${S}${S}${S}\n${S}"],
  ["two definitions of each other", "$S=${T} ${T}\n$T=${S} ${S}\n$S"],
  ["several lines of itself", "$S= \\\na $S\\\nb $S\n$S"],
];
for (const [name, text] of bombs) {
  test(`${name} end with an error or are bounded`, () => {
    const codes = codesOf(loadAll({ "/k": `${HEAD}${text}\nvrrp_script s {\n}\n` }));
    const ends = ["keepalived/expansion-limit", "keepalived/recursive-definition"];
    assert.ok(
      codes.some((code) => ends.includes(code)),
      codes.join(" "),
    );
  });
}

function doubling(times: number, between: string): string {
  return Array.from({ length: times }, (_, i) => `$a${i + 1}=\${a${i}}${between}\${a${i}}\n`).join("");
}

test("files that include each other end with an error", () => {
  const files = { "/k": `${HEAD}include /a\n`, "/a": "include /b\ninclude /b\n", "/b": "include /k\ninclude /a\n" };
  assert.deepEqual(codesOf(loadAll(files)), ["keepalived/include-cycle"]);
});

test("a chain of 100 files and a fan of 2^30 end with an error", () => {
  const chain = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`/${i}`, `include /${i + 1}\n`]));
  assert.deepEqual(codesOf(loadAll({ ...chain, "/k": `${HEAD}include /0\n` })), ["keepalived/include-limit"]);
  const fan = Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`/${i}`, `include /${i + 1}\ninclude /${i + 1}\n`]),
  );
  assert.ok(codesOf(loadAll({ ...fan, "/30": "", "/k": `${HEAD}include /0\n` })).includes("keepalived/include-limit"));
});

test("a pattern of many braces is not tried", () => {
  const text = `${HEAD}include ${"{a,b}".repeat(40)}\n`;
  assert.deepEqual(codesOf(loadAll({ "/k": text })), ["keepalived/include-limit"]);
});

test("names of Object's own members are ordinary words", () => {
  const names = ["constructor", "__proto__", "toString", "hasOwnProperty"];
  const body = names.map((name) => `${name} {\n}\n10.0.0.1 ${name}\n`).join("");
  const text = names.map(
    (name) =>
      `vrrp_instance ${name} {\n${body}virtual_ipaddress {\n10.0.0.1/24 ${name} 1 scope ${name}\n}\ntrack_script {\n${name}\n}\nlower_prio_no_advert ${name}\n}\n`,
  );
  const { configuration } = loadAll({ "/k": text.join("") });
  assert.equal(configuration.vrrp?.instances.length, 0);
});

test("an instance tracks a thousand things of a kind at most", () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `e${index}`).join("\n");
  const text = `vrrp_instance A {\ninterface e\nvirtual_router_id 1\ntrack_interface {\n${lines}\n}\n}\n`;
  const { configuration, diagnostics } = load(["/k"], memoryEnvironment({ "/k": text }));
  assert.equal(configuration.vrrp?.instances[0]?.trackInterfaces.length, 1_024);
  const [first] = diagnostics.filter(({ code }) => code === "keepalived/duplicate-tracker");
  assert.equal(first?.message, "(A) more than 1024 track_interface 'e1024' - ignoring");
});
