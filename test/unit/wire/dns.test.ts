import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DNS_TYPES, decodeDnsHeader, encodeDnsQuery } from "../../../src/wire/dns.ts";

const hex = (bytes: Uint8Array) => bytes.toHex();

test("a query is a header with one question, recursion desired, and the name in labels", () => {
  const query = encodeDnsQuery(0x1234, "a.example", DNS_TYPES.A);
  assert.ok(query.ok);
  assert.equal(hex(query.value), "1234010000010000000000000161076578616d706c650000010001");
});

test("the root is a name without labels, and a final dot changes nothing", () => {
  const root = encodeDnsQuery(1, ".", DNS_TYPES.SOA);
  assert.ok(root.ok);
  assert.equal(hex(root.value), "0001010000010000000000000000060001");
  assert.deepEqual(encodeDnsQuery(1, "example.", DNS_TYPES.NS), encodeDnsQuery(1, "example", DNS_TYPES.NS));
});

test("labels have 1 to 63 bytes and names at most 255", () => {
  assert.deepEqual(encodeDnsQuery(1, "a..b", 1), { ok: false, error: "label" });
  assert.deepEqual(encodeDnsQuery(1, "x".repeat(64), 1), { ok: false, error: "label" });
  assert.deepEqual(encodeDnsQuery(1, Array(5).fill("x".repeat(60)).join("."), 1), { ok: false, error: "name" });
});

test("an answer's header says whose it is and how it went", () => {
  const bytes = Uint8Array.fromHex("beef8183000100020000000000");
  assert.deepEqual(decodeDnsHeader(bytes), {
    ok: true,
    value: { id: 0xbeef, response: true, truncated: false, rcode: 3, questions: 1, answers: 2 },
  });
});

test("whatever the bytes are, they give a header or the reason why not", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.equal(decodeDnsHeader(bytes).ok, bytes.length >= 12);
    }),
    { numRuns: 200 },
  );
});

test("what is asked can be read back", () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.array(fc.stringMatching(/^[a-z0-9]{1,20}$/), { maxLength: 5 }), (id, labels) => {
      const query = encodeDnsQuery(id, labels.join("."), 1);
      assert.ok(query.ok);
      const header = decodeDnsHeader(query.value);
      assert.deepEqual(header.ok && [header.value.id, header.value.response, header.value.questions], [id, false, 1]);
    }),
    { numRuns: 100 },
  );
});
