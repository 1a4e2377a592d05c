import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HeaderList } from "../../../src/http/headers.ts";
import {
  CHUNK_END,
  chunkHeader,
  encodeRequestHead,
  encodeResponseHead,
  lastChunk,
  writeRequestHead,
  writeResponseHead,
} from "../../../src/http/write.ts";

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const request = { method: "GET", target: "/é", version: "1.1" as const, headers: HeaderList.of(["Host", "a"]) };
const response = { version: "1.0" as const, status: 404, reason: "", headers: HeaderList.of(["X", "\xff"]) };

describe("writing messages", () => {
  test("heads are written as latin-1 with lower-case names", () => {
    assert.equal(text(encodeRequestHead(request)), "GET /é HTTP/1.1\r\nhost: a\r\n\r\n");
    assert.equal(text(encodeResponseHead(response)), "HTTP/1.0 404 \r\nx: \xff\r\n\r\n");
  });

  test("a head is written into a buffer where it fits and nowhere else", () => {
    const size = encodeRequestHead(request).length;
    const buffer = new Uint8Array(size + 3).fill(0x2e);
    assert.equal(writeRequestHead(request, buffer, 3), size + 3);
    assert.equal(text(buffer), `...GET /é HTTP/1.1\r\nhost: a\r\n\r\n`);
    const untouched = buffer.slice();
    assert.equal(writeRequestHead(request, buffer, 4), -1);
    assert.equal(writeResponseHead({ ...response, reason: "x".repeat(99) }, buffer, 0), -1);
    assert.deepEqual(buffer, untouched);
  });

  test("chunks have hexadecimal sizes, and trailers end the body", () => {
    assert.equal(text(chunkHeader(0x1af)), "1af\r\n");
    assert.equal(text(CHUNK_END), "\r\n");
    assert.equal(text(lastChunk()), "0\r\n\r\n");
    assert.equal(text(lastChunk(HeaderList.of(["X-Sum", "1"]))), "0\r\nx-sum: 1\r\n\r\n");
  });

  test("no value can end its line", () => {
    const headers = HeaderList.of(["a", "b\r\nc: d\0"]);
    headers.set("e", "f\ng");
    assert.equal(text(lastChunk(headers)), "0\r\na: b  c: d \r\ne: f g\r\n\r\n");
  });
});

describe("header lists", () => {
  const list = () => HeaderList.of(["a", "1"], ["B", "2"], ["a", "3"], ["c", "4"]);

  test("lines are found by name, first, last and all", () => {
    assert.equal(list().get("a"), "1");
    assert.equal(list().last("a"), "3");
    assert.deepEqual(list().all("a"), ["1", "3"]);
    assert.deepEqual([list().has("b"), list().has("d"), list().get("d"), list().size], [true, false, undefined, 4]);
  });

  test("setting replaces in place and leaves one line", () => {
    const headers = list();
    headers.set("A", "9");
    headers.set("d", "5");
    assert.deepEqual(headers.flat, ["a", "9", "b", "2", "c", "4", "d", "5"]);
  });

  test("removing says how many lines went", () => {
    const headers = list();
    assert.equal(headers.remove("a"), 2);
    assert.equal(headers.remove("a"), 0);
    assert.deepEqual(
      [...headers],
      [
        ["b", "2"],
        ["c", "4"],
      ],
    );
    assert.deepEqual(list().copy().flat, list().flat);
  });
});
