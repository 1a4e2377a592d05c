/** Those who watch a lab during a scenario: clients that keep asking, and a bystander who listens to adverts. */

import { join } from "node:path";
import { monotonicNow } from "../../sys/clock.ts";
import type { SeenAdvert } from "../advert-watch-main.ts";
import type { LabNode, LabProcess } from "../node.ts";
import type { ProbeRecord } from "../probe-record.ts";
import { longestGapMs } from "../strip.ts";

export interface ProbeSpec {
  readonly kind: "http" | "icmp";
  /** URL, or address for ICMP. */
  readonly target: string;
  readonly intervalMs: number;
  /** Of one probe. */
  readonly timeoutMs?: number;
  readonly count: number;
  readonly keepCookies?: boolean;
  /** Each waits for the answer to the one before. */
  readonly inTurn?: boolean;
}

let started = 0;

/** Probes sent by one node. */
export class Traffic {
  readonly node: string;
  readonly #process: LabProcess;

  constructor(node: string, process: LabProcess) {
    this.node = node;
    this.#process = process;
  }

  /** What has come in so far, in the order of sending. */
  records(): readonly ProbeRecord[] {
    return this.#process
      .lines()
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as ProbeRecord);
  }

  longestGapMs(): number {
    return longestGapMs(this.records());
  }

  async finished(): Promise<readonly ProbeRecord[]> {
    await this.#process.exited;
    return this.records();
  }

  async stop(): Promise<readonly ProbeRecord[]> {
    await this.#process.signal("SIGTERM");
    return this.finished();
  }
}

export class AdvertWatch {
  readonly #process: LabProcess;

  constructor(process: LabProcess) {
    this.#process = process;
  }

  seen(): readonly SeenAdvert[] {
    return this.#process
      .lines()
      .filter((line) => line.startsWith('{"atMs"'))
      .map((line) => JSON.parse(line) as SeenAdvert);
  }
}

/** Starts asking; the probes go on by themselves. */
export async function startProbe(node: LabNode, spec: ProbeSpec): Promise<Traffic> {
  const what = spec.kind === "http" ? ["--http", spec.target] : ["--icmp", spec.target];
  const pace = [
    "--interval",
    `${spec.intervalMs}`,
    "--timeout",
    `${spec.timeoutMs ?? 1_000}`,
    "--count",
    `${spec.count}`,
  ];
  const cookies = spec.keepCookies === true ? ["--keep-cookies"] : [];
  const inTurn = spec.inTurn === true ? ["--in-turn"] : [];
  const argv = ["node", join(node.projectFolder, "src/lab/probe-main.ts"), ...what, ...pace, ...cookies, ...inTurn];
  return new Traffic(node.name, await node.spawn(argv, { name: `probe-${++started}` }));
}

/** The body of a page as seen from the node, or why there is none. By Node itself: a new machine has no curl. */
export async function fetchText(node: LabNode, url: string): Promise<string> {
  const { stdout } = await node.exec(["node", "--input-type=module", "--eval", ASK, url]);
  return stdout;
}

const ASK = `fetch(process.argv[1], { signal: AbortSignal.timeout(5_000) })
  .then((response) => response.text(), (error) => String(error.cause ?? error))
  .then((text) => process.stdout.write(text));`;

/** CLOCK_MONOTONIC in milliseconds, the clock of `ProbeRecord` and `SeenAdvert`. */
export const monotonicMs = (): number => monotonicNow() / 1_000;

/** Resolves when it listens. */
export async function watchAdverts(node: LabNode, interfaceName: string): Promise<AdvertWatch> {
  const main = join(node.projectFolder, "src/lab/advert-watch-main.ts");
  const process = await node.spawn(["node", main, interfaceName], { name: `adverts-${interfaceName}` });
  await process.waitForLine(/"listening"/);
  return new AdvertWatch(process);
}
