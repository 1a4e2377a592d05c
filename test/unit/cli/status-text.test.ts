/** `evenkeel status` for people: what stays on a narrow terminal, and that nothing is ever undefined. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { statusText } from "../../../src/cli/status.ts";
import { span, table } from "../../../src/cli/table.ts";
import type { StatusReport } from "../../../src/daemon/supervisor/status.ts";
import type { ProxyStatistics } from "../../../src/proxy/statistics.ts";

const NOW = Date.parse("2026-11-21T12:00:00.000Z");
const figures = {
  scur: 3,
  stot: 1_234_567,
  reqTot: 1_234_567,
  bin: 123_456_789,
  bout: 9_876_543_210,
  hrsp: [0, 0, 1_234_567, 0, 4_321, 17],
};
const check = {
  code: "L7OK",
  status: 200,
  durationMs: 3,
  description: "",
  detail: "",
  running: false,
  rise: 2,
  fall: 3,
  health: 4,
};
const server = (name: string, text: string, more: object) => ({
  ...figures,
  name,
  address: "192.168.100.101:8080",
  weight: 100,
  status: { up: true, text, check, lastChangeMs: NOW - 3 * 86_400_000 - 4 * 3_600_000, ...more },
});

const report = {
  version: "0.1.0",
  node: "v26.10.0",
  pid: 4711,
  startedAt: "2026-11-21T10:55:00.000Z",
  uptimeSeconds: 3_900,
  files: ["/etc/keepalived/keepalived.conf", "/etc/haproxy/haproxy.cfg"],
  lastReload: undefined,
  processes: [
    { name: "vrrp", pid: 4712, startedAt: "2026-11-21T10:55:00.000Z", restarts: 0, retiring: false },
    { name: "proxy 1", pid: undefined, startedAt: "2026-11-21T11:59:00.000Z", restarts: 12, retiring: false },
    { name: "proxy 1", pid: 4714, startedAt: "2026-11-21T11:59:18.000Z", restarts: 0, retiring: true },
  ],
  vrrp: {
    instances: [
      {
        name: "VI_WEB",
        state: "MASTER",
        leaving: false,
        basePriority: 150,
        effectivePriority: 130,
        virtualRouterId: 51,
        interface: "eth0",
        addresses: ["10.0.0.100", "10.0.0.101", "10.0.0.102"].map((address) => ({ address, prefixLength: 24 })),
        lastAdvert: { from: "10.0.0.2", priority: 100, at: 0 },
        masterAdvertInterval: 1_000_000,
        faults: [],
        cause: "no advert of a master came in time, and then some more words",
      },
    ],
    groups: [],
    scripts: [{ name: "chk", state: "unknown", lastStatus: 0 }],
  },
  proxy: {
    frontends: [{ ...figures, name: "web-frontend", status: "OPEN", mode: "http" }],
    backends: [
      {
        name: "app-backend",
        servers: [server("web-server-1", "UP", {}), server("web-server-2", "no check", { check: undefined })],
      },
    ],
  } as unknown as ProxyStatistics,
} as unknown as StatusReport;

test("on 80 columns no line is longer, and what matters most is still there", () => {
  const text = statusText(report, NOW, { colour: false, width: 80 });
  for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
  assert.match(text, /^VI_WEB +MASTER +130 \(of 150\) +10\.0\.0\.100\/24 \+2 +no advert of a master came in…$/m);
  assert.match(text, /^BACKEND +SERVER +STATUS +CHECK +CUR +SESSIONS +LAST CHANGE$/m);
  assert.match(text, /^app-backend +web-server-1 +UP +L7OK\/200 in 3ms +3 +1234567 +3d04h ago$/m);
});

test("without a terminal every column is there, whole", () => {
  const text = statusText(report, NOW, { colour: false, width: undefined });
  assert.match(
    text,
    /^app-backend +web-server-1 +UP +L7OK\/200 in 3ms +100 +192\.168\.100\.101:8080 +3 +1234567 +1234567 +4321 +17 +3d04h ago$/m,
  );
  assert.match(text, /no advert of a master came in time, and then some more words$/m);
  assert.match(text, /^app-backend +web-server-2 +no check +none /m);
  assert.match(text, /^chk +unknown +none yet$/m);
  assert.match(text, /^proxy 1 +\(down\) +- +12$/m);
  assert.match(text, /^proxy 1 +4714 +42s +0 +finishing its connections$/m);
  assert.match(text, /^evenkeel 0\.1\.0, Node v26\.10\.0, pid 4711, up 1h05m$/m);
});

test("nothing is undefined, and colour changes no width", () => {
  for (const width of [undefined, 200, 120, 80, 40, 1]) {
    const plain = statusText(report, NOW, { colour: false, width });
    assert.doesNotMatch(plain, /undefined|NaN|null/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
    assert.equal(statusText(report, NOW, { colour: true, width }).replaceAll(/\x1b\[[0-9;]*m/g, ""), plain);
  }
});

test("columns are left out by their number, those without one stay, and the last one is cut", () => {
  const header = ["A", { title: "B", leaveOut: 1 }, { title: "C", leaveOut: 2 }, "D"];
  const rows = [["aaaa", "bbbb", "cccc", "dddddddddddd"]];
  const lines = (width: number | undefined) => table(header, rows, { colour: false, width })[1];
  assert.equal(lines(undefined), "aaaa  bbbb  cccc  dddddddddddd");
  assert.equal(lines(30), "aaaa  bbbb  cccc  dddddddddddd");
  assert.equal(lines(29), "aaaa  bbbb  dddddddddddd");
  assert.equal(lines(23), "aaaa  dddddddddddd");
  assert.equal(lines(17), "aaaa  dddddddddd…");
  assert.equal(lines(3), "aaaa  ddddddd…");
});

test("spans of time are written as on HAProxy's statistics page", () => {
  assert.deepEqual([-1, 0, 59.9, 67, 3_600, 7_500, 86_400, 273_600].map(span), [
    "0s",
    "0s",
    "59s",
    "1m07s",
    "1h00m",
    "2h05m",
    "1d00h",
    "3d04h",
  ]);
});
