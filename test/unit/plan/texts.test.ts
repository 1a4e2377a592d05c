/** Speeds, addresses, files and the chart: what goes in and what comes out as text. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../../../src/config/load.ts";
import { parseVipAddresses } from "../../../src/plan/addresses.ts";
import { chart } from "../../../src/plan/chart.ts";
import { type EmitSettings, emitKeepalived, prioritiesOf, priorityAt } from "../../../src/plan/emit.ts";
import { planned } from "../../../src/plan/planner.ts";
import type { PlanProblem } from "../../../src/plan/problem.ts";
import { formatRate, formatShare, parseRate } from "../../../src/plan/rate.ts";
import { memoryEnvironment } from "../../support/memory-files.ts";
import { wellFormed } from "../../support/xml.ts";

const rate = (text: string) => {
  const parsed = parseRate(text);
  return parsed.ok ? parsed.value : parsed.error;
};

test("speeds are read in the ways people write them", () => {
  for (const text of [
    "1Gbit",
    "1G",
    "1g",
    "1 Gbit/s",
    "1Gbps",
    "1Gb",
    "1Gb/s",
    "1gbits",
    "1000M",
    "1000Mbit",
    "1e9".replace("e9", "000000000"),
  ]) {
    assert.equal(rate(text), 1e9, text);
  }
  assert.equal(rate("1.5Gbit"), 1.5e9);
  assert.equal(rate(".5k"), 500);
  assert.equal(rate("2500000"), 2_500_000);
  assert.equal(rate("100bit/s"), 100);
  assert.equal(rate("1T"), 1e12);
});

test("speeds in bytes, in 1024s, in unknown units and of nothing are refused with what to write", () => {
  for (const text of ["1GB", "1GBps", "1MB/s", "1 Gbyte", "10Bytes/s"])
    assert.match(String(rate(text)), /counts bytes/, text);
  for (const text of ["1Gi", "1Gibit", "1KiB"]) assert.match(String(rate(text)), /not in 1024s/, text);
  for (const text of ["1X", "1Gbit/h", "1Gmbit"]) assert.match(String(rate(text)), /unknown unit/, text);
  for (const text of ["", "G", "-1G", "1,5G", "1e9", "0x10"])
    assert.match(String(rate(text)), /no speed: write 1Gbit/, text);
  for (const text of ["0", "0G", `1${"0".repeat(19)}`]) assert.match(String(rate(text)), /more than 0/, text);
});

test("speeds and shares are written short", () => {
  assert.equal(formatRate(1.5e9), "1.5 Gbit/s");
  assert.equal(formatRate(1e9), "1 Gbit/s");
  assert.equal(formatRate(833_333_333), "833.3 Mbit/s");
  assert.equal(formatRate(12), "12 bit/s");
  assert.equal(formatShare(0.83333), "83.33 %");
});

const addresses = (text: string) => {
  const parsed = parseVipAddresses(text);
  return parsed.ok ? parsed.value.map(({ address, prefixLength }) => `${address}/${prefixLength}`) : parsed.error;
};

test("addresses of VIPs are ranges and lists", () => {
  assert.deepEqual(addresses("10.0.0.10-12/24"), ["10.0.0.10/24", "10.0.0.11/24", "10.0.0.12/24"]);
  assert.deepEqual(addresses("10.0.0.255-10.0.1.0/16, 10.1.0.1/8"), ["10.0.0.255/16", "10.0.1.0/16", "10.1.0.1/8"]);
  assert.deepEqual(addresses("2001:db8::f-2001:db8::10/64"), ["2001:db8::f/64", "2001:db8::10/64"]);
});

test("addresses that are none, twice there, backwards, mixed or too many are refused", () => {
  assert.match(String(addresses("10.0.0.10")), /lacks the length/);
  assert.match(String(addresses("10.0.0.10-300/24")), /write 10\.0\.0\.10\/24/);
  assert.match(String(addresses("10.0.0.10/33")), /write/);
  assert.match(String(addresses("10.0.0.10-11/24,10.0.0.11/24")), /10\.0\.0\.11 is given twice/);
  assert.match(String(addresses("10.0.0.12-10/24")), /ends before it begins/);
  assert.match(String(addresses("10.0.0.1/24 2001:db8::1/64")), /mixed/);
  assert.match(String(addresses("10.0.0.0-10.0.255.255/16")), /65536 addresses; 255/);
  assert.match(String(addresses(" ")), /no address/);
});

const problem: PlanProblem = {
  links: [1e9, 1e9, 1e9],
  failures: 1,
  headroom: 0.1,
  traffic: 1.5e9,
  vipLoads: undefined,
  spread: "even",
};
const answer = planned(problem);
const arrangement = answer.chosen?.arrangement;
const settings = (more: Partial<EmitSettings> = {}): EmitSettings => {
  const range = parseVipAddresses("10.9.0.100-105/24");
  assert.ok(range.ok);
  return {
    hostNames: ["a", "b", "c"],
    addresses: range.value,
    interface: "eth0",
    firstVrid: 51,
    advertSeconds: 1,
    ...more,
  };
};
const emitted = (more: Partial<EmitSettings> = {}) => {
  assert.ok(arrangement !== undefined);
  return emitKeepalived(arrangement.vips, problem, arrangement.outcome.worst, settings(more));
};

test("the files of a plan load without a diagnostic and say what the plan says", () => {
  for (const advertSeconds of [1, 0.1]) {
    const files = emitted({ advertSeconds });
    assert.ok(files.ok);
    assert.deepEqual([...files.value.keys()], ["a.conf", "b.conf", "c.conf"]);
    for (const [host, [name, text]] of [...files.value].entries()) {
      const { configuration, diagnostics } = load([`/${name}`], memoryEnvironment({ [`/${name}`]: text }));
      assert.deepEqual(diagnostics, []);
      const instances = configuration.vrrp?.instances ?? [];
      assert.deepEqual(
        instances.map(({ virtualRouterId, priority, state, version, authPass, advertInterval }) => [
          virtualRouterId,
          priority,
          state,
          version,
          authPass,
          advertInterval,
        ]),
        arrangement?.vips.map((vip, index) => [
          51 + index,
          prioritiesOf(vip)[host],
          "BACKUP",
          advertSeconds === 1 ? 2 : 3,
          undefined,
          advertSeconds * 1e6,
        ]),
      );
      assert.deepEqual(
        instances.map(({ virtualAddresses }) =>
          virtualAddresses.map(({ address, prefixLength }) => [address, prefixLength]),
        ),
        Array.from({ length: 6 }, (_, index) => [[`10.9.0.${100 + index}`, 24]]),
      );
    }
  }
});

test("settings that do not go with a plan are refused", () => {
  const said = (more: Partial<EmitSettings>) => {
    const files = emitted(more);
    return files.ok ? "" : files.error;
  };
  assert.match(said({ firstVrid: 251 }), /6 VIPs from number 251 on go beyond 255/);
  assert.equal(said({ firstVrid: 250 }), "");
  assert.match(said({ hostNames: ["a", "b"] }), /2 host names for 3 hosts/);
  assert.match(said({ hostNames: ["a", "b", "a"] }), /same name/);
  assert.match(said({ hostNames: ["a", "b", "../c"] }), /no host name/);
  assert.match(said({ interface: "eth 0" }), /no interface/);
  assert.match(said({ advertSeconds: 0.001 }), /hundredths/);
  assert.match(said({ advertSeconds: Number.NaN }), /hundredths/);
  assert.match(said({ addresses: settings().addresses.slice(1) }), /6 VIPs, and 5 addresses/);
});

test("priorities of any number of hosts fall from 250 and stay above 0", () => {
  for (let hosts = 1; hosts <= 30; hosts++) {
    const all = Array.from({ length: hosts }, (_, place) => priorityAt(place, hosts));
    assert.equal(all[0], 250);
    assert.equal(new Set(all).size, hosts);
    assert.ok(all.every((one, place) => one >= 1 && (place === 0 || one < (all[place - 1] ?? 0))));
  }
});

test("the chart is well-formed, has a title and a description, and marks every number of VIPs and every failure", () => {
  const svg = chart(answer, ["a<b", "b&c", '"c"']);
  const names = wellFormed(svg);
  assert.equal(names[0], "svg");
  assert.match(svg, /<title id="title">3 hosts, 1\.5 Gbit\/s, 1 may fail<\/title>/);
  assert.match(
    svg,
    /<desc id="desc">With 6 VIPs .* 750 Mbit\/s, 75 % of its speed; 90 % is the limit: it fits\.<\/desc>/,
  );
  assert.match(svg, /prefers-color-scheme: dark/);
  for (let vips = 1; vips <= 12; vips++) assert.match(svg, new RegExp(`<title>${vips} VIPs: `));
  assert.match(svg, /a&lt;b failed: b&amp;c carries 750 Mbit\/s, 75 %/);
  assert.equal(names.filter((name) => name === "rect").length, 12 + 4 * 3 + (3 + 3 * 2));
});

test("the chart of many hosts shows the worst failures alone", () => {
  const many = planned({ ...problem, links: new Array<number>(10).fill(1e9), failures: 2 });
  const names = wellFormed(
    chart(
      many,
      Array.from({ length: 10 }, (_, host) => `h${host}`),
    ),
  );
  const bars = many.trials.filter(({ arrangement: one }) => one !== undefined).length;
  assert.equal(names.filter((name) => name === "rect").length, (bars > 1 ? bars : 0) + 3 * 10 + (10 + 9 + 8));
});
