/**
 * How long clients wait when a balancer dies: evenkeel beside Debian's keepalived with haproxy, from the same files
 * (examples/haproxy-keepalived), in the same run on the same machine.
 *
 *   npm run bench:failover-balancers -- [ROUNDS]
 *
 * Each figure is the longest time without an answer that a client saw, asking every 10 ms on a new connection each. "stale"
 * is how long the dead balancer kept the VIP; a line says when it kept it until the end of the observation.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { CLIENT_VIP } from "../src/lab/scenarios/haproxy-keepalived.ts";
import { startProbe } from "../src/lab/scenarios/observers.ts";
import { answered, DEATHS, type Death, die, held, ownedBy, recover, up } from "../test/support/balancers.ts";
import type { Brand } from "../test/support/vrrp-pair.ts";

const rounds = Number(process.argv[2] ?? 3);
/** Longer than any of the two keeps what it lets go at all, milliseconds. */
const LONGEST_STALE_MS = 8_000;

interface Sample {
  readonly gapMs: number;
  readonly backMs: number;
  readonly staleMs: number | undefined;
}

async function measure(brand: Brand): Promise<Map<Death, Sample[]>> {
  const samples = new Map<Death, Sample[]>(DEATHS.map((death) => [death, []]));
  const lab = await up(brand, brand);
  try {
    const [lb1, lb2] = [lab.node("lb1"), lab.node("lb2")];
    await ownedBy(lb1, lb2);
    for (let round = 1; round <= rounds; round++) {
      for (const death of DEATHS) {
        process.stderr.write(`${brand}: ${death}, round ${round} of ${rounds}\n`);
        const probe = () =>
          startProbe(lab.node("h1"), {
            kind: "http",
            target: `http://${CLIENT_VIP}/`,
            intervalMs: 10,
            timeoutMs: 500,
            count: 10_000,
          });
        const dying = await probe();
        await answered(dying);
        const at = performance.now();
        await die(lb1, death);
        let staleMs: number | undefined;
        while (staleMs === undefined && performance.now() - at < LONGEST_STALE_MS) {
          if ((await held(lb1)) === 0) staleMs = performance.now() - at;
          else await sleep(20);
        }
        await answered(dying);
        await dying.stop();
        const returning = await probe();
        await answered(returning);
        await recover(lb1, death);
        await ownedBy(lb1, lb2);
        await answered(returning);
        await returning.stop();
        samples.get(death)?.push({ gapMs: dying.longestGapMs(), backMs: returning.longestGapMs(), staleMs });
      }
    }
  } finally {
    await lab.down();
  }
  return samples;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const ours = await measure("evenkeel");
const theirs = await measure("keepalived");
const row = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
console.log(
  row([
    "death",
    "evenkeel gap ms",
    "keepalived gap ms",
    "ratio",
    "evenkeel: gap when it returns",
    "keepalived: gap when it returns",
    "evenkeel: stale VIP",
    "keepalived: stale VIP",
  ]),
);
console.log(row(Array(8).fill("---")));
for (const death of DEATHS) {
  const of = (samples: Map<Death, Sample[]>, pick: (one: Sample) => number) =>
    Math.round(median((samples.get(death) ?? []).map(pick)));
  const stale = (samples: Map<Death, Sample[]>) => {
    const all = (samples.get(death) ?? []).map((one) => one.staleMs);
    return all.includes(undefined)
      ? `kept (> ${LONGEST_STALE_MS / 1000} s)`
      : `${Math.round(median(all as number[]))} ms`;
  };
  const [a, b] = [of(ours, (one) => one.gapMs), of(theirs, (one) => one.gapMs)];
  console.log(
    row([
      death,
      a,
      b,
      b === 0 ? "–" : (a / b).toFixed(2),
      of(ours, (one) => one.backMs),
      of(theirs, (one) => one.backMs),
      stale(ours),
      stale(theirs),
    ]),
  );
}
