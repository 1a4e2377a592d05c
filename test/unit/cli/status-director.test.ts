/** The layer-4 half of `evenkeel status`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { statusText } from "../../../src/cli/status.ts";
import type { StatusReport } from "../../../src/daemon/supervisor/status.ts";

const server = (name: string, state: string, changed: object) => ({
  name,
  method: "dr",
  state,
  weight: 1,
  configuredWeight: 1,
  active: 3,
  inactive: 4,
  persistent: 0,
  connections: 120,
  since: 0,
  cause: "start",
  drain: undefined,
  checks: [{ name: "TCP_CHECK 10.1.0.1:80", state: "passed", detail: "connected", at: 0, retries: 0 }],
  ...changed,
});

const report = {
  version: "0.1.0",
  node: "v26",
  pid: 1,
  startedAt: "2026-11-21T12:00:00.000Z",
  uptimeSeconds: 5,
  files: ["k.conf"],
  lastReload: undefined,
  processes: [],
  vrrp: undefined,
  proxy: undefined,
  director: {
    virtualServers: [
      {
        name: "[10.0.0.1]:tcp:80",
        services: ["TCP 10.0.0.1:80"],
        scheduler: "rr",
        quorum: 2,
        quorumUp: false,
        weight: 1,
        suspended: false,
        sorryServer: { name: "[10.1.0.9]:tcp:80", serving: true },
        servers: [
          server("[10.1.0.1]:tcp:80", "UP", {}),
          server("[10.1.0.2]:tcp:80", "DOWN", {
            weight: undefined,
            cause: "TCP_CHECK 10.1.0.2:81: connection refused",
            checks: [
              { name: "TCP_CHECK 10.1.0.2:80", state: "passed", detail: "connected", at: 0, retries: 0 },
              { name: "TCP_CHECK 10.1.0.2:81", state: "failed", detail: "connection refused", at: 0, retries: 0 },
            ],
          }),
        ],
      },
    ],
    table: {
      capacity: 1000,
      connections: 1006,
      connectionsIpv4: 999,
      connectionsIpv6: 7,
      halfOpen: 1,
      refusedFull: 2,
      reasons: {},
    },
  },
} as unknown as StatusReport;

test("each real server has a row, with the check that keeps it down", () => {
  const text = statusText(report, Date.parse("2026-11-21T12:00:05.000Z"), { colour: false, width: undefined });
  const rows = text.split("\n").map((line) => line.trim().split(/ {2,}/));
  const row = (name: string) => rows.find((cells) => cells[1] === name);
  assert.deepEqual(row("[10.1.0.1]:tcp:80"), [
    ...["[10.0.0.1]:tcp:80", "[10.1.0.1]:tcp:80", "UP", "1", "dr", "3", "4", "120", "connected", "start"],
  ]);
  assert.deepEqual(row("[10.1.0.2]:tcp:80")?.slice(2), [
    ...["DOWN", "-", "dr", "3", "4", "120", "connection refused", "TCP_CHECK 10.1.0.2:81: connection refused"],
  ]);
});

test("a lost quorum, a sorry server at work and a full table are said", () => {
  const text = statusText(report, 0, { colour: false, width: undefined });
  assert.match(
    text,
    /^\[10\.0\.0\.1\]:tcp:80: quorum lost, weight 1 of 2; sorry server \[10\.1\.0\.9\]:tcp:80 serves$/m,
  );
  assert.equal(
    text.split("\n").find((line) => line.startsWith("connection tables: ")),
    "connection tables: IPv4 999 of 1000 (99%), IPv6 7 of 1000 (under 1%), 1 half open, 2 refused because a table was full",
  );
});
