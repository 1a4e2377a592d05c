import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { IpAddress } from "../../../src/base/ip.ts";
import { HeaderList } from "../../../src/http/headers.ts";
import { closingPage, errorPage } from "../../../src/proxy/error-page.ts";
import { addForwardedFor } from "../../../src/proxy/forwarded-for.ts";
import { requestHeadSize, responseHeadSize } from "../../../src/proxy/htx-size.ts";
import { proxyHeader } from "../../../src/proxy/proxy-protocol.ts";
import { CSV_COLUMNS } from "../../../src/proxy/stats-csv.ts";
import { requestedStatistics } from "../../../src/proxy/stats-service.ts";

const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

describe("error pages", () => {
  test("a page that ends a connection is HAProxy's to the byte", () => {
    assert.equal(
      text(closingPage(408, {})),
      "HTTP/1.1 408 Request Time-out\r\nContent-length: 110\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n" +
        "<html><body><h1>408 Request Time-out</h1>\nYour browser didn't send a complete request in time.\n</body></html>\n",
    );
  });

  for (const [status, size, bytes] of [
    [403, 93, 192],
    [502, 107, 209],
    [503, 107, 217],
    [504, 92, 198],
  ] as const) {
    test(`${status} has a body of ${size} bytes and counts ${bytes} in logs`, () => {
      const page = errorPage(status, {});
      assert.equal(page.body.length, size);
      assert.equal(page.head.headers.get("content-length"), String(size));
      assert.equal(responseHeadSize(page.head) + page.body.length, bytes);
    });
  }

  test("an errorfile takes the place of a page, with its own status and a length that is right", () => {
    const files = {
      "503": "HTTP/1.0 200 Sorry\r\nX-Why: busy\r\nContent-Length: 999\r\nConnection: close\r\n\r\nsoon\n",
    };
    const page = errorPage(503, files);
    assert.deepEqual([page.head.status, page.head.reason, text(page.body)], [200, "Sorry", "soon\n"]);
    assert.deepEqual(
      [...page.head.headers],
      [
        ["x-why", "busy"],
        ["content-length", "5"],
      ],
    );
    assert.equal(text(closingPage(503, files)), files["503"]);
  });

  test("an errorfile that is no response is passed over", () => {
    assert.equal(errorPage(503, { "503": "<html>" }).head.status, 503);
  });
});

test("sizes are those that HAProxy 2.6.12 logged", () => {
  const response = (reason: string, ...fields: [string, string][]) =>
    responseHeadSize({ version: "1.1", status: 200, reason, headers: HeaderList.of(...fields) });
  assert.equal(response("OK", ["content-length", "2"]) + 2, 51);
  assert.equal(response("OK", ["connection", "close"]) + "until-close".length, 45);
  assert.equal(response("OK", ["transfer-encoding", "chunked"], ["x-a", "b"]), 62);
  assert.equal(
    requestHeadSize({ method: "GET", target: "/ok", version: "1.1", headers: HeaderList.of(["host", "x"]) }),
    40,
  );
});

describe("forwardfor", () => {
  const client = "10.1.2.3" as IpAddress;
  const option = { header: "X-Forwarded-For", except: undefined, ifNone: false };
  const added = (...sides: [Parameters<typeof addForwardedFor>[2], Parameters<typeof addForwardedFor>[3]]) => {
    const headers = HeaderList.of(["x-forwarded-for", "9.9.9.9"]);
    addForwardedFor(headers, client, ...sides);
    return [...headers].slice(1).map((field) => field.join(": "));
  };

  test("adds a line of its own, in the backend's name when it has one", () => {
    assert.deepEqual(added(option, undefined), ["x-forwarded-for: 10.1.2.3"]);
    assert.deepEqual(added(option, { ...option, header: "X-Client" }), ["x-client: 10.1.2.3"]);
    assert.deepEqual(added(undefined, undefined), []);
  });

  test("spares the clients of an excepted network, and with if-none those that bring the header", () => {
    assert.deepEqual(added({ ...option, except: { address: "10.1.0.0" as IpAddress, length: 16 } }, undefined), []);
    assert.deepEqual(
      added({ ...option, except: { address: "10.2.0.0" as IpAddress, length: 16 } }, undefined).length,
      1,
    );
    assert.deepEqual(added({ ...option, ifNone: true }, undefined), []);
    assert.deepEqual(added({ ...option, ifNone: true }, option).length, 1);
  });
});

describe("the PROXY protocol", () => {
  const at = (address: string, port: number) => ({ address: address as IpAddress, port });

  test("version 1 for both families", () => {
    assert.equal(
      text(proxyHeader(1, at("192.0.2.1", 4000), at("192.0.2.2", 80))),
      "PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n",
    );
    assert.equal(
      text(proxyHeader(1, at("2001:db8::1", 4000), at("2001:db8::2", 80))),
      "PROXY TCP6 2001:db8::1 2001:db8::2 4000 80\r\n",
    );
    assert.equal(
      text(proxyHeader(1, at("192.0.2.1", 1), at("2001:db8::2", 2))),
      "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n",
    );
  });

  test("version 2 for both families", () => {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
    const signature = "0d0a0d0a000d0a515549540a";
    assert.equal(
      hex(proxyHeader(2, at("192.0.2.1", 4000), at("192.0.2.2", 80))),
      `${signature}2111000cc0000201c00002020fa00050`,
    );
    assert.equal(
      hex(proxyHeader(2, at("2001:db8::1", 1), at("192.0.2.1", 2))),
      `${signature}21210024${"20010db8000000000000000000000001"}${"00000000000000000000ffffc0000201"}00010002`,
    );
  });
});

describe("statistics", () => {
  test("the CSV's columns are HAProxy's: all of 3.5, of which the first 103 are those of 2.6", () => {
    const header = (version: string) =>
      readFileSync(new URL(`../../fixtures/haproxy/csv-header-${version}.txt`, import.meta.url), "utf8")
        .trim()
        .replace("# ", "")
        .split(",");
    assert.deepEqual(CSV_COLUMNS.slice(0, 120), header("3.5").slice(0, 120));
    assert.deepEqual(CSV_COLUMNS.slice(0, 103), header("2.6.12").slice(0, 103));
    assert.equal(CSV_COLUMNS.length, 120);
    assert.equal(CSV_COLUMNS.at(-1), "-");
  });

  test("the URI is a prefix, options follow after semicolons, and absolute targets count by their path", () => {
    const page = {
      uri: "/s",
      realm: "",
      auth: [],
      refreshSeconds: undefined,
      hideVersion: false,
      showNode: undefined,
      showDescription: undefined,
      showLegends: false,
    };
    const asked = (target: string) => {
      const request = requestedStatistics(page, target);
      return request && [request.csv, request.upOnly, request.refresh];
    };
    assert.deepEqual(asked("/s"), [false, false, true]);
    assert.deepEqual(asked("/s;csv"), [true, false, true]);
    assert.deepEqual(asked("/s;up;norefresh"), [false, true, false]);
    assert.deepEqual(asked("/s;csv?x=1"), [true, false, true]);
    assert.deepEqual(asked("http://a.b/s;csv"), [true, false, true]);
    assert.equal(asked("/other"), undefined);
    assert.equal(requestedStatistics(undefined, "/s"), undefined);
  });
});
