import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RequestReader } from "../../../src/http/request-reader.ts";
import { ResponseReader } from "../../../src/http/response-reader.ts";

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

describe("message readers", () => {
  test("body data is a view of what was received, not a copy", () => {
    const reader = new RequestReader();
    reader.receive(bytes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"));
    assert.equal(reader.next().kind, "head");
    const part = bytes("01234");
    reader.receive(part);
    const whole = reader.next();
    assert.equal(whole.kind === "data" && whole.bytes, part);
    const rest = bytes("56789GET");
    reader.receive(rest);
    const view = reader.next();
    assert.equal(view.kind === "data" && view.bytes.buffer, rest.buffer);
    assert.equal(view.kind === "data" && view.bytes.length, 5);
  });

  test("a request that follows at once waits until it is asked for", () => {
    const reader = new RequestReader();
    const one = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    reader.receive(bytes(one + one));
    assert.equal(reader.next().kind, "head");
    assert.equal(reader.next().kind, "end");
    assert.equal(reader.buffered, one.length);
    assert.equal(reader.midMessage, false);
    assert.equal(reader.next().kind, "head");
  });

  test("a reader is in the middle of a message from its first byte to its end", () => {
    const reader = new RequestReader();
    const seen: boolean[] = [];
    for (const part of ["\r\n", "G", "ET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", "x"]) {
      reader.receive(bytes(part));
      while (!["need-data", "end"].includes(reader.next().kind));
      seen.push(reader.midMessage);
    }
    assert.deepEqual(seen, [false, true, true, false]);
  });

  test("after a switch of protocols the request side is a tunnel until the client closes", () => {
    const reader = new RequestReader();
    reader.receive(bytes("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x00\x01"));
    assert.equal(reader.next().kind, "head");
    assert.equal(reader.next().kind, "end");
    reader.tunnel();
    assert.deepEqual(reader.next(), { kind: "data", bytes: bytes("\x00\x01") });
    assert.equal(reader.next().kind, "need-data");
    reader.receiveEnd();
    assert.equal(reader.next().kind, "end");
    assert.equal(reader.next().kind, "closed");
  });

  test("a problem is final", () => {
    const reader = new RequestReader();
    reader.receive(bytes("GET /\r\n"));
    const first = reader.next();
    assert.equal(first.kind === "problem" && first.code, "http-0.9");
    reader.receive(bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert.equal(reader.next(), first);
  });

  test("an idle server connection reports its close, and bytes on it as a problem", () => {
    const quiet = new ResponseReader();
    assert.equal(quiet.next().kind, "need-data");
    quiet.receiveEnd();
    assert.equal(quiet.next().kind, "closed");
    const loud = new ResponseReader();
    loud.receive(bytes("H"));
    const event = loud.next();
    assert.equal(event.kind === "problem" && event.code, "unexpected-response");
  });

  test("each response has to be announced, also behind another one", () => {
    const one = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    const reader = new ResponseReader();
    reader.expect({ method: "GET", upgrade: false });
    reader.receive(bytes(one + one));
    assert.equal(reader.next().kind, "head");
    assert.equal(reader.next().kind, "end");
    const event = reader.next();
    assert.deepEqual(event.kind === "problem" && [event.code, event.offset], ["unexpected-response", one.length]);
  });

  test("names come out as one shared string and values are not changed by it", () => {
    const reader = new RequestReader();
    reader.receive(bytes("GET / HTTP/1.1\r\nhOsT: a\r\nUSER-agent: x\r\nX-Odd-One: Y\r\n\r\n"));
    const event = reader.next();
    assert.deepEqual(event.kind === "head" && event.head.headers.flat, [
      ...["host", "a"],
      ...["user-agent", "x"],
      ...["x-odd-one", "Y"],
    ]);
  });
});
