import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PROBLEM_CODES } from "../../../src/http/problem.ts";
import { type Case, eventsOf, readCases } from "./cases.ts";

const cases = readCases(new URL("../../conformance/http/", import.meta.url));
const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

const NEXT = {
  request: {
    input: bytes("GET / HTTP/1.1\r\nHost: n\r\n\r\n"),
    lines: ["head GET / HTTP/1.1 → none", "  host: n", "end"],
  },
  response: {
    input: bytes("HTTP/1.1 203 Next\r\nContent-Length: 0\r\n\r\n"),
    lines: ["head HTTP/1.1 203 Next → length 0", "  content-length: 0", "end"],
  },
};

/** What a message that follows at once adds to the events; undefined where nothing can follow. */
function followed(one: Case): string[] | undefined {
  const last = one.expected.findLast((line) => !line.startsWith("  ")) ?? "";
  if (one.close) return undefined;
  if (last.startsWith("problem")) return [...one.expected];
  if (last !== "end" || (one.side === "response" && one.answered.at(-1) !== "GET")) return undefined;
  return [...one.expected, ...NEXT[one.side].lines];
}

describe("HTTP/1.1 cases", () => {
  test("there are at least 120 of them and no two have the same title in a file", () => {
    assert.ok(cases.length >= 120, `${cases.length} cases`);
    assert.equal(new Set(cases.map((one) => `${one.file} ${one.title}`)).size, cases.length);
  });

  test("every problem code has a case", () => {
    const seen = new Set(cases.flatMap((one) => one.expected).map((line) => /^problem (\S+)/.exec(line)?.[1]));
    assert.deepEqual(
      PROBLEM_CODES.filter((code) => !seen.has(code)),
      [],
    );
  });

  for (const one of cases) {
    test(`${one.file}: ${one.title}`, () => {
      assert.deepEqual(eventsOf([one.input], one).lines, one.expected, "whole");
      assert.deepEqual(
        eventsOf(
          Array.from(one.input, (octet) => Uint8Array.of(octet)),
          one,
        ).lines,
        one.expected,
        "bytewise",
      );
      for (let at = 1; at < one.input.length; at++) {
        const parts = [one.input.subarray(0, at), one.input.subarray(at)];
        assert.deepEqual(eventsOf(parts, one).lines, one.expected, `split at ${at}`);
      }
      const expected = followed(one);
      if (expected === undefined) return;
      const more = new Uint8Array([...one.input, ...NEXT[one.side].input]);
      assert.deepEqual(eventsOf([more], { ...one, close: false }).lines, expected, "followed by another message");
    });
  }
});
