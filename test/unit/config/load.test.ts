/** One entry for all configuration files: kinds, order, what is found in which file. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { kindOf } from "../../../src/config/detect.ts";
import { type Loaded, load } from "../../../src/config/load.ts";
import { memoryEnvironment } from "../../support/memory-files.ts";

const INSTANCE = "vrrp_instance A {\ninterface e\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1/24\n}\n}\n";
const PROXY =
  "defaults\n  mode http\n  timeout client 1s\n  timeout connect 1s\n  timeout server 1s\nfrontend f\n  bind :80\n  default_backend b\nbackend b\n  server s 10.0.0.1:80\n";

const said = ({ diagnostics }: Loaded) =>
  diagnostics.map(({ severity, code, span }) => {
    const { line, column } = span.source.positionOf(span.start);
    return `${span.source.name}:${line}:${column} ${severity} ${code}`;
  });

for (const [kind, texts] of Object.entries({
  keepalived: [
    INSTANCE,
    "! comment\nglobal_defs {",
    "virtual_server 10.0.0.1 80 {\n}",
    "include conf.d/*.conf\n",
    "$A=1\n",
    "@lb1 include x\n",
    "foo {\n}\n",
    `# frontend backend\n${INSTANCE}`,
    "~SEQ(a,1,2) $B\n",
  ],
  haproxy: [
    PROXY,
    "# vrrp_instance A {\nglobal\n    daemon\n",
    "listen x\n  bind :80",
    "  bind :80\n  mode tcp\n",
    ".if 1\n.endif\n",
  ],
})) {
  for (const text of texts)
    test(`${JSON.stringify(text.slice(0, 40))} is ${kind}'s`, () => assert.equal(kindOf(text), kind));
}

test("a text that names neither language is of no kind", () => {
  assert.equal(kindOf(""), undefined);
  assert.equal(kindOf("hello world\n"), undefined);
  assert.equal(kindOf(`${"x".repeat(1_000_000)}`), undefined);
});

test("files of both languages make one configuration", () => {
  const loaded = load(["/h", "/k"], memoryEnvironment({ "/k": INSTANCE, "/h": PROXY }));
  assert.deepEqual(
    said(loaded).filter((line) => line.startsWith("/k")),
    [],
  );
  assert.deepEqual(
    loaded.configuration.vrrp?.instances.map((one) => one.name),
    ["A"],
  );
  assert.deepEqual(
    loaded.configuration.proxy?.frontends.map((one) => one.name),
    ["f"],
  );
  assert.deepEqual(
    loaded.sources.map((one) => one.name),
    ["/h", "/k"],
  );
});

test("several files of keepalived follow each other", () => {
  const second = INSTANCE.replace(" A ", " B ").replace("_id 1", "_id 2");
  const { configuration } = load(["/1", "/2"], memoryEnvironment({ "/1": `$X=1\n${INSTANCE}`, "/2": second }));
  assert.deepEqual(
    configuration.vrrp?.instances.map((one) => one.name),
    ["A", "B"],
  );
  assert.equal(configuration.proxy, undefined);
});

test("diagnostics come by file in the order of reading, then by position", () => {
  const files = {
    "/1": "global_defs {\nfoo\n}\ninclude inc\nbar\n",
    "/inc": "baz\nqux\n",
    "/2": `${INSTANCE}last\n`,
    "/bin": "a\0b",
  };
  const loaded = load(["/none", "/2", "/bin", "/1"], memoryEnvironment(files));
  assert.deepEqual(said(loaded), [
    "/none:1:1 error config/unreadable",
    "/2:8:1 warning keepalived/unknown-keyword",
    "/bin:1:1 error config/binary",
    "/1:2:1 warning keepalived/unknown-keyword",
    "/1:5:1 warning keepalived/unknown-keyword",
    "/inc:1:1 warning keepalived/unknown-keyword",
    "/inc:2:1 warning keepalived/unknown-keyword",
  ]);
  assert.deepEqual(
    loaded.sources.map((one) => one.name),
    ["/none", "/2", "/bin", "/1", "/inc"],
  );
});

test("the same is said once of one place", () => {
  const loaded = load(["/k"], memoryEnvironment({ "/k": "global_defs {\n~SEQ(i,1,50) foo\n}\n" }));
  assert.deepEqual(said(loaded), ["/k:2:14 warning keepalived/unknown-keyword"]);
});

test("a file of no kind is an error, an empty one a warning", () => {
  const loaded = load(["/a", "/b"], memoryEnvironment({ "/a": "hello\n", "/b": " \n# nothing\n! here\n" }));
  assert.deepEqual(said(loaded), ["/a:1:1 error config/unknown-kind", "/b:1:1 warning config/empty"]);
  assert.deepEqual(loaded.configuration, { daemon: undefined, vrrp: undefined, director: undefined, proxy: undefined });
});

test("the configuration id is the host name up to its first dot, unless one is given", () => {
  const files = { "/k": `${INSTANCE}@lb1 foo\n@other bar\n` };
  const column = (more: object) => said(load(["/k"], memoryEnvironment(files, more)));
  assert.deepEqual(column({}), ["/k:8:6 warning keepalived/unknown-keyword"]);
  assert.deepEqual(column({ configId: "other" }), ["/k:9:8 warning keepalived/unknown-keyword"]);
});
