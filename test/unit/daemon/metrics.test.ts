/** `evenkeel metrics` against the text format's own rules, read strictly, and against the names of the usual exporter. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { milliseconds } from "../../../src/base/time.ts";
import { exposition } from "../../../src/daemon/supervisor/exposition.ts";
import { metricsText } from "../../../src/daemon/supervisor/metrics.ts";
import type { StatusReport } from "../../../src/daemon/supervisor/status.ts";
import { Lateness } from "../../../src/daemon/vrrp/lateness.ts";
import { COUNTER_NAMES } from "../../../src/vrrp/counters.ts";
import { configuration, instance, vip } from "../../support/vrrp-configuration.ts";

interface Read {
  readonly type: string;
  readonly help: string;
  readonly samples: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

/** Throws at whatever the format (version 0.0.4) does not allow. */
function parse(text: string): Map<string, Read> {
  assert.ok(text === "" || text.endsWith("\n"), "ends in a line end");
  const families = new Map<string, Read>();
  const seen = new Set<string>();
  let current: [string, Read] | undefined;
  let help: [string, string] | undefined;
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = "", rest = ""] = comment;
      if (kind === "HELP") {
        assert.ok(!rest.replaceAll(/\\[\\n]/g, "").includes("\\"), `HELP escapes: ${line}`);
        help = [name, rest];
      } else {
        assert.ok(["counter", "gauge", "histogram", "summary", "untyped"].includes(rest), line);
        assert.ok(!families.has(name), `${name} twice`);
        assert.equal(help?.[0], name, `HELP before TYPE of ${name}`);
        current = [name, { type: rest, help: help?.[1] ?? "", samples: [] }];
        families.set(...current);
      }
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    assert.ok(sample !== null && current !== undefined, `not a sample: ${line}`);
    const [, name = "", inside = "", figure = ""] = sample;
    const [family, read] = current;
    const suffixes = read.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    assert.ok(
      suffixes.some((one) => name === family + one),
      `${name} under ${family}`,
    );
    const labels: Record<string, string> = {};
    let rest = inside;
    while (rest !== "") {
      const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/.exec(rest);
      assert.ok(label !== null, `labels: ${line}`);
      const [all, key = "", value = ""] = label;
      assert.ok(!(key in labels), `${key} twice: ${line}`);
      labels[key] = value.replaceAll(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
      rest = rest.slice(all.length);
    }
    const value = figure === "+Inf" ? Number.POSITIVE_INFINITY : Number(figure);
    assert.ok(figure !== "" && !Number.isNaN(value), `value: ${line}`);
    assert.ok(read.type !== "counter" || value >= 0, `a counter below 0: ${line}`);
    assert.ok(!seen.has(name + JSON.stringify(labels)), `twice: ${line}`);
    seen.add(name + JSON.stringify(labels));
    read.samples.push({ name, labels, value });
  }
  return families;
}

const lateness = (...late: number[]) => {
  const counted = new Lateness();
  for (const one of late) counted.add(milliseconds(one), 0);
  return counted.report();
};

const mine = instance({
  name: 'V"1\\',
  virtualAddresses: [vip("10.9.0.50"), vip("10.9.0.51", { interface: "eth1" })],
  excludedAddresses: [vip("10.9.0.60")],
});
const report = {
  version: "0.1.0",
  node: "v26.10.0",
  startedAt: "1970-01-01T00:01:40.500Z",
  processes: [
    { name: "vrrp", pid: 7, startedAt: "", restarts: 2, retiring: false },
    { name: "proxy 1", pid: 8, startedAt: "", restarts: 0, retiring: false },
    { name: "proxy 1", pid: 9, startedAt: "", restarts: 0, retiring: true },
  ],
  vrrp: {
    instances: [
      {
        name: mine.name,
        interface: "eth0",
        virtualRouterId: 5,
        state: "MASTER",
        basePriority: 100,
        effectivePriority: 80,
        holdsAddresses: true,
        addresses: [],
        counters: Object.fromEntries(COUNTER_NAMES.map((name, index) => [name, index])),
      },
    ],
    groups: [],
    scripts: [
      { name: "chk", state: "failed", lastStatus: 1 },
      { name: "new", state: "unknown", lastStatus: 0 },
    ],
    unknownVrid: 3,
    malformed: 4,
    findings: [
      { code: "two-masters", instance: mine.name, interface: "eth0", severity: "error", text: "" },
      { code: "two-masters", instance: mine.name, interface: "eth0", severity: "error", text: "" },
    ],
    timeliness: { adverts: lateness(0.0625, 3, 20_000), eventLoop: lateness() },
  },
} as unknown as StatusReport;

const sample = (
  families: Map<string, Read>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined =>
  [...families.values()]
    .flatMap(({ samples }) => samples)
    .find((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    ?.value;

test("every family has HELP and TYPE once, labels are escaped, no sample is there twice", () => {
  const families = parse(metricsText(report, configuration([mine])));
  assert.ok(families.size > 25);
  const labels = families.get("keepalived_advertisements_sent_total")?.samples[0]?.labels;
  assert.deepEqual(labels, { iname: 'V"1\\', intf: "eth0", vrid: "5" });
});

test("keepalived's figures have the usual exporter's names, labels and numbers", () => {
  const families = parse(metricsText(report, configuration([mine])));
  assert.equal(sample(families, "keepalived_up"), 1);
  assert.deepEqual(
    families.get("keepalived_vrrp_state")?.samples.map(({ labels, value }) => [labels.intf, labels.ip_address, value]),
    [
      ["eth0", "10.9.0.50", 2],
      ["eth1", "10.9.0.51", 2],
    ],
  );
  assert.equal(sample(families, "keepalived_vrrp_excluded_state", { ip_address: "10.9.0.60" }), 2);
  assert.equal(sample(families, "keepalived_advertisements_received_total"), COUNTER_NAMES.indexOf("adverts-received"));
  assert.equal(sample(families, "keepalived_authentication_failure_total"), COUNTER_NAMES.indexOf("auth-failure"));
  assert.equal(sample(families, "keepalived_gratuitous_arp_delay_total"), 5);
  assert.deepEqual(
    families.get("keepalived_script_status")?.samples.map(({ labels, value }) => [labels.name, value]),
    [["chk", 0]],
  );
});

test("what keepalived has not is there under evenkeel's names", () => {
  const families = parse(metricsText(report, configuration([mine])));
  assert.equal(sample(families, "evenkeel_findings", { code: "two-masters", severity: "error" }), 2);
  assert.equal(sample(families, "evenkeel_vrrp_split_brain"), 1);
  assert.equal(sample(families, "evenkeel_vrrp_priority"), 80);
  assert.equal(sample(families, "evenkeel_start_time_seconds"), 100.5);
  assert.equal(sample(families, "evenkeel_process_restarts_total", { process: "vrrp" }), 2);
  assert.equal(
    sample(families, "evenkeel_vrrp_adverts_refused_total", { reason: "checksum" }),
    COUNTER_NAMES.indexOf("checksum"),
  );
});

test("a histogram's buckets add up, and the last one has all", () => {
  const families = parse(metricsText(report, configuration([mine])));
  const buckets = families.get("evenkeel_advert_lateness_seconds")?.samples ?? [];
  const at = (le: string) => buckets.find(({ labels }) => labels.le === le)?.value;
  assert.deepEqual([at("0.0001"), at("0.002"), at("0.005"), at("10"), at("+Inf")], [1, 1, 2, 2, 3]);
  assert.equal(sample(families, "evenkeel_advert_lateness_seconds_count"), 3);
  assert.equal(sample(families, "evenkeel_advert_lateness_seconds_sum")?.toFixed(3), "20.003");
});

test("without a vrrp process keepalived_up is 0", () => {
  const families = parse(metricsText({ ...report, vrrp: undefined, processes: [] }, undefined));
  assert.equal(sample(families, "keepalived_up"), 0);
  assert.ok(!families.has("keepalived_vrrp_state"));
});

test("line ends and backslashes in help and labels are escaped, families without samples left out", () => {
  const text = exposition([
    {
      name: "a",
      type: "gauge",
      help: "one\ntwo \\",
      samples: [{ labels: { x: "1\n2" }, value: Number.POSITIVE_INFINITY }],
    },
    { name: "b", type: "gauge", help: "", samples: [] },
  ]);
  assert.equal(text, '# HELP a one\\ntwo \\\\\n# TYPE a gauge\na{x="1\\n2"} +Inf\n');
  assert.equal(parse(text).get("a")?.samples[0]?.labels.x, "1\n2");
});
