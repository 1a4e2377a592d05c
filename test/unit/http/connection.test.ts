import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  asksUpgrade,
  type ConnectionMode,
  combinedMode,
  expectsContinue,
  persistence,
  prepareRequest,
  prepareResponse,
  wantsToPersist,
} from "../../../src/http/connection.ts";
import { HeaderList } from "../../../src/http/headers.ts";
import type { Framing, HttpVersion, RequestHead, ResponseHead } from "../../../src/http/message.ts";

type Fields = readonly (readonly [string, string])[];
const request = (version: HttpVersion, ...fields: Fields): RequestHead => ({
  method: "GET",
  target: "/",
  version,
  headers: HeaderList.of(...fields),
});
const response = (version: HttpVersion, status: number, ...fields: Fields): ResponseHead => ({
  version,
  status,
  reason: "",
  headers: HeaderList.of(...fields),
});
const LENGTH: Framing = { kind: "length", bytes: 2 };

const decide = (mode: ConnectionMode, asked: RequestHead, answered: ResponseHead, responseFraming: Framing) =>
  persistence({
    mode,
    clientPersists: wantsToPersist(asked),
    clientVersion: asked.version,
    response: answered,
    responseFraming,
  });

describe("persistence", () => {
  test("1.1 persists unless it says close, 1.0 only when it says keep-alive", () => {
    assert.deepEqual(
      [
        request("1.1"),
        request("1.1", ["connection", "x, CLOSE"]),
        request("1.1", ["connection", "keep-alive"], ["connection", "close"]),
        request("1.0"),
        request("1.0", ["connection", "Keep-Alive"]),
        request("1.0", ["connection", "keep-alive, close"]),
      ].map(wantsToPersist),
      [true, false, false, false, true, false],
    );
  });

  test("a closing mode on either side closes the server's connection, on the frontend the client's too", () => {
    assert.deepEqual(
      (["keep-alive", "server-close", "close"] as const).map((frontend) =>
        (["keep-alive", "server-close", "close"] as const).map((backend) => combinedMode(frontend, backend)),
      ),
      [
        ["keep-alive", "server-close", "server-close"],
        ["server-close", "server-close", "server-close"],
        ["close", "close", "close"],
      ],
    );
  });

  test("each mode keeps what it says when both sides would stay", () => {
    const kept = (mode: ConnectionMode) => {
      const { keepClient, keepServer } = decide(mode, request("1.1"), response("1.1", 200), LENGTH);
      return [keepClient, keepServer];
    };
    assert.deepEqual(kept("keep-alive"), [true, true]);
    assert.deepEqual(kept("server-close"), [true, false]);
    assert.deepEqual(kept("close"), [false, false]);
  });

  test("one side that leaves does not make the other leave", () => {
    const leaving = request("1.1", ["connection", "close"]);
    assert.deepEqual(decide("keep-alive", leaving, response("1.1", 200), LENGTH), {
      keepClient: false,
      keepServer: true,
      clientFraming: LENGTH,
    });
    const closing = response("1.1", 200, ["connection", "close"]);
    assert.deepEqual(decide("keep-alive", request("1.1"), closing, LENGTH), {
      keepClient: true,
      keepServer: false,
      clientFraming: LENGTH,
    });
  });

  test("a body until the close, or a tunnel, uses up both connections", () => {
    for (const kind of ["until-close", "tunnel"] as const) {
      assert.deepEqual(decide("keep-alive", request("1.1"), response("1.1", 200), { kind }), {
        keepClient: false,
        keepServer: false,
        clientFraming: { kind },
      });
    }
  });

  test("a client of 1.0 gets a chunked body without chunks, ended by the close", () => {
    const old = request("1.0", ["connection", "keep-alive"]);
    const chunked = response("1.1", 200, ["transfer-encoding", "chunked"]);
    const decision = decide("keep-alive", old, chunked, { kind: "chunked" });
    assert.deepEqual(decision, { keepClient: false, keepServer: true, clientFraming: { kind: "until-close" } });
    prepareResponse(chunked, { version: "1.0", persistence: decision });
    assert.deepEqual(chunked.headers.flat, ["connection", "close"]);
  });
});

describe("fields of a connection", () => {
  test("hop-by-hop fields and what Connection names stay behind, but not what belongs to the message", () => {
    const head = request(
      "1.1",
      ["host", "a"],
      ["connection", "keep-alive, X-Secret, cookie, Host"],
      ["keep-alive", "5"],
      ["x-secret", "1"],
      ["cookie", "a=b"],
      ["proxy-connection", "x"],
      ["te", "gzip"],
      ["x", "y"],
    );
    prepareRequest(head, "keep-alive");
    assert.deepEqual(head.headers.flat, ["host", "a", "cookie", "a=b", "x", "y"]);
  });

  test("a request tells the server what the mode is, in the server's version", () => {
    const connection = (version: HttpVersion, mode: ConnectionMode) => {
      const head = request(version, ["connection", "close"]);
      prepareRequest(head, mode);
      return head.headers.get("connection");
    };
    assert.deepEqual(
      [
        connection("1.1", "keep-alive"),
        connection("1.0", "keep-alive"),
        connection("1.1", "server-close"),
        connection("1.0", "server-close"),
        connection("1.1", "close"),
      ],
      [undefined, "keep-alive", "close", undefined, "close"],
    );
  });

  test("a response tells the client whether it may go on", () => {
    const connection = (client: HttpVersion, server: HttpVersion, keepClient: boolean) => {
      const head = response(server, 200, ["connection", "x"], ["x", "1"], ["keep-alive", "timeout=5"]);
      prepareResponse(head, { version: client, persistence: { keepClient, keepServer: true, clientFraming: LENGTH } });
      return head.headers.flat;
    };
    assert.deepEqual(connection("1.1", "1.1", true), []);
    assert.deepEqual(connection("1.0", "1.1", true), ["connection", "keep-alive"]);
    assert.deepEqual(connection("1.1", "1.0", true), ["connection", "keep-alive"]);
    assert.deepEqual(connection("1.1", "1.1", false), ["connection", "close"]);
    assert.deepEqual(connection("1.0", "1.0", false), []);
  });

  test("a switch of protocols is passed on both ways", () => {
    const head = request("1.1", ["upgrade", "websocket"], ["connection", "keep-alive, Upgrade"]);
    assert.equal(asksUpgrade(head), true);
    prepareRequest(head, "server-close");
    assert.deepEqual(head.headers.flat, ["upgrade", "websocket", "connection", "upgrade"]);
    const switched = response("1.1", 101, ["upgrade", "websocket"], ["connection", "Upgrade"]);
    prepareResponse(switched, {
      version: "1.1",
      persistence: { keepClient: false, keepServer: false, clientFraming: { kind: "tunnel" } },
    });
    assert.deepEqual(switched.headers.flat, ["upgrade", "websocket", "connection", "upgrade"]);
  });

  test("what does not ask for a switch: 1.0, no Connection, h2c", () => {
    const upgrade = (version: HttpVersion, protocol: string, connection: string) =>
      asksUpgrade(request(version, ["upgrade", protocol], ["connection", connection]));
    assert.deepEqual(
      [
        upgrade("1.1", "websocket", "upgrade"),
        upgrade("1.0", "websocket", "upgrade"),
        upgrade("1.1", "websocket", "keep-alive"),
        upgrade("1.1", "h2c", "upgrade"),
        upgrade("1.1", "websocket, H2C", "upgrade"),
        upgrade("1.1", "h2chat", "upgrade"),
      ],
      [true, false, false, false, false, true],
    );
    const head = request("1.1", ["upgrade", "h2c"], ["connection", "Upgrade, HTTP2-Settings"], ["http2-settings", "x"]);
    prepareRequest(head, "keep-alive");
    assert.deepEqual(head.headers.flat, []);
  });

  test("trailers are asked for where the client can take them", () => {
    const head = request("1.1", ["te", "gzip, trailers"], ["connection", "te"]);
    prepareRequest(head, "server-close");
    assert.deepEqual(head.headers.flat, ["te", "trailers", "connection", "te, close"]);
  });

  test("only 1.1 can wait for 100", () => {
    assert.equal(expectsContinue(request("1.1", ["expect", "100-Continue"])), true);
    assert.equal(expectsContinue(request("1.0", ["expect", "100-continue"])), false);
    assert.equal(expectsContinue(request("1.1")), false);
  });
});
