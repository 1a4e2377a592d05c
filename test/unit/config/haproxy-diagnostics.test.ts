/** Diagnostics of haproxy.cfg point at the offending word and name the cure. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { renderDiagnostic } from "../../../src/config/text/render.ts";
import { loadTexts, notesOf, seriousOf, TIMEOUTS } from "../../support/haproxy-text.ts";

/** Of the lines behind the three time-outs and `listen l` with a `bind`: line 7 is the first. */
const said = (lines: string): string[] => seriousOf(loadTexts(`${TIMEOUTS}listen l\n  bind :1\n${lines}`));
const helpOf = (lines: string): string | undefined =>
  loadTexts(`${TIMEOUTS}listen l\n  bind :1\n${lines}`).diagnostics.list[0]?.help;

test("an unknown keyword is marked, with the one that was probably meant", () => {
  const [first] = loadTexts(`${TIMEOUTS}listen l\n  bind :1\n  defualt_backend b\n`).diagnostics.list;
  assert.ok(first !== undefined);
  assert.equal(
    renderDiagnostic(first, { colour: false }),
    `/haproxy.cfg:7:3: error[haproxy/unknown-keyword]: 'defualt_backend' is not a keyword of 'listen'
    7 |   defualt_backend b
      |   ^^^^^^^^^^^^^^^
      = did you mean 'default_backend'?
`,
  );
});

test("the second half of a keyword is marked where the first is known", () => {
  assert.deepEqual(said("  option htplog\n"), ["7:10 error haproxy/unknown-keyword: htplog"]);
  assert.equal(helpOf("  option htplog\n"), "did you mean 'httplog'?");
  assert.deepEqual(said("  timeout clinet 3s\n"), ["7:11 error haproxy/unknown-keyword: clinet"]);
  assert.equal(helpOf("  timeout clinet 3s\n"), "did you mean 'client'?");
});

test("a misspelt section is one complaint, and its lines are read", () => {
  assert.deepEqual(seriousOf(loadTexts(`${TIMEOUTS}fronted f\n  bind :1\n  maxcon 5\n`)), [
    "5:1 error haproxy/unknown-section: fronted",
    "7:3 error haproxy/unknown-keyword: maxcon",
  ]);
});

test("a backend that is not there is marked where it is named, with the nearest one", () => {
  const { diagnostics } = loadTexts(
    `${TIMEOUTS}frontend f\n  bind :1\n  default_backend webservers\nbackend web_servers\n`,
  );
  assert.deepEqual(
    diagnostics.list.map(({ code, help, span }) => [code, help, span.source.positionOf(span.start)]),
    [["haproxy/unknown-backend", "did you mean 'web_servers'?", { line: 7, column: 19 }]],
  );
});

test("values are marked themselves", () => {
  assert.deepEqual(said("  server s 10.0.0.1:80 weight 300\n"), ["7:31 error haproxy/bad-value: 300"]);
  assert.deepEqual(said("  server s 10.0.0.300:80\n"), ["7:12 error haproxy/bad-address: 10.0.0.300:80"]);
  assert.deepEqual(said("  server s web.example:80\n"), ["7:12 error haproxy/host-name: web.example:80"]);
  assert.deepEqual(said("  bind 10.0.0.1:80,x.example:81,/sock\n"), [
    "7:20 error haproxy/host-name: x.example:81",
    "7:33 error haproxy/not-implemented: /sock",
  ]);
  assert.deepEqual(said("  timeout check 3 s\n"), ["7:19 error haproxy/extra-argument: s"]);
  assert.deepEqual(said("  timeout check 3q\n"), ["7:17 error haproxy/bad-time: 3q"]);
  assert.deepEqual(said("  balance roundrobbin\n"), ["7:11 error haproxy/bad-value: roundrobbin"]);
  assert.deepEqual(said("  log 10.0.0.1 locl0\n"), ["7:16 error haproxy/bad-value: locl0"]);
});

test("each word of a cookie that is not implemented is one complaint", () => {
  assert.deepEqual(said("  mode http\n  cookie A insert maxidle 5m dynamic\n"), [
    "8:19 error haproxy/not-implemented: maxidle",
    "8:30 error haproxy/not-implemented: dynamic",
  ]);
});

test("missing words are marked by what they are missing from", () => {
  assert.deepEqual(seriousOf(loadTexts(`${TIMEOUTS}listen ""\n  bind :1\n`)), [
    '5:1 error haproxy/missing-argument: listen ""',
  ]);
  assert.deepEqual(said("  server\n"), ["7:3 error haproxy/missing-argument: server"]);
  assert.deepEqual(said("  server s\n"), ["7:3 error haproxy/missing-argument: server s"]);
  assert.deepEqual(said("  server s 10.0.0.1:1 inter\n"), [
    "7:3 error haproxy/missing-argument: server s 10.0.0.1:1 inter",
  ]);
});

test("misplaced keywords name the sections that they belong into", () => {
  assert.equal(
    loadTexts(`${TIMEOUTS}frontend f\n  bind :1\n  balance leastconn\n`).diagnostics.list[0]?.help,
    "it belongs into defaults, backend, listen",
  );
});

test("missing time-outs are named with a line to add", () => {
  const { diagnostics } = loadTexts("listen l\n  bind :1\n  server s 10.0.0.1:1\n  timeout server 1s\n");
  assert.deepEqual(
    diagnostics.list.map(({ message, help }) => [message, help]),
    [
      [
        "'listen l' has no time-out for 'client', 'connect'",
        "without it a connection may stay for ever; add 'timeout client 30s', 'timeout connect 30s'",
      ],
    ],
  );
});

test("an error in one place hides none in another, and there is no model", () => {
  const { model, diagnostics } = loadTexts(
    "global\n  maxcon 1\nlisten l\n  bind x\n  server s\nfrontend f\n  default_backend b\n",
  );
  assert.equal(model, undefined);
  assert.deepEqual(
    diagnostics.list.filter(({ severity }) => severity === "error").map(({ code }) => code),
    ["haproxy/unknown-keyword", "haproxy/host-name", "haproxy/missing-argument", "haproxy/unknown-backend"],
  );
});

test("daemon is accepted with a note", () => {
  const loaded = loadTexts(`global\n  daemon\n${TIMEOUTS}listen l\n  bind :1\n`);
  assert.deepEqual(seriousOf(loaded), []);
  assert.deepEqual(notesOf(loaded), ["2:3 note haproxy/without-effect: daemon"]);
});
