/** `evenkeel plan`: what it prints, writes and exits with. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { evenkeel } from "../../support/proxy-daemon.ts";
import { wellFormed } from "../../support/xml.ts";

const plan = (...options: string[]) => evenkeel("plan", ...options);
const THREE = ["--hosts", "3", "--link", "1Gbit", "--traffic", "1.5Gbit"];

test("a plan that fits is printed with its priorities and every failure, and exits with 0", async () => {
  const { status, stdout } = await plan(...THREE);
  assert.equal(status, 0);
  assert.match(stdout, /^3 {5}1 Gbit\/s {2}100 % {8}50 % {5}no$/m);
  assert.match(stdout, /^6 {5}750 Mbit\/s {2}75 % {7}50 % {5}yes {3}← this one$/m);
  assert.match(stdout, /^2 .* yes {3}1 host idle while all are up$/m);
  assert.match(stdout, /^4 .* yes {3}uneven while all are up$/m);
  assert.match(stdout, /^6 VIPs: at worst 750 Mbit\/s on a survivor, 75 % of its link/m);
  assert.match(stdout, /^It is the least number that fits with an even load while all hosts are up\.$/m);
  assert.match(stdout, /^host2 {3}750 Mbit\/s {2}- {11}750 Mbit\/s$/m);
});

test("a wish that cannot come true exits with 1, tells what would do, and writes no configuration", async () => {
  const folder = mkdtempSync(join(tmpdir(), "plan-"));
  try {
    const conf = join(folder, "conf");
    const files = ["--emit", conf, "--vip-addresses", "10.0.0.10-99/24"];
    const { status, stdout, stderr } = await plan("--hosts", "3", "--link", "1G", "--traffic", "2.5G", ...files);
    assert.equal(status, 1);
    assert.match(stdout, /^Nothing fits\.$/m);
    assert.match(stdout, /^ {2}4 hosts: 1 more of 1 Gbit\/s, with \d+ VIPs$/m);
    assert.match(stderr, /nothing fits, so nothing is written/);
    assert.ok(!existsSync(conf));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the JSON document has a priority for each VIP on each host", async () => {
  const { stdout } = await plan(...THREE, "--json", "--host-names", "a,b,c");
  const report = JSON.parse(stdout);
  assert.equal(report.fits, true);
  assert.equal(report.leastProven, true);
  assert.equal(report.plan.vips.length, 6);
  for (const { order, priorities } of report.plan.vips) {
    assert.deepEqual(Object.keys(priorities), ["a", "b", "c"]);
    assert.deepEqual(
      Object.keys(priorities).toSorted((x, y) => priorities[y] - priorities[x]),
      order,
    );
  }
  assert.deepEqual(
    report.plan.worst.map(({ load }: { load: number }) => Math.round(load)),
    [500_000_000, 750_000_000],
  );
});

test("the chart and a configuration for each host are written", async () => {
  const folder = mkdtempSync(join(tmpdir(), "plan-"));
  try {
    const svg = join(folder, "plan.svg");
    const conf = join(folder, "deep", "conf");
    const files = ["--svg", svg, "--emit", conf, "--vip-addresses", "10.0.0.10-99/24", "--host-names", "a,b,c"];
    assert.equal((await plan(...THREE, ...files)).status, 0);
    assert.equal(wellFormed(readFileSync(svg, "utf8"))[0], "svg");
    assert.deepEqual(readdirSync(conf).toSorted(), ["a.conf", "b.conf", "c.conf"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("wrong usage exits with 2 and says what is wrong", async () => {
  const cases: [string[], RegExp][] = [
    [["--traffic", "1G"], /--hosts and --link are missing/],
    [["--hosts", "3", "--link", "1G"], /--traffic or --vip-loads is missing/],
    [["--hosts", "3", "--link", "1GB", "--traffic", "1G"], /--link: "1GB" counts bytes/],
    [["--hosts", "3", "--links", "1G,1G", "--traffic", "1G"], /--hosts 3, but --links has 2/],
    [[...THREE, "--failures", "3"], /nobody is left/],
    [[...THREE, "--failures", "x"], /--failures x: a whole number/],
    [[...THREE, "--headroom", "100%"], /head-room is a share/],
    [[...THREE, "--headroom", "a"], /--headroom a: a share such as 10% or 0\.1/],
    [[...THREE, "--vips", "256"], /a LAN has numbers from 1 to 255/],
    [[...THREE, "--vips", "0"], /at least 1/],
    [[...THREE, "--vip-loads", "1G"], /the sum of --vip-loads is the traffic/],
    [[...THREE, "--spread", "odd"], /even or any/],
    [[...THREE, "--emit", "/nowhere"], /--emit needs --vip-addresses/],
    [[...THREE, "--vip-addresses", "10.0.0.1/24"], /goes with --emit/],
    [[...THREE, "--emit", "/nowhere", "--vip-addresses", "10.0.0.1-3/24"], /6 VIPs, and 3 addresses/],
    [[...THREE, "--host-names", "a,b"], /2 names for 3 hosts/],
  ];
  for (const [options, said] of cases) {
    const { status, stdout, stderr } = await plan(...options);
    assert.equal(status, 2, options.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, said);
  }
});
