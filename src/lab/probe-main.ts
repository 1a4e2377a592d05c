/**
 * A client that keeps asking, run inside a node: one line of JSON (`ProbeRecord`) a probe, in the order of sending.
 *
 *   node probe-main.ts --http URL [--keep-alive] [--keep-cookies] | --icmp ADDRESS
 *                      [--interval MS] [--timeout MS] [--count N] [--duration MS] [--in-turn]
 *
 * SIGTERM and SIGINT end the sending; what is under way is still told. Exit 2 for wrong arguments.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { monotonicNow } from "../sys/clock.ts";
import { echoProbe } from "./echo-probe.ts";
import { httpProbe } from "./http-probe.ts";
import { type Probe, sendProbes } from "./probe.ts";

/** No client of a lab needs more than an hour of probes at the fastest pace. */
const MOST_PROBES = 3_600_000;

function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      http: { type: "string" },
      icmp: { type: "string" },
      "keep-alive": { type: "boolean", default: false },
      "keep-cookies": { type: "boolean", default: false },
      interval: { type: "string", default: "100" },
      timeout: { type: "string", default: "1000" },
      count: { type: "string", default: "10" },
      duration: { type: "string" },
      "in-turn": { type: "boolean", default: false },
    },
  });
  const timeoutMs = number("timeout", values.timeout, 1, 60_000);
  const pace = {
    intervalMs: number("interval", values.interval, 1, 60_000),
    count: number("count", values.count, 1, MOST_PROBES),
    inTurn: values["in-turn"],
    ...(values.duration === undefined ? {} : { durationMs: number("duration", values.duration, 1, 3_600_000) }),
  };
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const [probe, close] = prober(values, timeoutMs);
  const clock = {
    now: () => monotonicNow() / 1_000,
    sleep: (milliseconds: number) => sleep(milliseconds, undefined, { signal: stop.signal }).catch(() => {}),
  };
  const tell = (record: object) => process.stdout.write(`${JSON.stringify(record)}\n`);
  return sendProbes(probe, pace, clock, tell, stop.signal).finally(close);
}

interface What {
  readonly http?: string | undefined;
  readonly icmp?: string | undefined;
  readonly "keep-alive": boolean;
  readonly "keep-cookies": boolean;
}

function prober(what: What, timeoutMs: number): [Probe, () => void] {
  if (what.icmp !== undefined && what.http === undefined) {
    const { probe, close } = echoProbe(what.icmp, timeoutMs);
    return [probe, close];
  }
  if (what.http === undefined || what.icmp !== undefined) throw new Error("give --http URL or --icmp ADDRESS");
  const options = { url: what.http, timeoutMs, keepAlive: what["keep-alive"], keepCookies: what["keep-cookies"] };
  if (!URL.canParse(what.http) || !what.http.startsWith("http://")) throw new Error(`"${what.http}" is no http URL`);
  return [httpProbe(options), () => {}];
}

function number(name: string, text: string, lowest: number, highest: number): number {
  const value = Number(text);
  if (!(value >= lowest && value <= highest)) throw new Error(`--${name} is a number from ${lowest} to ${highest}`);
  return value;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`probe: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
