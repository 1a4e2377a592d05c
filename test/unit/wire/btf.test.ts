import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { type Btf, parseBtf, parseObjectBtf } from "../../../src/wire/btf.ts";
import { elfSections, elfSymbols } from "../../../src/wire/elf.ts";
import { structCodec } from "../../../src/wire/struct-codec.ts";

const object = readFileSync(new URL("../../fixtures/bpf/sample.bpf.o", import.meta.url));
const section = elfSections(object)?.find(({ name }) => name === ".BTF")?.bytes ?? assert.fail();

function sample(): Btf {
  const parsed = parseObjectBtf(object);
  assert.ok(parsed.ok);
  return parsed.value;
}

const integer = (bytes: number, signed = false) => ({ kind: "integer", bytes, signed });

test("sections and symbols of an object are found by name", () => {
  const sections = elfSections(object) ?? assert.fail();
  const rodata = sections.find(({ name }) => name === ".rodata") ?? assert.fail();
  assert.deepEqual([...rodata.bytes.subarray(0, 16)], [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const symbols = elfSymbols(sections).filter((symbol) => symbol.section === rodata.index);
  assert.deepEqual(
    symbols.map(({ name, offset, bytes }) => ({ name, offset, bytes })).sort((a, b) => a.offset - b.offset),
    [
      { name: "slot", offset: 0, bytes: 4 },
      { name: "verdict", offset: 4, bytes: 2 },
      { name: "steps", offset: 6, bytes: 1 },
      { name: "mark_to_set", offset: 8, bytes: 8 },
    ],
  );
});

test("a struct's fields have offset, size and kind, through typedefs, qualifiers and nameless members", () => {
  const value = sample().structs.get("sample_value") ?? assert.fail();
  assert.equal(value.bytes, 88);
  assert.deepEqual(
    value.fields.map(({ name, offset, type }) => [name, offset, type.kind, type.bytes]),
    [
      ["packets", 0, "integer", 8],
      ["balance", 8, "integer", 4],
      ["kind", 12, "integer", 4],
      ["peer", 16, "struct", 20],
      ["weights", 36, "array", 6],
      ["name", 42, "array", 6],
      ["mark", 48, "integer", 4],
      ["halves", 48, "array", 4],
      ["number", 56, "integer", 4],
      ["ports_be", 60, "array", 4],
      ["timer", 64, "struct", 16],
      ["pointer", 80, "opaque", 8],
    ],
  );
  assert.deepEqual(value.fields.find(({ name }) => name === "balance")?.type, integer(4, true));
  assert.deepEqual(value.fields.find(({ name }) => name === "number")?.type, integer(4));
});

test("enumerators, variables and maps are known by name", () => {
  const { values, variables, maps, structs } = sample();
  assert.deepEqual(Object.fromEntries(values), { SAMPLE_NOTHING: 0, SAMPLE_SOMETHING: 7 });
  assert.deepEqual(variables.get("verdict"), integer(2, true));
  assert.deepEqual(variables.get("mark_to_set"), integer(8));
  assert.deepEqual([...maps.keys()], ["flows", "counts", "scratch", "prefixes"]);
  const { key, value, ...flows } = maps.get("flows") ?? assert.fail();
  assert.deepEqual(flows, { type: 1, maxEntries: 16, keyBytes: 20, valueBytes: 88 });
  assert.deepEqual([key, value], [structs.get("sample_key"), structs.get("sample_value")]);
  const { maxEntries, keyBytes, valueBytes } = maps.get("scratch") ?? assert.fail();
  assert.deepEqual([maxEntries, keyBytes, valueBytes], [2, 4, 12], "sizes that are given as numbers");
});

test("a struct is written and read by the names of its fields", () => {
  const codec = structCodec(sample(), "sample_key");
  const address = Uint8Array.of(192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const bytes = codec.encode({ address, port_be: 0x1f90, protocol: 6 });
  assert.deepEqual([...bytes.subarray(0, 4)], [192, 0, 2, 1]);
  assert.deepEqual([...bytes.subarray(16)], [0x1f, 0x90, 6, 0]);
  assert.deepEqual(codec.decode(bytes), { address, port_be: 0x1f90, protocol: 6, pad: 0 });
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  assert.deepEqual(codec.decode(shifted, 3), codec.decode(bytes));
});

test("a big struct's fields lie where the compiler put them, and what has no fields is zero", () => {
  const codec = structCodec(sample(), "sample_value");
  const bytes = codec.encode({
    packets: 0x0102_0304_0506_0708n,
    balance: -2,
    kind: 7,
    peer: { protocol: 17 },
    weights: [1, 0x203],
    name: new TextEncoder().encode("evenke"),
    halves: [0x1111, 0x2222],
    ports_be: Uint8Array.of(0, 80, 1, 187),
  });
  assert.equal(bytes.length, 88);
  assert.deepEqual([...bytes.subarray(0, 16)], [8, 7, 6, 5, 4, 3, 2, 1, 0xfe, 0xff, 0xff, 0xff, 7, 0, 0, 0]);
  assert.deepEqual([...bytes.subarray(34, 42)], [17, 0, 1, 0, 3, 2, 0, 0]);
  assert.equal(new TextDecoder().decode(bytes.subarray(42, 48)), "evenke");
  assert.deepEqual([...bytes.subarray(60, 64)], [0, 80, 1, 187]);
  const decoded = codec.decode(bytes);
  assert.deepEqual(
    [decoded.mark, decoded.balance, decoded.packets],
    [0x2222_1111, -2, 0x0102_0304_0506_0708n],
    "both members of the union",
  );
  assert.equal("timer" in decoded || "pointer" in decoded || "low" in decoded, false);
});

test("what does not fit a field is refused by name", () => {
  const codec = structCodec(sample(), "sample_value");
  const cases: readonly [object, RegExp][] = [
    [{ nobody: 1 }, /TypeError: sample_value has no field nobody/],
    [{ balance: 2 ** 31 }, /RangeError: balance is -2147483648 to 2147483647/],
    [{ balance: 0.5 }, /RangeError: balance/],
    [{ number: -1 }, /RangeError: number is 0 to 4294967295/],
    [{ number: 1n }, /TypeError: number must be a number/],
    [{ packets: 1 }, /TypeError: packets must be a bigint/],
    [{ packets: 2n ** 64n }, /RangeError: packets is 64 bits/],
    [{ peer: { port_be: 65_536 } }, /RangeError: port_be is 0 to 65535/],
    [{ peer: 5 }, /TypeError: peer must be an object/],
    [{ peer: { address: new Uint8Array(4) } }, /TypeError: word_be must be a Uint8Array of 16 bytes/],
    [{ weights: [1, 2, 3, 4] }, /TypeError: weights must be an array of 3/],
    [{ name: "text" }, /TypeError: name must be a Uint8Array of 6 bytes/],
  ];
  for (const [value, message] of cases) {
    assert.throws(
      () => codec.encode(value),
      (error) => message.test(String(error)),
      String(message),
    );
  }
  assert.throws(() => codec.decode(new Uint8Array(87)), /RangeError: sample_value has 88 bytes/);
  assert.throws(() => structCodec(sample(), "nobody"), /RangeError: there is no struct nobody/);
});

test("every value of a struct is read as it was written", () => {
  const codec = structCodec(sample(), "sample_value");
  const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
  const u16 = fc.integer({ min: 0, max: 0xffff });
  const u8 = fc.integer({ min: 0, max: 0xff });
  const plain = { noNullPrototype: true } as const;
  const value = fc.record(
    {
      packets: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      balance: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      kind: u32,
      peer: fc.record(
        {
          address: fc.uint8Array({ minLength: 16, maxLength: 16 }),
          port_be: u16,
          protocol: u8,
          pad: u8,
        },
        plain,
      ),
      weights: fc.array(u16, { minLength: 3, maxLength: 3 }),
      name: fc.uint8Array({ minLength: 6, maxLength: 6 }),
      mark: u32,
      number: u32,
      ports_be: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    },
    plain,
  );
  fc.assert(
    fc.property(value, (given) => {
      const { halves, ...decoded } = codec.decode(codec.encode(given));
      assert.deepEqual(decoded, given);
      assert.deepEqual(halves, [given.mark & 0xffff, given.mark >>> 16]);
    }),
  );
});

test("bytes that are no object or no type information give a reason", () => {
  assert.deepEqual(parseObjectBtf(new Uint8Array(3)), { ok: false, error: "not-elf" });
  assert.deepEqual(parseObjectBtf(section), { ok: false, error: "not-elf" });
  const bare = Uint8Array.from(object);
  const names = elfSections(bare)?.find(({ name }) => name === ".strtab")?.bytes ?? assert.fail();
  names.fill(0x78);
  assert.deepEqual(parseObjectBtf(bare), { ok: false, error: "no-btf-section" });
  assert.deepEqual(parseBtf(new Uint8Array()), { ok: false, error: "bad-magic" });
  assert.deepEqual(parseBtf(section.subarray(0, 20)), { ok: false, error: "truncated" });
  assert.deepEqual(parseBtf(section.subarray(0, section.length - 1)), { ok: false, error: "truncated" });
  const strange = Uint8Array.from(section);
  // The kind of the first type, in the upper bits of its second word.
  strange[24 + 7] = 31;
  assert.deepEqual(parseBtf(strange), { ok: false, error: "unknown-kind" });
});

test("no bytes, however bad, raise an exception or take long", () => {
  const damaged = (whole: Uint8Array) =>
    fc
      .array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 20,
      })
      .map((changes) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
  fc.assert(
    fc.property(damaged(object), damaged(section), fc.uint8Array({ maxLength: 200 }), (elf, btf, junk) => {
      parseObjectBtf(elf);
      elfSymbols(elfSections(elf) ?? []);
      parseBtf(btf);
      parseBtf(junk);
      parseBtf(Uint8Array.of(0x9f, 0xeb, 1, 0, ...junk));
    }),
  );
});

test("types that contain themselves many times over end somewhere", () => {
  // A struct of 1,000 nameless members of its own type: 1000^32 fields, were each of them followed.
  const members = 1_000;
  const types = new DataView(new ArrayBuffer(12 + members * 12));
  types.setUint32(0, 1, true);
  types.setUint32(4, (4 << 24) | members, true);
  types.setUint32(8, 0xffff_ffff, true);
  for (let i = 0; i < members; i++) types.setUint32(12 + i * 12 + 4, 1, true);
  const header = new DataView(new ArrayBuffer(24));
  header.setUint16(0, 0xeb9f, true);
  for (const [index, value] of [24, 0, types.byteLength, types.byteLength, 3].entries()) {
    header.setUint32(4 + index * 4, value, true);
  }
  const bytes = Uint8Array.of(...new Uint8Array(header.buffer), ...new Uint8Array(types.buffer), 0, 0x78, 0);
  const parsed = parseBtf(bytes);
  assert.deepEqual(parsed.ok && [...parsed.value.structs.keys()], ["x"]);
});
