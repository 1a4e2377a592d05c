import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { LogLevel, LogTarget } from "../../../src/config/model/proxy.ts";
import { escapeForLog } from "../../../src/proxy/log-format.ts";
import { formatLogLine, type LogHeader } from "../../../src/proxy/log-line.ts";

const TARGET: LogTarget = {
  to: { kind: "stdout" },
  length: 1024,
  format: "local",
  facility: 16,
  level: "debug",
  minLevel: "emerg",
};
const HEADER: LogHeader = {
  timeMs: Date.UTC(2026, 10, 3, 23, 38, 33, 630),
  utcOffsetMinutes: 90,
  hostname: "myhost",
  tag: "haproxy",
  pid: 77,
};
const line = (changed: Partial<LogTarget>, level: LogLevel = "info", message = "text", header = HEADER) =>
  formatLogLine({ ...TARGET, ...changed }, level, header, message);

describe("the header of a log line", () => {
  for (const [format, expected] of [
    ["rfc3164", "<134>Nov  4 01:08:33 myhost haproxy[77]: text"],
    ["rfc5424", "<134>1 2026-11-04T01:08:33.630000+01:30 myhost haproxy 77 - - text"],
    ["local", "<134>Nov  4 01:08:33 haproxy[77]: text"],
    ["raw", "text"],
    ["short", "<6>text"],
    ["timed", "<6>2026-11-04T01:08:33.630000+01:30 text"],
    ["iso", "2026-11-04T01:08:33.630000+01:30 text"],
    ["priority", "<134>text"],
  ] as const) {
    test(`of format ${format}`, () => assert.equal(line({ format }), expected));
  }

  test("shows times west of Greenwich, and leaves out a host name that is not sent", () => {
    const header = { ...HEADER, utcOffsetMinutes: -300, hostname: "" };
    assert.equal(line({ format: "iso" }, "info", "x", header), "2026-11-03T18:38:33.630000-05:00 x");
    assert.equal(line({ format: "rfc3164" }, "info", "x", header), "<134>Nov  3 18:38:33 haproxy[77]: x");
  });
});

test("a target takes what is severe enough, and nothing more severe than its least level", () => {
  assert.equal(line({ level: "notice", format: "short" }, "info"), undefined);
  assert.equal(line({ level: "notice", format: "short" }, "notice"), "<5>text");
  assert.equal(line({ minLevel: "warning", format: "short" }, "emerg"), "<4>text");
  assert.equal(line({ minLevel: "warning", format: "short" }, "debug"), "<7>text");
});

test("a line is cut to the target's length", () => {
  assert.equal(line({ format: "raw", length: 10 }, "info", "0123456789abcdef"), "012345678");
});

test("what a stranger sent cannot leave its place in a log line", () => {
  assert.equal(escapeForLog('GET /\r\n"#\x00é HTTP/1.1'), "GET /#0D#0A#22#23#00#E9 HTTP/1.1");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.match(escapeForLog(text), /^[ !$-~]*(#[0-9A-F]{2}[ !$-~]*)*$/);
    }),
  );
});
