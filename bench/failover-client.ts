/**
 * The client of bench/failover.ts, run in its node: asks an address by ICMP echo at a fixed pace, whatever is answered.
 *
 *   node failover-client.ts ADDRESS INTERVAL_MS
 *
 * Says `answering` at the first answer. SIGTERM ends it with one line of JSON: `ClientReport`.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { echoProbe } from "../src/lab/echo-probe.ts";
import { sendProbes } from "../src/lab/probe.ts";
import { monotonicNow } from "../src/sys/clock.ts";

export interface ClientReport {
  readonly sent: number;
  /** Without an answer when the client was ended. */
  readonly lost: number;
  /** From the sending of a probe to the next answer, to this probe or a later one: the longest. */
  readonly longestWaitMs: number;
}

/** No measurement lasts so long. */
const LONGEST_MS = 120_000;

const [address = "", interval = ""] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
const now = () => monotonicNow() / 1_000;
const probes: { readonly sentMs: number; answeredMs?: number }[] = [];
const echo = echoProbe(address, LONGEST_MS);

const clock = {
  now,
  sleep: (milliseconds: number) => sleep(milliseconds, undefined, { signal: stop.signal }).catch(() => {}),
};
let answering = false;
void sendProbes(
  async (sequence) => {
    const probe: (typeof probes)[number] = { sentMs: now() };
    probes.push(probe);
    const outcome = await echo.probe(sequence);
    if (outcome.ok) {
      probe.answeredMs = now();
      if (!answering) console.log("answering");
      answering = true;
    }
    return outcome;
  },
  { intervalMs: Number(interval), count: Number.MAX_SAFE_INTEGER, durationMs: LONGEST_MS },
  clock,
  () => {},
  stop.signal,
);

stop.signal.addEventListener("abort", () => {
  console.log(JSON.stringify(report()));
  process.exit(0);
});

function report(): ClientReport {
  const last = probes.findLastIndex(({ answeredMs }) => answeredMs !== undefined);
  let [nextAnswer, longest] = [Number.POSITIVE_INFINITY, 0];
  for (const { sentMs, answeredMs } of probes.slice(0, last + 1).reverse()) {
    nextAnswer = Math.min(nextAnswer, answeredMs ?? nextAnswer);
    longest = Math.max(longest, nextAnswer - sentMs);
  }
  const settled = probes.slice(0, last + 1);
  const lost = settled.filter(({ answeredMs }) => answeredMs === undefined).length;
  return { sent: settled.length, lost, longestWaitMs: Number(longest.toFixed(1)) };
}
