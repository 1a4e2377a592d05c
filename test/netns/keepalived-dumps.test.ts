/**
 * The dump files of a configuration with everything in it, ours beside those of Debian's keepalived 2.2.7, line by line:
 * once all are master, and once the link is lost. What differs by nature is masked here and listed in
 * docs/guides/keepalived.md.
 */

import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Host, KEEPALIVED, signal } from "../support/keepalived-host.ts";
import { peerPath } from "../support/peers.ts";

const FULL = readFileSync(new URL("../fixtures/vrrp/dump/full.conf", import.meta.url), "utf8");
const INSTANCES = ["V4", "V6", "U", "M", "M2"];

interface Files {
  readonly data: string;
  readonly stats: string;
  readonly json: string;
}

async function filesOf(host: Host): Promise<Files> {
  for (const name of ["data", "stats", "json"]) rmSync(host.path(`keepalived.${name}`), { force: true });
  signal(host, "SIGUSR1");
  const data = await host.dumped("keepalived.data");
  signal(host, "SIGUSR2");
  const stats = await host.dumped("keepalived.stats");
  signal(host, 36);
  return { data, stats, json: await host.dumped("keepalived.json") };
}

/** As masters, and after the link was lost. */
async function run(program: string): Promise<{ masters: Files; faults: Files; log: string }> {
  await using host = await Host.start();
  await host.addLink(["10.8.0.250/24"]);
  await host.node.run("ip", "-6", "addr", "add", "fd09::1/64", "dev", "eth0", "nodad");
  // Link-local addresses are settled.
  await host.node.run("ip", "-6", "route", "replace", "fd99::/64", "dev", "eth0");
  writeFileSync(host.path("f1"), "3\n");
  writeFileSync(host.file, FULL.replaceAll("FOLDER", host.folder));
  const daemon = host.run(program, ["-n", "-l", "-D", "-P"]);
  for (const name of INSTANCES) await daemon.sees(new RegExp(`\\(${name}\\) Entering MASTER STATE`));
  const masters = await filesOf(host);
  await host.far.run("ip", "link", "set", "eth0", "down");
  for (const name of ["V4", "V6", "U", "M2"]) await daemon.sees(new RegExp(`\\(${name}\\) Entering FAULT STATE`));
  const faults = await filesOf(host);
  signal(host, "SIGTERM");
  await daemon.exited;
  return { masters, faults, log: daemon.output };
}

const NOT_OURS =
  /^ libnftnl version|fd_in|delay timer not running|^ {3}(Seen up|Delayed state|Reset |Original |rp_filter|Not IPv6)/;
const BY_NATURE: readonly (readonly [RegExp, string])[] = [
  // Time and chance.
  [/(Last transition|Read timeout) = \d.*/, "$1 …"],
  [/(Received|Sent): .*/, "$1 …"],
  [/(MAC|IPv6 address|index|ifindex|src_ip) =? ?[0-9a-f:]*$/, "$1 …"],
  [/'?\/run\/keepalived-test-[^/]*/, "FOLDER"],
  // All IPv6 addresses of ours are deprecated, theirs only those without a prefix length.
  [/preferred_lft forever/, "deprecated"],
  [/ \[installed ifindex \d+\]/, ""],
  [/ifindex \d+/, "ifindex …"],
  // Theirs is cut off, ours rounded.
  [/(Master down timer = \d+)\d usecs/, "$1… usecs"],
];

const masked = (text: string): string =>
  BY_NATURE.reduce((line, [pattern, replacement]) => line.replace(pattern, replacement), text);

const lasting = (text: string) =>
  text
    .split("\n")
    .filter((line) => !NOT_OURS.test(line))
    .map(masked);

type Fields = Readonly<Record<string, unknown>>;

function lastingJson(text: string): unknown {
  const all = JSON.parse(text) as { readonly data: Fields; readonly stats: Fields }[];
  return all.map(({ data, stats }) => ({
    data: Object.entries({
      ...data,
      last_transition: 0,
      ...("auth_data" in data ? { auth_data: "********" } : {}),
    }).map(([key, value]) => [key, Array.isArray(value) ? value.map((one) => masked(String(one))) : value]),
    // A V6 master whose link is gone sends priority 0 into the void here, and nothing there.
    stats: Object.entries({ ...stats, advert_sent: 0, pri_zero_sent: 0 }),
  }));
}

test("routes, rules, macvlans, groups, trackers and unicast stand in the files as keepalived has them", async () => {
  const [ours, theirs] = await Promise.all([run(KEEPALIVED), run(peerPath("keepalived"))]);
  for (const moment of ["masters", "faults"] as const) {
    assert.deepEqual(lasting(ours[moment].data), lasting(theirs[moment].data), moment);
    assert.deepEqual(lasting(ours[moment].stats), lasting(theirs[moment].stats), moment);
    assert.deepEqual(lastingJson(ours[moment].json), lastingJson(theirs[moment].json), moment);
  }
  for (const line of [
    / Printing parent data for process\(\d+\) on signal\n/,
    / Printing VRRP data for process\(\d+\) on signal\n/,
    / Printing VRRP stats for process\(\d+\) on signal\n/,
    / Printing VRRP as json for process\(\d+\) on signal\n/,
  ]) {
    assert.match(ours.log, line);
    assert.match(theirs.log, line);
  }
});
