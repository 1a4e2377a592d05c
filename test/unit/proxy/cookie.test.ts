import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CookiePersistence } from "../../../src/config/model/proxy.ts";
import { HeaderList } from "../../../src/http/headers.ts";
import type { ResponseHead } from "../../../src/http/message.ts";
import { setResponseCookie, takeRequestCookies } from "../../../src/proxy/cookie.ts";

const PLAIN: CookiePersistence = {
  name: "SRV",
  insert: true,
  indirect: false,
  nocache: false,
  postonly: false,
  preserve: false,
  httponly: false,
  secure: false,
  domains: [],
};
const INDIRECT = { ...PLAIN, indirect: true };

describe("the request's cookie", () => {
  const take = (lines: readonly string[], cookie = INDIRECT) => {
    const headers = HeaderList.of(...lines.map((line) => ["cookie", line] as const));
    return { values: takeRequestCookies(headers, cookie), left: headers.all("cookie") };
  };

  for (const [what, lines, values, left] of [
    ["between others", ["a=1; SRV=c2; b=2"], ["c2"], ["a=1; b=2"]],
    ["alone", ["SRV=c2"], ["c2"], []],
    ["first, without spaces", ["SRV=c2;b=2"], ["c2"], ["b=2"]],
    ["last", ["b=2;SRV=c1"], ["c1"], ["b=2"]],
    ["with spaces around everything", [" a=1 ;  SRV = c1 ; b=2"], ["c1"], ["a=1; b=2"]],
    ["twice", ["SRV=zz; SRV=c1"], ["zz", "c1"], []],
    ["in several lines", ["a=1", "SRV=c1; b=2", "SRV=c2"], ["c1", "c2"], ["a=1", "b=2"]],
    ["with dates", ["SRV=c1|abcde|fghij"], ["c1"], []],
    ["with quotes, which belong to the value", ['SRV="c1"; x=y'], ['"c1"'], ["x=y"]],
    ["without a value", ["SRV=; b=2"], [""], ["b=2"]],
    ["as a name alone, which is no cookie of ours", ["SRV; b=2"], [], ["SRV; b=2"]],
    ["in another spelling", ["srv=c1"], [], ["srv=c1"]],
    ["as part of another's name or value", ["XSRV=c1; a=SRV=c1"], [], ["XSRV=c1; a=SRV=c1"]],
  ] as const) {
    test(`is found ${what}`, () => assert.deepEqual(take(lines), { values, left }));
  }

  test("stays for the server to see without indirect", () => {
    assert.deepEqual(take(["a=1;SRV=c2"], PLAIN), { values: ["c2"], left: ["a=1;SRV=c2"] });
  });
});

describe("the response's cookie", () => {
  const answer = (
    cookie: Partial<CookiePersistence>,
    exchange: Partial<Parameters<typeof setResponseCookie>[2]> = {},
    fields: readonly (readonly [string, string])[] = [],
    status = 200,
  ) => {
    const head: ResponseHead = { version: "1.1", status, reason: "", headers: HeaderList.of(...fields) };
    const facts = { direct: false, serverCookie: "c1", method: "GET", ...exchange };
    return { set: setResponseCookie(head, { ...PLAIN, ...cookie }, facts), fields: [...head.headers] };
  };
  const ours = ["set-cookie", "SRV=c1; path=/"];

  test("is set once, and not again for a client that brought it", () => {
    assert.deepEqual(answer({}), { set: "I", fields: [ours] });
    assert.deepEqual(answer({}, { direct: true }), { set: "N", fields: [] });
  });

  test("carries its attributes in HAProxy's order", () => {
    const { fields } = answer({ httponly: true, secure: true, domains: [".a.b", ".c"] });
    assert.deepEqual(fields, [["set-cookie", "SRV=c1; path=/; domain=.a.b; domain=.c; HttpOnly; Secure"]]);
  });

  test("of a server without one takes the client's away", () => {
    const { fields } = answer({}, { serverCookie: undefined });
    assert.deepEqual(fields, [["set-cookie", "SRV=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/"]]);
  });

  test("with postonly is set for POST alone", () => {
    assert.equal(answer({ postonly: true }).set, "N");
    assert.equal(answer({ postonly: true }, { method: "POST" }).set, "I");
  });

  test("takes the place of the server's own unless preserve", () => {
    const own = [
      ["set-cookie", "SRV=own; path=/x"],
      ["set-cookie", "other=1"],
    ] as const;
    assert.deepEqual(answer({}, {}, own), { set: "I", fields: [["set-cookie", "other=1"], ours] });
    assert.deepEqual(answer({ indirect: true }, { direct: true }, own), {
      set: "D",
      fields: [["set-cookie", "other=1"]],
    });
    assert.deepEqual(answer({ preserve: true }, {}, own), { set: "P", fields: own.map((line) => [...line]) });
  });

  test("with nocache keeps shared caches away only from what they would keep", () => {
    const isPrivate = (fields: readonly (readonly [string, string])[], status = 200) =>
      answer({ nocache: true }, {}, fields, status).fields.some(
        ([name, value]) => name === "cache-control" && value === "private",
      );
    assert.equal(isPrivate([]), false);
    assert.equal(isPrivate([["cache-control", "public, max-age=60"]]), true);
    assert.equal(isPrivate([["etag", '"x"']]), true);
    assert.equal(isPrivate([["last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"]]), true);
    assert.equal(isPrivate([["cache-control", "max-age=60, no-store"]]), false);
    assert.equal(isPrivate([["etag", '"x"']], 500), false);
    assert.equal(answer({ nocache: true }, { direct: true }, [["etag", '"x"']]).fields.length, 1);
  });
});
