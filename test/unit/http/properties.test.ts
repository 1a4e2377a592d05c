import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { HeaderList } from "../../../src/http/headers.ts";
import type { RequestHead, ResponseHead } from "../../../src/http/message.ts";
import { RequestReader } from "../../../src/http/request-reader.ts";
import { ResponseReader } from "../../../src/http/response-reader.ts";
import { encodeRequestHead, encodeResponseHead } from "../../../src/http/write.ts";
import { eventsOf, readCases } from "./cases.ts";

const cases = readCases(new URL("../../conformance/http/", import.meta.url));

/** Inputs of the cases with a few bytes changed, dropped or repeated: far closer to trouble than random bytes are. */
const mangled = fc
  .record({
    one: fc.constantFrom(...cases),
    edits: fc.array(
      fc.record({
        at: fc.nat(),
        kind: fc.constantFrom("set", "drop", "repeat", "insert"),
        octet: fc.oneof(fc.constantFrom(0, 9, 10, 11, 13, 32, 44, 48, 58, 59, 0x80), fc.nat(255)),
      }),
      { maxLength: 4 },
    ),
  })
  .map(({ one, edits }) => {
    const octets = [...one.input];
    for (const { at, kind, octet } of edits) {
      const place = octets.length === 0 ? 0 : at % octets.length;
      if (kind === "set") octets[place] = octet;
      else if (kind === "drop") octets.splice(place, 1);
      else if (kind === "repeat") octets.splice(place, 0, ...octets.slice(place, place + 8));
      else octets.splice(place, 0, octet);
    }
    return { one, input: Uint8Array.from(octets) };
  });

const anything = fc.oneof(
  mangled,
  fc.record({ one: fc.constantFrom(...cases), input: fc.uint8Array({ maxLength: 200 }) }),
);

function cut(input: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (input.length + 1)))].sort((a, b) => a - b);
  return [...at, input.length].map((end, i) => input.subarray(at[i - 1] ?? 0, end));
}

const tokenCharacter = fc.constantFrom(..."!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCXYZ");
const token = fc.string({ unit: tokenCharacter, minLength: 1, maxLength: 20 });
const latin1 = fc.integer({ min: 0x20, max: 0xff }).filter((octet) => octet !== 0x7f);
const value = fc
  .array(fc.oneof(latin1, fc.constant(9)), { maxLength: 30 })
  .map((octets) => String.fromCharCode(...octets).replaceAll(/^[ \t]+|[ \t]+$/g, ""));
/** Names with a meaning for framing or routing are left out. */
const field = fc.tuple(
  token.map((name) => `x-${name}`.toLowerCase()),
  value,
);
const headers = fc.array(field, { maxLength: 20 }).map((pairs) => HeaderList.of(["host", "example"], ...pairs));
const target = fc
  .array(
    fc.integer({ min: 0x21, max: 0x7e }).filter((octet) => octet !== 0x23),
    { maxLength: 40 },
  )
  .map((octets) => `/${String.fromCharCode(...octets)}`);

describe("HTTP/1.1 reader properties", () => {
  test("no input makes a reader throw, and where it is split does not matter", () => {
    fc.assert(
      fc.property(anything, fc.array(fc.nat(), { maxLength: 6 }), ({ one, input }, places) => {
        assert.deepEqual(eventsOf(cut(input, places), one).lines, eventsOf([input], one).lines);
      }),
      { numRuns: 400 },
    );
  });

  test("a request head that was written is read back unchanged", () => {
    const version = fc.constantFrom("1.0" as const, "1.1" as const);
    fc.assert(
      fc.property(token, target, version, headers, (method, path, spoken, list) => {
        fc.pre(method !== "CONNECT");
        const head: RequestHead = { method, target: path, version: spoken, headers: list };
        const reader = new RequestReader();
        reader.receive(encodeRequestHead(head));
        assert.deepEqual(reader.next(), { kind: "head", head, framing: { kind: "none" } });
        assert.equal(reader.next().kind, "end");
        assert.equal(reader.next().kind, "need-data");
      }),
    );
  });

  test("a response head that was written is read back unchanged", () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 999 }), value, headers, (status, reason, list) => {
        fc.pre(status !== 204 && status !== 304);
        const head: ResponseHead = { version: "1.1", status, reason, headers: list };
        const reader = new ResponseReader();
        reader.expect({ method: "GET", upgrade: false });
        reader.receive(encodeResponseHead(head));
        assert.deepEqual(reader.next(), { kind: "head", head, framing: { kind: "until-close" } });
      }),
    );
  });

  test("a body that is chunked in any way comes out as it went in", () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 });
    fc.assert(
      fc.property(chunks, fc.array(fc.nat(), { maxLength: 6 }), (parts, places) => {
        const head = latin1Bytes("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        const framed = parts.flatMap((part) => [...latin1Bytes(`${part.length.toString(16)}\r\n`), ...part, 13, 10]);
        const input = Uint8Array.from([...head, ...framed, ...latin1Bytes("0\r\n\r\n")]);
        const body = String.fromCharCode(...parts.flatMap((part) => [...part]));
        const { lines } = eventsOf(cut(input, places), request);
        assert.deepEqual(lines.slice(3), body === "" ? ["end"] : [`data ${JSON.stringify(body)}`, "end"]);
      }),
    );
  });

  test("an endless head is refused at the limit, whatever the size of its parts", () => {
    for (const size of [1, 7, 999, 5_000]) {
      const reader = new RequestReader({ headBytes: 1_000 });
      reader.receive(latin1Bytes("GET / HTTP/1.1\r\nx: "));
      const part = new Uint8Array(size).fill(0x61);
      let given = 19;
      let event = reader.next();
      for (; event.kind === "need-data" && given < 10_000; event = reader.next()) {
        reader.receive(part);
        given += size;
      }
      assert.deepEqual(event.kind === "problem" && [event.code, event.offset], ["head-too-large", 1_000]);
      assert.ok(given < 1_000 + size);
    }
  });
});

const latin1Bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

const request = { side: "request", options: {}, answered: ["GET"], upgrade: false, close: false } as const;
