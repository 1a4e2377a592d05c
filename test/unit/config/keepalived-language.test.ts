/**
 * The language of keepalived.conf below its keywords. What is expected was seen with keepalived 2.2.7, whose
 * `Unknown keyword` lines print what a line came to; where this differs on purpose, the test says so.
 */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are keepalived's
import assert from "node:assert/strict";
import { test } from "node:test";
import { Budget } from "../../../src/config/keepalived/budget.ts";
import { LineReader } from "../../../src/config/keepalived/reader.ts";
import { Report } from "../../../src/config/keepalived/report.ts";
import { type Statement, TreeBuilder } from "../../../src/config/keepalived/tree.ts";
import { Diagnostics } from "../../../src/config/text/diagnostic.ts";
import { Source } from "../../../src/config/text/source.ts";
import { type MemoryFiles, memoryFiles } from "../../support/memory-files.ts";

type Tree = (string | Tree)[];

function read(text: string, files: MemoryFiles = {}, variables: Record<string, string> = {}) {
  const diagnostics = new Diagnostics();
  const report = new Report(diagnostics);
  const environment = { files: memoryFiles(files), configId: "lb1", variables, random: () => 0.5 };
  const reader = new LineReader(environment, report, new Budget());
  const tree = new TreeBuilder(report);
  for (const line of reader.read(new Source("/etc/ka/main.conf", text))) tree.add(line);
  const statements = tree.done();
  return { statements, tree: outline(statements), codes: diagnostics.list.map((one) => one.code), diagnostics };
}

/** Each statement as its words joined by `|`, followed by its block. */
function outline(statements: readonly Statement[]): Tree {
  return statements.flatMap(({ keyword, words, block }) => {
    const line = [keyword, ...words].map((word) => word.text).join("|");
    return block === undefined ? [line] : [line, outline(block)];
  });
}

const cases: readonly { name: string; text: string; tree: Tree; codes?: string[]; files?: MemoryFiles }[] = [
  { name: "blanks and empty lines are free", text: "\n  a\tb  c \n\n\t d\n", tree: ["a|b|c", "d"] },
  { name: "CR LF ends a line", text: "a b\r\nc {\r\n d\r\n}\r\n", tree: ["a|b", "c", ["d"]] },
  { name: "a comment starts at # or ! anywhere", text: "a b # c\nd!e\n#f\n! g\n", tree: ["a|b", "d"] },
  { name: "double quotes protect # and !", text: 'a "x # y ! z" w # c', tree: ["a|x # y ! z|w"] },
  { name: "single quotes protect nothing", text: "a 'b # c' d", tree: ["a|'b"] },
  { name: "a backslash before # or ! keeps it", text: "a1\\# \\!x y", tree: ["a1#|!x|y"] },
  { name: "a block may open on the line", text: "a b {\nc\n}\n", tree: ["a|b", ["c"]] },
  { name: "a block may open on a line of its own", text: "a b\n\n{\nc\n}\n", tree: ["a|b", ["c"]] },
  { name: "a brace may stick to the word", text: "a 80{\nc\n}d\n", tree: ["a|80", ["c"], "d"] },
  { name: "a block may be one line", text: "a { b c }\nd", tree: ["a", ["b|c"], "d"] },
  { name: "blocks nest on one line", text: "a{b{c}}d", tree: ["a", ["b", ["c"]], "d"] },
  { name: "braces in double quotes are text", text: 'a "{x} }" b', tree: ["a|{x} }|b"] },
  { name: "double quotes end the word before them", text: 'a"b c"d', tree: ["a|b c|d"] },
  { name: "an empty pair of quotes is a word", text: 'a "" b', tree: ["a||b"] },
  {
    name: "an unmatched quote loses the rest of the line",
    text: 'a b "c d\ne',
    tree: ["a|b", "e"],
    codes: ["keepalived/unmatched-quote"],
  },
  { name: "an extra } is reported and ignored", text: "}\na", tree: ["a"], codes: ["keepalived/extra-brace"] },
  { name: "a missing } is reported", text: "a {\nb\n", tree: ["a", ["b"]], codes: ["keepalived/missing-brace"] },
  {
    name: "a block without a name is skipped whole",
    text: "{ a { b }\n c }\nd",
    tree: ["d"],
    codes: ["keepalived/unexpected-brace"],
  },
  {
    name: "a second block for one statement is nobody's",
    text: "a {\nb\n} {\nc\n}\nd",
    tree: ["a", ["b"], "d"],
    codes: ["keepalived/unexpected-brace"],
  },
  {
    name: "a line of more than 1024 characters is ignored",
    text: `a ${"x".repeat(1_022)}\nb ${"x".repeat(1_023)}\nc`,
    tree: [`a|${"x".repeat(1_022)}`, "c"],
    codes: ["keepalived/line-too-long"],
  },

  { name: "@id keeps a line for this machine only", text: "@lb1 a\n@lb2 b\n@ c\n", tree: ["a"] },
  { name: "@^id keeps a line for all other machines", text: "@^lb1 a\n@^lb2 b\n@^ c", tree: ["b", "c"] },
  { name: "a line has one condition", text: "@lb1 @lb2 a", tree: ["@lb2|a"] },

  {
    name: "$NAME is replaced before a blank, a comma, ) and the end",
    text: "$A=1\nx$A y\nx$A,b\nx$A)b\nx$A",
    tree: ["x1|y", "x1,b", "x1)b", "x1"],
  },
  {
    name: "$NAME before anything else stays",
    text: '$A=1\nx$Ab\nx$A"q"\n"a $A"\n$A$A',
    tree: ["x$Ab", "x$A|q", "a $A", "$A1"],
  },
  { name: "${NAME} is replaced everywhere", text: '$A=1\nx${A}b\n"a ${A}"\n${A}${A}', tree: ["x1b", "a 1", "11"] },
  {
    name: "a value is trimmed and may be empty",
    text: "$Q=  lead trail  \n$E=\nd${Q}x\nu$E z",
    tree: ["dlead|trailx", "u|z"],
  },
  { name: "a blank before = makes it no definition", text: "$A =1\n", tree: ["$A|=1"] },
  {
    name: "a name inside a value is replaced at use",
    text: "$X=${W}_x\n$W=old\ni${X}\n$W=new\ni${X}",
    tree: ["iold_x", "inew_x"],
  },
  { name: "a value may hold a condition", text: "$U=@lb2 h\n$V=@lb1 h\n$U\n$V", tree: ["h"] },
  { name: "a condition may guard a definition", text: "@lb1 $T=x\n@lb2 $T=y\ng${T}", tree: ["gx"] },
  { name: "an undefined $NAME stays, as scripts want", text: 'a $HOME "b $X" ', tree: ["a|$HOME|b $X"] },
  {
    name: "an undefined ${NAME} stays a word, where keepalived takes its brace for a block",
    text: "a ${NOPE} b",
    tree: ["a|${NOPE}|b"],
    codes: ["keepalived/undefined-name"],
  },
  { name: "an undefined ${NAME} in quotes needs no word", text: 'a "${NOPE}"', tree: ["a|${NOPE}"] },
  {
    name: "a definition may have several lines",
    text: "$M= \\\n a {\\\n b\\\n }\nx\n$M\ny",
    tree: ["x", "a", ["b"], "y"],
  },
  {
    name: "text around several lines joins the first and the last",
    text: "$M= \\\na\\\nb\np $M q",
    tree: ["p|a", "b|q"],
  },
  { name: "text after = joins the lines too", text: "$N=foo \\\nbar\n$N", tree: ["foo", "bar"] },
  {
    name: "several lines may hold conditions and definitions",
    text: "$M= \\\n@lb1 a\\\n@lb2 b\\\n$R=n\\\nc $R\n$M\nd$R",
    tree: ["a", "c|n", "dn"],
  },
  {
    name: "a definition that does not end is reported",
    text: "$M= \\\na\\\n",
    tree: [],
    codes: ["keepalived/unfinished-definition"],
  },
  {
    name: "a definition in itself stays as written",
    text: "$S=$S x\na $S\n",
    tree: ["a|$S|x"],
    codes: ["keepalived/recursive-definition"],
  },
  { name: "${_HASH} and ${_BANG} are no comments", text: "a ${_HASH}1 ${_BANG}2", tree: ["a|#1|!2"] },
  {
    name: "${_PWD} is the folder of the file, ${_INSTANCE} the id",
    text: "a ${_PWD} ${_INSTANCE}",
    tree: ["a|/etc/ka|lb1"],
  },
  { name: "${_RANDOM} has a range", text: "a ${_RANDOM} ${_RANDOM 4} ${_RANDOM 10 19}", tree: ["a|16384|16386|15"] },

  {
    name: "~SEQ counts from 1, up and down, in steps",
    text: "~SEQ(v,2) a$v\n~SEQ(v,3,4) b$v\n~SEQ(v,5,-2,1) c$v\n~SEQ(v,2,1) d$v",
    tree: ["a1", "a2", "b3", "b4", "c5", "c3", "c1", "d2", "d1"],
  },
  { name: "~SEQx counts in hexadecimal", text: "~SEQx(v,9,11) a$v", tree: ["a9", "aa", "ab"] },
  {
    name: "sequences nest from left to right",
    text: "~SEQ(v,1,2) ~LST(w,p,q) ${v}_$w",
    tree: ["1_p", "1_q", "2_p", "2_q"],
  },
  { name: "~LST takes several names", text: "~LST({p,q},{1,2},{3,4}) ${p}_$q", tree: ["1_2", "3_4"] },
  { name: "a sequence may take its numbers from definitions", text: "$N=2\n~SEQ(v,${N},$N) a$v", tree: ["a2"] },
  {
    name: "a sequence may repeat several lines",
    text: "$B= \\\nx $i {\\\ny\\\n}\n~SEQ(i,1,2) $B",
    tree: ["x|1", ["y"], "x|2", ["y"]],
  },
  { name: "the last value of a sequence remains", text: "~SEQ(v,1,2) a$v\nb${v}", tree: ["a1", "a2", "b2"] },
  { name: "a sequence is one only at the start of a line", text: "pre~SEQ(v,2) m", tree: ["pre~SEQ(v,2)|m"] },
  ...[
    "~SEQ(v,1,0,3) a",
    "~SEQ(v) a",
    "~SEQ(v,a,b) a",
    "~SEQ(v,3",
    "~SEQ(,3) a",
    "~LST(v) a",
    "~LST({a,b},{1},{2,3,4}) m",
    "~SEQ(v,1,1,0) a",
  ].map((text) => ({ name: `${text} is no sequence`, text, tree: [], codes: ["keepalived/bad-sequence"] })),

  {
    name: "include reads a file relative to the including one",
    text: "include sub/a.conf\nz",
    files: { "/etc/ka/sub/a.conf": "x\ninclude b.conf", "/etc/ka/sub/b.conf": "y" },
    tree: ["x", "y", "z"],
  },
  {
    name: "include takes wildcards and braces, sorted",
    text: "include {a,b}*.conf",
    files: { "/etc/ka/b1.conf": "b", "/etc/ka/a2.conf": "a", "/etc/ka/c.conf": "c" },
    tree: ["a", "b"],
  },
  {
    name: "an included file may stand inside a block",
    text: "o {\ninclude a\n}",
    files: { "/etc/ka/a": "x {\ny\n}" },
    tree: ["o", ["x", ["y"]]],
  },
  {
    name: "a block may end in another file",
    text: "o {\ninclude a\nz",
    files: { "/etc/ka/a": "x\n}" },
    tree: ["o", ["x"], "z"],
  },
  {
    name: "definitions cross files",
    text: "$A=1\ninclude a\ny$B",
    files: { "/etc/ka/a": "x$A\n$B=2" },
    tree: ["x1", "y2"],
  },
  { name: "a pattern without a match is no mistake", text: "include *.nope", tree: [] },
  {
    name: "a file that does not exist is",
    text: "include nope\na",
    tree: ["a"],
    codes: ["keepalived/include-missing"],
  },
  {
    name: "the same file may be included twice",
    text: "include a\ninclude a",
    files: { "/etc/ka/a": "x" },
    tree: ["x", "x"],
  },
  { name: "include obeys @id", text: "@lb1 include a\n@lb2 include a", files: { "/etc/ka/a": "x" }, tree: ["x"] },
  {
    name: "a file that includes itself is stopped",
    text: "include a",
    files: { "/etc/ka/a": "x\ninclude b", "/etc/ka/b": "y\ninclude a" },
    tree: ["x", "y"],
    codes: ["keepalived/include-cycle"],
  },
];

for (const { name, text, tree, codes = [], files } of cases) {
  test(name, () => {
    const found = read(text, files);
    assert.deepEqual({ tree: found.tree, codes: found.codes }, { tree, codes });
  });
}

test("${_ENV NAME} is a variable of the process, one line of it, and stays when there is none", () => {
  const { tree } = read('a "${_ENV X} ${_ENV toString}"', {}, { X: "1\n2" });
  assert.deepEqual(tree, ["a|1 2 ${_ENV toString}"]);
});

test("a word that was written points at itself, whatever was removed before it", () => {
  const text = "  a\\#b  @c\n@lb1 d {  e  }";
  const { statements } = read(text);
  const [a, d] = statements;
  const spanText = (word: { span: { start: number; end: number } } | undefined) =>
    text.slice(word?.span.start, word?.span.end);
  assert.equal(spanText(a?.keyword), "a\\#b");
  assert.equal(spanText(a?.words[0]), "@c");
  assert.equal(spanText(d?.keyword), "d");
  assert.equal(spanText(d?.block?.[0]?.keyword), "e");
});

test("a word that a definition wrote points at its use and says that it was expanded", () => {
  const text = "$I=${J}\n$J=eth0\ninterface $I # c\np${J}q r";
  const { statements } = read(text);
  const [first, second] = statements;
  const word = first?.words[0];
  assert.deepEqual([word?.text, word?.expanded], ["eth0", true]);
  assert.equal(text.slice(word?.span.start, word?.span.end), "$I");
  assert.equal(text.slice(second?.keyword.span.start, second?.keyword.span.end), "p${J}q");
  assert.deepEqual([second?.words[0]?.expanded, first?.keyword.expanded], [false, false]);
});

test("lines of a definition of several lines point at its use", () => {
  const text = "$M= \\\na {\\\nb c\\\n}\n$M";
  const { statements } = read(text);
  const inner = statements[0]?.block?.[0]?.words[0];
  assert.deepEqual([inner?.text, text.slice(inner?.span.start, inner?.span.end)], ["c", "$M"]);
});
