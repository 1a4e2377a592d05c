/** Lines, words, variables and conditions of haproxy.cfg; all outcomes were measured on HAProxy 2.6.12. */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are HAProxy's
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadTexts, notesOf, seriousOf } from "../../support/haproxy-text.ts";

/** What `.notice` says, which is its word as the language reads it. */
function word(written: string, environment: Record<string, string> = {}): string {
  const { diagnostics } = loadTexts(`.notice ${written}\n`, { environment });
  const said = diagnostics.list.filter(({ code }) => code === "haproxy/message");
  assert.equal(said.length, 1, diagnostics.list.map(({ message }) => message).join("; "));
  return said[0]?.message ?? "";
}

function refusal(written: string): string {
  return seriousOf(loadTexts(`.notice ${written}\n`))[0] ?? "";
}

test("outside quotes a backslash makes a blank, #, quotes, itself and control characters part of the word", () => {
  assert.equal(word("a\\ b"), "a b");
  assert.equal(word("\\\\ "), "\\");
  assert.equal(word("\\#x"), "#x");
  assert.equal(word("\\\"\\'"), "\"'");
  assert.equal(word("a\\nb\\rc\\td"), "a\nb\rc\td");
  assert.equal(word("\\x41\\x7a"), "Az");
});

test("a backslash before anything else stands for itself", () => {
  assert.equal(word("\\q"), "\\q");
  assert.equal(word("\\$z"), "\\$z");
  assert.equal(word("end\\"), "end\\");
});

test("weak quotes keep blanks and #, read escapes, and let \\$ be a dollar sign", () => {
  assert.equal(word('"a b#c"'), "a b#c");
  assert.equal(word('"\\$FOO \\"x\\" \\\\ \\# \\x41"'), '$FOO "x" \\ # A');
  assert.equal(word('"\\q \\\' \\a"'), "\\q ' \\a");
});

test("strong quotes keep everything", () => {
  assert.equal(word("'a\\nb \"$FOO\" #'"), 'a\\nb "$FOO" #');
});

test("quotes may begin and end inside a word, and a comment ends it", () => {
  assert.equal(word("a\"b c\"d'e f'g\\#h#i"), "ab cde fg#h");
});

test("variables are read inside weak quotes only", () => {
  const environment = { FOO: "foo", EMPTY: "" };
  assert.equal(word('"<$FOO-${FOO}x>"', environment), "<foo-foox>");
  assert.equal(word("$FOO", environment), "$FOO");
  assert.equal(word("'$FOO'", environment), "$FOO");
});

test("a default stands for a variable that is not set, and not for an empty one", () => {
  assert.equal(word('"${NO-a b}"'), "a b");
  assert.equal(word('"<${NO-}>"'), "<>");
  assert.equal(word('"<${EMPTY-x}>"', { EMPTY: "" }), "<>");
  assert.equal(word('"${FOO-x}"', { FOO: "foo" }), "foo");
});

test("[*] makes words of a value", () => {
  const environment = { LIST: "maxconn 7  backlog 8" };
  const { model } = loadTexts('listen l\n  mode tcp\n  timeout client 1s\n  bind :80 "${NAMES[*]}"\n', {
    environment: { NAMES: "name  x backlog\t5" },
  });
  assert.deepEqual(
    model?.frontends[0]?.binds.map(({ name, backlog }) => [name, backlog]),
    [["x", 5]],
  );
  assert.match(refusal('"${FOO[2]}"'), /haproxy\/bad-variable/);
  assert.equal(word('"${LIST}"', environment), "maxconn 7  backlog 8");
});

test(".FILE, .LINE and .SECTION say where the line is", () => {
  assert.equal(word('"${.FILE}:${.LINE}:$.LINE:${.SECTION}:"'), "/haproxy.cfg:1:1::");
  const { diagnostics } = loadTexts('global\n  .notice "${.SECTION}"\nbackend web\n  .notice "${.SECTION} ${.LINE}"\n');
  assert.deepEqual(
    diagnostics.list.filter(({ code }) => code === "haproxy/message").map(({ message }) => message),
    ["global", "web 4"],
  );
});

test("HAPROXY_ variables name the files and the peer", () => {
  const { diagnostics } = loadTexts(['.notice "$HAPROXY_CFGFILES"\n', '.notice "$HAPROXY_LOCALPEER"\n']);
  assert.deepEqual(
    diagnostics.list.filter(({ code }) => code === "haproxy/message").map(({ message }) => message),
    ["/haproxy.cfg;/2.cfg", "lb1"],
  );
});

test("what cannot be read is marked at its first character", () => {
  assert.equal(refusal('a"b'), '1:10 error haproxy/unmatched-quote: "');
  assert.equal(refusal("'ab"), "1:9 error haproxy/unmatched-quote: '");
  assert.equal(refusal("\\x4"), "1:9 error haproxy/bad-escape: \\");
  assert.equal(refusal("\\x00"), "1:9 error haproxy/bad-escape: \\");
  assert.equal(refusal('"a$"'), "1:11 error haproxy/bad-variable: $");
  assert.equal(refusal('"$1A"'), "1:10 error haproxy/bad-variable: $");
  assert.equal(refusal('"${A B}"'), "1:10 error haproxy/bad-variable: $");
  assert.equal(refusal('"${A"'), "1:10 error haproxy/bad-variable: $");
  assert.equal(refusal("a\0b"), "1:10 error haproxy/stray-byte: \0");
});

test("a variable that is not set, and one outside quotes, are noted", () => {
  const loaded = loadTexts('global\n  description "$NO" $FOO ${BAR} ^x$\n');
  assert.deepEqual(notesOf(loaded), [
    "2:16 note haproxy/unset-variable: $NO",
    "2:21 note haproxy/unexpanded-variable: $FOO",
    "2:26 note haproxy/unexpanded-variable: ${BAR",
  ]);
});

test("a carriage return ends a line, and what follows it is reported", () => {
  assert.equal(word("abc\r"), "abc");
  assert.equal(refusal("abc\rdef"), "1:12 warning haproxy/stray-byte: \r");
});

test("64 words are read and the 65th is an error", () => {
  const line = (count: number) => `backend b\n  description ${"x ".repeat(count - 1)}\n`;
  assert.deepEqual(
    seriousOf(loadTexts(line(64))).filter((one) => one.includes("words")),
    [],
  );
  assert.equal(seriousOf(loadTexts(line(65)))[0], "2:141 error haproxy/too-many-words: x");
});

test("the setenv family changes the lines below it", () => {
  const { diagnostics } = loadTexts(
    `global
  setenv FOO bar
  presetenv FOO baz
  presetenv G g
  .notice "$FOO $G"
  unsetenv FOO
  .notice "<\${FOO-}\${G}>"
  resetenv KEPT
  .notice "<\${G-}\${KEPT}>"
`,
    { environment: { KEPT: "kept" } },
  );
  assert.deepEqual(
    diagnostics.list.filter(({ code }) => code === "haproxy/message").map(({ message }) => message),
    ["bar g", "<g>", "<kept>"],
  );
});

test("a section ends with its file", () => {
  assert.equal(seriousOf(loadTexts(["global\n", "  maxconn 10\n"]))[0], "1:3 error haproxy/outside-section: maxconn");
});

/** Whether the lines of `.if CONDITION` are read. */
function holds(condition: string, environment: Record<string, string> = {}): boolean {
  const { diagnostics } = loadTexts(`.if ${condition}\n.notice yes\n.else\n.notice no\n.endif\n`, { environment });
  const said = diagnostics.list.filter(({ code }) => code === "haproxy/message").map(({ message }) => message);
  assert.equal(said.length, 1);
  assert.equal(diagnostics.errors, 0, diagnostics.list.map(({ message }) => message).join("; "));
  return said[0] === "yes";
}

test("conditions are numbers, predicates and what combines them, && before ||", () => {
  for (const condition of [
    "1",
    "-1",
    "streq(a,a)",
    'streq("a","a")',
    "strneq(a,b)",
    "defined(SET)",
    "!defined(UNSET)",
    "!!1",
    "(1 && (0 || 1))",
    "1 || 0 && 0",
    "version_atleast(2.4-dev19) && version_before(2.7)",
    "version_atleast(2.6.12)",
    "feature(EPOLL)",
    "true",
    "strstr(abc,b)",
  ])
    assert.equal(holds(condition, { SET: "" }), true, condition);
  for (const condition of [
    "",
    "0",
    "!1",
    "streq( a, a )",
    "defined()",
    "(1 || 1) && 0",
    "version_before(2.6.12)",
    "version_atleast(2.6.13-dev1)",
    "feature(OPENSSL)",
    "openssl_version_before(9)",
    "false",
    "enabled(SPLICE)",
  ])
    assert.equal(holds(condition), false, condition);
});

test("only the first branch that holds is read", () => {
  const said = (text: string) => loadTexts(text).diagnostics.list.map(({ message }) => message);
  assert.deepEqual(said(".if 0\n.notice a\n.elif 1\n.notice b\n.elif 1\n.notice c\n.else\n.notice d\n.endif\n"), [
    "b",
    "nothing listens: HAProxy would not start with this configuration",
  ]);
  assert.deepEqual(said(".if 0\n.if 1\n.notice a\n.else\n.notice b\n.endif\n.endif\n.notice c\n").slice(0, 1), ["c"]);
});

test("a condition is not read where it cannot matter", () => {
  assert.deepEqual(seriousOf(loadTexts("global\n.if 0\n.if nonsense\n.endif\n.endif\n")).slice(0, -1), []);
});

test("what is wrong with a condition is marked whole", () => {
  for (const condition of ["foo(1)", "1 1", "(1", "1 &&", "streq(a)", "12abc", "feature("])
    assert.equal(
      seriousOf(loadTexts(`.if ${condition}\n.endif\n`))[0],
      `1:5 error haproxy/bad-condition: ${condition}`,
    );
});

test("conditions nest a hundred deep", () => {
  const nested = (depth: number) => loadTexts(`${".if 1\n".repeat(depth)}.notice x\n${".endif\n".repeat(depth)}`);
  assert.equal(nested(100).diagnostics.errors, 0);
  assert.deepEqual(
    nested(101).diagnostics.list.map(({ code }) => code),
    ["haproxy/nested-too-deep", "haproxy/no-listener"],
  );
});
