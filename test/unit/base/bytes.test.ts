import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter } from "../../../src/base/bytes.ts";

test("what is written comes back whatever the capacity at the start", () => {
  for (let capacity = 0; capacity < 24; capacity++) {
    const bytes = new ByteWriter(capacity)
      .u8(0x01)
      .u16(0x0203)
      .u32(0x04050607)
      .hostU16(0x0908)
      .hostU32(0x0d0c0b0a)
      .zeros(2)
      .put(Uint8Array.of(0x10))
      .done();
    assert.deepEqual(bytes, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 0, 16), `capacity ${capacity}`);
    const reader = new ByteReader(bytes);
    assert.deepEqual([reader.u8(), reader.u16(), reader.u32()], [0x01, 0x0203, 0x04050607]);
    assert.deepEqual([reader.hostU16(), reader.hostU32()], [0x0908, 0x0d0c0b0a]);
    assert.deepEqual(reader.take(3), Uint8Array.of(0, 0, 16));
    assert.equal(reader.truncated, false);
    assert.equal(reader.u8(), 0);
    assert.equal(reader.truncated, true);
  }
});
