import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blockOf, ReadBlocks } from "../../../src/sys/read-blocks.ts";

describe("a connection reads", () => {
  test("into the same memory again and again while nobody uses it", () => {
    const blocks = new ReadBlocks();
    const first = blocks.next();
    assert.equal(blocks.next(), first);
    assert.equal(blocks.next(), first);
  });

  test("into other memory as long as a write of the old bytes is not complete, and into the old one afterwards", () => {
    const blocks = new ReadBlocks();
    const first = blocks.next();
    const block = blockOf.get(first.buffer) ?? assert.fail("unknown block");
    block.users++;
    const second = blocks.next();
    assert.notEqual(second, first);
    assert.equal(new ReadBlocks().next() === first, false);
    block.release();
    assert.equal(new ReadBlocks().next(), first);
  });

  test("into other memory while it is paused, until it goes on", () => {
    const blocks = new ReadBlocks();
    const first = blocks.next();
    blocks.retain();
    const second = blocks.next();
    assert.notEqual(second, first);
    assert.equal(blocks.next(), second);
    blocks.forget();
    assert.equal(new ReadBlocks().next(), first);
  });

  test("and gives everything back when it closes", () => {
    const blocks = new ReadBlocks();
    const first = blocks.next();
    blocks.retain();
    const second = blocks.next();
    blocks.close();
    assert.deepEqual(new Set([new ReadBlocks().next(), new ReadBlocks().next()]), new Set([first, second]));
  });
});
