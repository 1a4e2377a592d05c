/** What `evenkeel status` says of virtual routers that are not as they should be: chains of causes, and findings. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { instantAt } from "../../../src/base/time.ts";
import { statusText } from "../../../src/cli/status.ts";
import type { StatusReport } from "../../../src/daemon/supervisor/status.ts";

const NOW = new Date(2026, 10, 21, 12, 0, 42).getTime();
const CLOCK = instantAt(500_000_000);

const routers = (instances: readonly object[], findings: readonly object[] = []): StatusReport =>
  ({
    version: "0.1.0",
    node: "v26.10.0",
    pid: 1,
    uptimeSeconds: 60,
    files: ["k.conf"],
    processes: [],
    vrrp: { instances, groups: [], scripts: [], findings },
  }) as unknown as StatusReport;

const instance = (more: object) => ({
  name: "VI_1",
  state: "FAULT",
  leaving: false,
  basePriority: 100,
  effectivePriority: 100,
  virtualRouterId: 51,
  interface: "eth0",
  addresses: [],
  faults: [],
  since: CLOCK - 41_000_000,
  cause: "eth0 lost carrier → RH_EXT FAULT → group RH",
  ...more,
});

const text = (report: StatusReport, colour = false) => statusText(report, NOW, { colour, width: 60 }, CLOCK);

test("a router in FAULT has a line with the time and its whole chain of causes, on a narrow terminal too", () => {
  assert.match(
    text(routers([instance({})])),
    /^VI_1 FAULT since 12:00:01: eth0 lost carrier → RH_EXT FAULT → group RH$/m,
  );
});

test("what keeps it in FAULT now is told when that is something else", () => {
  const lines = text(routers([instance({ faults: ["script chk failed"] })]));
  assert.match(lines, /→ group RH\n {4}now: script chk failed$/m);
  assert.doesNotMatch(text(routers([instance({ faults: ["eth0 lost carrier"] })])), /now:/);
});

test("a priority that is not the configured one has a line with its reason", () => {
  const lowered = { state: "BACKUP", effectivePriority: 40, priorityCause: "script chk exited with status 1" };
  assert.match(text(routers([instance(lowered)])), /^VI_1 priority 40 of 100: script chk exited with status 1$/m);
  assert.doesNotMatch(text(routers([instance({ state: "BACKUP" })])), /^VI_1 priority/m);
});

test("a MASTER whose addresses do not answer has a line that names the nft table, a BACKUP has none", () => {
  const dropping = (state: string) => {
    const report = routers([instance({ state }), instance({ name: "VI_2", state: "MASTER" })]);
    Object.assign(report.vrrp ?? {}, { drops: { tables: ["ip keepalived"], instances: ["VI_1"] } });
    return text(report)
      .split("\n")
      .filter((line) => line.includes("nft"));
  };
  assert.deepEqual(dropping("MASTER"), [
    "VI_1 takes no packet for its virtual addresses (no_accept or vrrp_strict): nft table ip keepalived drops them",
  ]);
  assert.deepEqual(dropping("BACKUP"), []);
});

test("a FAULT of another day has its date", () => {
  const yesterday = instance({ since: CLOCK - 86_400_000_000 - 41_000_000 });
  assert.match(text(routers([yesterday])), /^VI_1 FAULT since Fri Nov 20 2026 12:00:01: /m);
});

test("a script that is not run is named with the reason", () => {
  const report = routers([instance({ state: "MASTER" })]);
  Object.assign(report.vrrp ?? {}, { disabledScripts: [{ name: "chk", why: "/opt/chk is writable by others" }] });
  assert.match(
    text(report),
    /^script chk is not run, and what tracks it goes on without it: \/opt\/chk is writable by others$/m,
  );
});

test("it is told for how long a router is what it is, and how long ago an advert was refused", () => {
  const lastRefused = {
    from: "10.0.0.1",
    priority: 100,
    at: CLOCK - 65_000_000,
    detail: "received an invalid passwd!",
  };
  const lines = statusText(
    routers([instance({ state: "MASTER", lastRefused })]),
    NOW,
    { colour: false, width: 100 },
    CLOCK,
  );
  assert.match(lines, /^INSTANCE +STATE +FOR +PRIORITY.*\nVI_1 +MASTER +41s +100/m);
  assert.match(lines, /^VI_1: refused an advert of 10\.0\.0\.1 1m05s ago: received an invalid passwd!$/m);
});

test("a master and a backup have no such line", () => {
  assert.doesNotMatch(
    text(routers([instance({ state: "MASTER" }), instance({ name: "VI_2", state: "BACKUP" })])),
    /since/,
  );
});

test("a finding names who and what, its code, for how long, and the cure below it", () => {
  const finding = {
    code: "password-differs",
    instance: "VI_1",
    interface: "eth0",
    severity: "error",
    peer: { ip: "10.0.0.2", mac: "52:54:00:aa:00:02" },
    text: "has another auth_pass",
    cure: "give all routers the same auth_pass",
    since: new Date(NOW - 31_000).toISOString(),
  };
  const report = routers([], [finding, { ...finding, instance: undefined, peer: undefined, severity: "warning" }]);
  assert.ok(
    text(report).includes(
      "error: VI_1: 10.0.0.2 (52:54:00:aa:00:02) has another auth_pass [password-differs, for 31s]\n" +
        "    give all routers the same auth_pass\n" +
        "warning: eth0: has another auth_pass [password-differs, for 31s]\n",
    ),
  );
  assert.ok(text(report, true).includes("\x1b[1;31merror\x1b[0m: VI_1"));
});
