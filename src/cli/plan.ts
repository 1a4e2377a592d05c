/** `evenkeel plan`: how many VIPs it takes, who holds what after which failure, as text, JSON, a picture and keepalived.conf. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseVipAddresses } from "../plan/addresses.ts";
import { adviceFor } from "../plan/advice.ts";
import { chart } from "../plan/chart.ts";
import { emitKeepalived } from "../plan/emit.ts";
import { type PlanAnswer, type PlanProgress, plan as planning } from "../plan/planner.ts";
import { MOST_VIPS, type PlanProblem, refusal, tooManyVips } from "../plan/problem.ts";
import { parseRate } from "../plan/rate.ts";
import { planJson } from "./plan-json.ts";
import { planText } from "./plan-text.ts";

export interface PlanOptions {
  readonly hosts?: string;
  readonly link?: string;
  readonly links?: string;
  readonly traffic?: string;
  readonly failures: string;
  readonly headroom: string;
  readonly vips?: string;
  readonly vipLoads?: string;
  readonly spread: string;
  readonly json?: boolean;
  readonly svg?: string;
  readonly emit?: string;
  readonly vipAddresses?: string;
  readonly interface: string;
  readonly firstVrid: string;
  readonly advertInterval: string;
  readonly hostNames?: string;
}

class Usage extends Error {}

/** Sets the exit status: 0 a plan that fits, 1 there is none or a file cannot be written, 2 wrong usage. */
export function plan(options: PlanOptions): void {
  try {
    const problem = problemOf(options);
    const hostNames = options.hostNames?.split(",") ?? problem.links.map((_, host) => `host${host + 1}`);
    if (hostNames.length !== problem.links.length) {
      throw new Usage(`--host-names has ${hostNames.length} names for ${problem.links.length} hosts`);
    }
    const vips = options.vips === undefined ? undefined : whole("--vips", options.vips);
    if (vips !== undefined && problem.vipLoads !== undefined) throw new Usage("--vips: --vip-loads says it already");
    if (vips !== undefined && vips > MOST_VIPS) throw new Usage(tooManyVips(vips));
    if (vips === 0) throw new Usage("--vips: at least 1");
    const addresses = addressesOf(options);
    const answer = solved(problem, vips);
    if (answer.chosen === undefined) throw new Error("too many failure sets to compute the outcome exactly");
    const advice = adviceFor(answer);
    if (options.emit !== undefined && addresses !== undefined)
      emit(options, options.emit, answer, hostNames, addresses);
    if (options.svg !== undefined) writeFileSync(options.svg, chart(answer, hostNames));
    const terminal = process.stdout.isTTY === true;
    process.stdout.write(
      options.json
        ? `${JSON.stringify(planJson(answer, hostNames, advice), null, 2)}\n`
        : planText(answer, hostNames, advice, {
            colour: terminal && process.env.NO_COLOR === undefined,
            width: terminal ? process.stdout.columns : undefined,
          }),
    );
    process.exitCode = answer.chosen.fits ? 0 : 1;
  } catch (error) {
    process.exitCode = error instanceof Usage ? 2 : 1;
    process.stderr.write(`evenkeel plan: ${error instanceof Error ? error.message : error}\n`);
  }
}

function problemOf(options: PlanOptions): PlanProblem {
  const vipLoads = options.vipLoads?.split(",").map((one) => rate("--vip-loads", one));
  if (vipLoads === undefined && options.traffic === undefined) throw new Usage("--traffic or --vip-loads is missing");
  if (vipLoads !== undefined && options.traffic !== undefined) {
    throw new Usage("--traffic: the sum of --vip-loads is the traffic; give one of them");
  }
  const { spread } = options;
  if (spread !== "even" && spread !== "any") throw new Usage(`--spread ${spread}: even or any`);
  const problem = {
    links: linksOf(options),
    failures: whole("--failures", options.failures),
    headroom: share(options.headroom),
    traffic: vipLoads?.reduce((total, one) => total + one, 0) ?? rate("--traffic", options.traffic ?? ""),
    vipLoads,
    spread,
  } as const;
  const refused = refusal(problem);
  if (refused !== undefined) throw new Usage(refused);
  return problem;
}

function linksOf({ hosts, link, links }: PlanOptions): number[] {
  if (links === undefined) {
    if (hosts === undefined || link === undefined)
      throw new Usage("--hosts and --link are missing, or --links for unequal ones");
    const count = whole("--hosts", hosts);
    const speed = rate("--link", link);
    if (count > 1000) throw new Usage(`--hosts ${hosts}: too many`);
    return new Array<number>(count).fill(speed);
  }
  if (link !== undefined) throw new Usage("--link and --links: give one of them");
  const speeds = links.split(",").map((one) => rate("--links", one));
  if (hosts !== undefined && whole("--hosts", hosts) !== speeds.length) {
    throw new Usage(`--hosts ${hosts}, but --links has ${speeds.length}`);
  }
  return speeds;
}

function addressesOf({ emit: folder, vipAddresses }: PlanOptions) {
  if (folder === undefined) {
    if (vipAddresses !== undefined) throw new Usage("--vip-addresses goes with --emit");
    return undefined;
  }
  if (vipAddresses === undefined) throw new Usage("--emit needs --vip-addresses");
  const addresses = parseVipAddresses(vipAddresses);
  if (!addresses.ok) throw new Usage(`--vip-addresses: ${addresses.error}`);
  return addresses.value;
}

function emit(
  options: PlanOptions,
  folder: string,
  { problem, chosen }: PlanAnswer,
  hostNames: readonly string[],
  addresses: NonNullable<ReturnType<typeof addressesOf>>,
): void {
  if (chosen?.arrangement === undefined || !chosen.fits) {
    process.stderr.write(`evenkeel plan: nothing fits, so nothing is written to ${folder}\n`);
    return;
  }
  const { vips, outcome } = chosen.arrangement;
  const settings = {
    hostNames,
    // A range may be larger than what the plan turns out to need.
    addresses: addresses.slice(0, vips.length),
    interface: options.interface,
    firstVrid: whole("--first-vrid", options.firstVrid),
    advertSeconds: Number(options.advertInterval),
  };
  const files = emitKeepalived(vips, problem, outcome.worst, settings);
  if (!files.ok) throw new Usage(files.error);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of files.value) writeFileSync(join(folder, name), text);
}

/** On a terminal, work of more than half a second says how far it is. */
function solved(problem: PlanProblem, vips: number | undefined): PlanAnswer {
  const steps = planning(problem, vips === undefined ? {} : { vips });
  const start = performance.now();
  let said = false;
  for (;;) {
    const { done, value } = steps.next();
    if (done) {
      if (said) process.stderr.write("\r\x1b[K");
      return value;
    }
    if (process.stderr.isTTY && performance.now() - start > 500) {
      said = true;
      process.stderr.write(`\r\x1b[K${progress(value)}`);
    }
  }
}

const progress = ({ vips, of }: PlanProgress): string => `trying ${vips} of at most ${of} VIPs …`;

function whole(option: string, text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) throw new Usage(`${option} ${text}: a whole number`);
  return Number(text);
}

function rate(option: string, text: string): number {
  const parsed = parseRate(text);
  if (!parsed.ok) throw new Usage(`${option}: ${parsed.error}`);
  return parsed.value;
}

/** `10%` or 0.1. */
function share(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)[ ]?(%?)$/.exec(text);
  if (match === null) throw new Usage(`--headroom ${text}: a share such as 10% or 0.1`);
  return Number(match[1]) / (match[2] === "%" ? 100 : 1);
}
