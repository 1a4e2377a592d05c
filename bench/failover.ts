/**
 * How long a client waits when a router dies, and when it comes back: VRRP of evenkeel beside Debian's keepalived, nothing
 * else (bench/failover-balancers.ts measures whole balancers).
 *
 *   npm run bench:failover -- [--rounds N] [--settings v2-1s,v3-100ms,v3-50ms,v3-10ms] [--deaths stop,link,kill,freeze] [--json]
 *
 * A client on the LAN asks the VIP 200 times a second by ICMP echo, which the kernel of the router answers. The gap is the
 * longest that it waited for an answer: from sending a probe to the next answer, to this probe or to a later one. The brands
 * take turns, from the same file and with both pairs up; the order changes from round to round.
 */

import { parseArgs } from "node:util";
import type { Brand } from "../test/support/vrrp-pair.ts";
import type { ClientReport } from "./failover-client.ts";
import { ContestPair, DEATHS, type Death, type Gone, type Owners, type Setting } from "./failover-pair.ts";

const SETTINGS: readonly Setting[] = [
  { name: "v2-1s", version: 2, advertIntervalMs: 1_000 },
  { name: "v3-100ms", version: 3, advertIntervalMs: 100 },
  { name: "v3-50ms", version: 3, advertIntervalMs: 50 },
  { name: "v3-10ms", version: 3, advertIntervalMs: 10 },
];
const BRANDS: readonly Brand[] = ["evenkeel", "keepalived"];
/** evenkeel's addresses end 4 s after their last refresh, which the kernel notices up to a second late. */
const OWNERS_AFTER_MS = 5_500;

const usage = (problem: string): never => {
  process.stderr.write(`failover: ${problem}\n`);
  process.exit(2);
};
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    settings: { type: "string", default: SETTINGS.map(({ name }) => name).join(",") },
    deaths: { type: "string", default: "link,stop,kill,freeze" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 100)) usage("--rounds is a number from 1 to 100");
const settings = values.settings
  .split(",")
  .map((name) => SETTINGS.find((one) => one.name === name) ?? usage(`no setting "${name}"`));
const deaths = values.deaths
  .split(",")
  .map((word) => DEATHS.find((death) => death.split(" ").includes(word)) ?? usage(`no death "${word}"`));

interface Sample {
  readonly setting: string;
  readonly brand: Brand;
  readonly round: number;
  readonly death: Death;
  readonly gone: Gone;
  readonly back: ClientReport;
  /** Of a kill and a freeze. */
  readonly owners: Owners | undefined;
}

interface Steadiness {
  readonly setting: string;
  readonly brand: Brand;
  /** The backup took over from a master that was alive. */
  readonly falseTakeOvers: number;
}

const samples: Sample[] = [];
const steadiness: Steadiness[] = [];

async function measure(setting: Setting): Promise<void> {
  const pairs = new Map<Brand, ContestPair>();
  try {
    for (const brand of BRANDS) pairs.set(brand, await ContestPair.start(brand, setting));
    for (let round = 1; round <= rounds; round++) {
      const order = round % 2 === 1 ? [...pairs] : [...pairs].reverse();
      for (const death of deaths) await measureDeath(setting, round, death, order);
    }
    for (const [brand, { falseTakeOvers }] of pairs) {
      steadiness.push({ setting: setting.name, brand, falseTakeOvers });
    }
    if (process.env.BENCH_LOG !== undefined) for (const { log } of pairs.values()) process.stderr.write(log);
  } finally {
    for (const pair of pairs.values()) await pair[Symbol.asyncDispose]();
  }
}

type Order = readonly (readonly [Brand, ContestPair])[];

async function measureDeath(setting: Setting, round: number, death: Death, order: Order): Promise<void> {
  const gone: Gone[] = [];
  const owners: (Owners | undefined)[] = [];
  for (const [, pair] of order) gone.push(await pair.die(death));
  for (const [, pair] of order) {
    owners.push(death === "kill -9" || death === "freeze" ? await pair.owners(OWNERS_AFTER_MS) : undefined);
  }
  for (const [index, [brand, pair]] of order.entries()) {
    const back = await pair.comeBack(death);
    const before = gone[index];
    if (before === undefined) continue;
    samples.push({ setting: setting.name, brand, round, death, gone: before, back, owners: owners[index] });
    const figures = [before, back]
      .map(({ longestWaitMs, lost }) => `${longestWaitMs} ms, ${lost} lost`)
      .join("; back: ");
    process.stderr.write(`${setting.name}, round ${round} of ${rounds}, ${death}, ${brand}: ${figures}\n`);
  }
}

// ---- tables

function sorted(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}

function median(values: readonly number[]): number {
  const all = sorted(values);
  const [low, high] = [all[Math.floor((all.length - 1) / 2)], all[Math.floor(all.length / 2)]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

function row(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

function printTables(): void {
  const head = [
    "setting",
    "what happens",
    "evenkeel: gap ms, median (worst)",
    "keepalived: gap ms, median (worst)",
    "ratio",
  ];
  const columns = [...head, "evenkeel: probes lost, median (worst)", "keepalived: probes lost, median (worst)"];
  row(columns);
  row(columns.map(() => "---"));
  for (const { name } of settings) {
    for (const death of deaths) gapRow(name, death, death, ({ gone }) => gone);
    for (const death of deaths) gapRow(name, death, `return after ${death}`, ({ back }) => back);
  }
  console.log();
  const ownership = [
    "setting",
    "what happens",
    "taken over after, median (worst)",
    "two owners for",
    `answer ARP ${OWNERS_AFTER_MS / 1_000} s later`,
  ];
  const doubled = ownership.flatMap((cell, index) => (index < 2 ? [cell] : BRANDS.map((brand) => `${brand}: ${cell}`)));
  row(doubled);
  row(doubled.map(() => "---"));
  for (const { name } of settings) for (const death of deaths) ownersRow(name, death);
  console.log();
  for (const { setting, brand, falseTakeOvers } of steadiness) {
    console.log(`${setting}, ${brand}: ${falseTakeOvers} times the backup took over from a master that was alive`);
  }
}

const of = (setting: string, death: Death, brand: Brand): Sample[] =>
  samples.filter((one) => one.setting === setting && one.death === death && one.brand === brand);

function spread(values: readonly number[]): string {
  return `${Math.round(median(values))} (${Math.round(Math.max(...values))})`;
}

function gapRow(setting: string, death: Death, title: string, pick: (sample: Sample) => ClientReport): void {
  const seen = BRANDS.map((brand) => of(setting, death, brand).map(pick));
  const gaps = seen.map((all) => all.map(({ longestWaitMs }) => longestWaitMs));
  const lost = seen.map((all) => all.map((one) => one.lost));
  const [ours = Number.NaN, theirs = Number.NaN] = gaps.map(median);
  // A few milliseconds are how the client and its processor were at that moment.
  const ratio = Math.max(ours, theirs) < 5 ? "–" : (ours / theirs).toFixed(2);
  row([setting, title, ...gaps.map(spread), ratio, ...lost.map(spread)]);
}

function ownersRow(setting: string, death: Death): void {
  const seen = BRANDS.map((brand) => of(setting, death, brand).flatMap(({ owners }) => owners ?? []));
  if (seen.some((all) => all.length === 0)) return;
  const taken = BRANDS.map((brand) => `${spread(of(setting, death, brand).map(({ gone }) => gone.takenAfterMs))} ms`);
  const times = seen.map((all) => `${spread(all.map(({ twoForMs }) => twoForMs))} ms`);
  const answering = seen.map((all) => [...new Set(all.map((one) => one.answering))].join(" or "));
  row([setting, death, ...taken, ...times, ...answering]);
}

for (const setting of settings) await measure(setting);
if (values.json) console.log(JSON.stringify({ rounds, samples, steadiness }));
else printTables();
