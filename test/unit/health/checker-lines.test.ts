/** Lines that keepalived 2.2.7 wrote over the kernel's IPVS, with checkers that connect elsewhere than to their server. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { instantAt, seconds } from "../../../src/base/time.ts";
import type { Checker } from "../../../src/config/model/virtual-server.ts";
import { afterProbe, initialChecker, type ProbeResult } from "../../../src/health/checker.ts";
import { verdictLine } from "../../../src/health/checker-lines.ts";
import { address, connection, realServer, SCHEDULE, script, virtualServer } from "../../support/virtual-servers.ts";

const elsewhere = { connection: connection("10.0.1.9", 81) };
const http = { httpVersion: "1.0", fastRecovery: false, urls: [], tls: undefined } as const;
const checker = (retry: number, what: object): Checker => ({ ...SCHEDULE, retry, ...elsewhere, ...what }) as Checker;
const REFUSED = "failed to read socket; errno 111 (Connection refused)";

/** The line of the verdict that the last of these results brings about. */
function lineOf(asked: Checker, results: readonly boolean[], said?: string): string | undefined {
  const server = realServer("10.0.1.1", { checkers: [asked] });
  let state = initialChecker(asked, true, 0, instantAt(0));
  let line: string | undefined;
  for (const ok of results) {
    const result: ProbeResult = ok ? { ok, detail: "" } : { ok, detail: "exited with status 1", line: said };
    const step = afterProbe(asked, state, result, instantAt(1));
    state = step.state;
    line = step.verdict && verdictLine(virtualServer([server]), server, asked, result, step.retried);
  }
  return line;
}

const [S, misc] = ["[10.0.1.1]:tcp:80", { type: "MISC_CHECK", command: script("/usr/bin/test"), timeout: seconds(1) }];
for (const [type, own, retry, results, line] of [
  ["TCP_CHECK", {}, 2, [true], `TCP connection to ${S} success.`],
  ["TCP_CHECK", {}, 2, [false], `TCP_CHECK on service ${S} failed.`],
  ["TCP_CHECK", {}, 0, [true, false], `TCP_CHECK on service ${S} failed.`],
  ["TCP_CHECK", {}, 1, [true, false, false], `TCP_CHECK on service ${S} failed after 1 retries.`],
  ["HTTP_GET", http, 2, [false], `HTTP_CHECK on service ${S} failed after 2 retries.`],
  ["SSL_GET", http, 1, [false], `HTTP_CHECK on service ${S} failed after 1 retries.`],
  ["SSL_GET", http, 0, [true, false], `HTTP_CHECK on service ${S} failed.`],
  ["SSL_GET", http, 0, [true], `Remote Web server ${S} succeed on service.`],
  ["SMTP_CHECK", {}, 0, [true], `Remote SMTP server ${S} succeed on service.`],
  ["DNS_CHECK", {}, 0, [true], undefined],
  ["DNS_CHECK", {}, 2, [false], `DNS_CHECK (${S}) ${REFUSED}`],
  ["DNS_CHECK", {}, 0, [true, false], `DNS_CHECK (${S}) ${REFUSED} after 0 retries`],
  ["UDP_CHECK", {}, 2, [true, false, false, false], `UDP_CHECK on service ${S} failed after 2 retries.`],
  ["PING_CHECK", {}, 0, [true], `ICMP connection to ${S} success.`],
  [
    "MISC_CHECK",
    misc,
    1,
    [true, false, false],
    `Misc check for [${S} VS [10.0.0.1]:tcp:80] by [/usr/bin/test] failed after 1 retry (exited with status 1).`,
  ],
  ["FILE_CHECK", { trackFile: "tf" }, 0, [true, false], `(${S}): tracked file tf now FAULT state`],
  ["FILE_CHECK", { trackFile: "tf" }, 0, [true, false, true], `(${S}): tracked file tf leaving FAULT state`],
] as const) {
  const course = results.map((ok) => (ok ? "passes" : "fails")).join(", ");
  test(`${type} with retry ${retry} that ${course} says ${line ?? "nothing"}`, () => {
    assert.equal(lineOf(checker(retry, { type, ...own }), results, type === "DNS_CHECK" ? REFUSED : undefined), line);
  });
}

test("servers of a service by firewall mark are named without a protocol", () => {
  const services = [{ kind: "mark", mark: 3, family: 4 }] as const;
  const asked = checker(0, { type: "TCP_CHECK" });
  const named = (port: number) => {
    const server = realServer("10.0.1.1", { key: { address: address("10.0.1.1"), port } });
    const virtual = virtualServer([server], { name: "FWM 3", services });
    return verdictLine(virtual, server, asked, { ok: true, detail: "" }, undefined);
  };
  assert.equal(named(80), "TCP connection to [10.0.1.1]:none:80 success.");
  assert.equal(named(0), "TCP connection to [10.0.1.1]:none:0 success.");
});
