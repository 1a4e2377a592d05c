/** Commands of keepalived.conf. What arrives as arguments was seen with keepalived 2.2.7 and a script that prints them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { splitCommand } from "../../../src/config/keepalived/script.ts";
import { load } from "../../../src/config/load.ts";
import { memoryEnvironment } from "../../support/memory-files.ts";

/** The arguments of `script` as a `vrrp_script` has them, and what was said about the line. */
function script(value: string) {
  const text = `vrrp_script s {\n script ${value}\n}\nvrrp_instance A {\n interface e\n virtual_router_id 1\n virtual_ipaddress { 10.0.0.1/24 }\n}`;
  const { configuration, diagnostics } = load(["/k"], memoryEnvironment({ "/k": text }));
  const codes = diagnostics.map((one) => one.code).filter((code) => code !== "keepalived/script-security");
  return { argv: configuration.vrrp?.scripts[0]?.command.argv, codes };
}

const cases: readonly { name: string; value: string; argv: string[]; codes?: string[] }[] = [
  { name: "a quoted command is taken apart", value: `"/s a b 'c d' e"`, argv: ["/s", "a", "b", "c d", "e"] },
  { name: "escaped quotes group words", value: String.raw`"/s \"a b\" c\"d e\"f"`, argv: ["/s", "a b", "cd ef"] },
  { name: "single quotes around the whole do as well", value: `'/s "x y" z'`, argv: ["/s", "x y", "z"] },
  { name: "a bare command has no arguments", value: "/s", argv: ["/s"] },
  {
    name: "both readings follow escapes",
    value: String.raw`"/s a\\tb 'c\\'d' e\\ f"`,
    argv: ["/s", "a\tb", "c'd", "e f"],
  },
  { name: "the first reading's tab separates", value: String.raw`"/s x\ty"`, argv: ["/s", "x", "y"] },
  {
    name: "numbers and control characters",
    value: String.raw`"/s \x41 \101 \1018 q\\cA. \q"`,
    argv: ["/s", "A", "A", "A8", "q\x01.", "q"],
  },
  {
    name: "# and braces in quotes are text",
    value: `"/s x # y {z} } {"`,
    argv: ["/s", "x", "#", "y", "{z}", "}", "{"],
  },
  { name: "no shell expands anything", value: `"/s $HOME *"`, argv: ["/s", "$HOME", "*"] },
  { name: "quotes within a word join it", value: `"/s a"b`, argv: ["/s", "ab"] },
  {
    name: "unquoted arguments are lost",
    value: "systemctl status nginx",
    argv: ["systemctl"],
    codes: ["keepalived/lost-arguments"],
  },
  {
    name: "words after the quotes are lost",
    value: `"/s a" b`,
    argv: ["/s", "a"],
    codes: ["keepalived/lost-arguments"],
  },
  { name: "a pipe is an argument", value: `"/s a | b"`, argv: ["/s", "a", "|", "b"], codes: ["keepalived/no-shell"] },
  { name: "a pipe for a shell is its business", value: `"/bin/sh -c 'a | b'"`, argv: ["/bin/sh", "-c", "a | b"] },
];

for (const { name, value, argv, codes = [] } of cases) {
  test(name, () => assert.deepEqual(script(value), { argv, codes }));
}

for (const value of [`"/s 'a"`, `""`, String.raw`"/s \0"`]) {
  test(`script ${value} cannot be run: the script is removed`, () => {
    assert.deepEqual(script(value), { argv: undefined, codes: ["keepalived/no-script", "keepalived/bad-script"] });
  });
}

test("words after a notify script are the user and the group that run it", () => {
  const body = [
    "interface e",
    "virtual_router_id 1",
    "virtual_ipaddress { 10.0.0.1/24 }",
    'notify_master "/n m a" daemon',
    "notify /n nobody nogroup",
    `notify_stop "/n" 'root' :adm`,
    "notify_fault /n",
  ];
  const text = `vrrp_instance A {\n${body.join("\n")}\n}`;
  const { configuration, diagnostics } = load(["/k"], memoryEnvironment({ "/k": text }));
  assert.deepEqual(diagnostics, []);
  assert.deepEqual(configuration.vrrp?.instances[0]?.notify, {
    master: { argv: ["/n", "m", "a"], user: { user: "daemon", group: undefined } },
    backup: undefined,
    fault: { argv: ["/n"], user: undefined },
    stop: { argv: ["/n"], user: { user: "root", group: "adm" } },
    any: { argv: ["/n"], user: { user: "nobody", group: "nogroup" } },
    deleted: undefined,
    masterRxLowerPri: undefined,
  });
});

test("a quote that is not closed gives no words", () => {
  assert.equal(splitCommand("a 'b"), undefined);
  assert.deepEqual(splitCommand(" a\t'' "), ["a", ""]);
});
