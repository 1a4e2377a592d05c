/** A plan as the JSON document of `evenkeel plan --json` (docs/reference/cli.md). Hosts are named, loads are bit/s, uses shares. */

import type { Advice } from "../plan/advice.ts";
import { prioritiesOf } from "../plan/emit.ts";
import type { PlanAnswer, Trial } from "../plan/planner.ts";
import { limitOf, type WorstCase } from "../plan/problem.ts";

export function planJson(answer: PlanAnswer, hostNames: readonly string[], advice: Advice | undefined) {
  const { problem, trials, chosen, least } = answer;
  const name = (host: number) => hostNames[host] ?? "";
  const named = (worst: WorstCase) => ({ ...worst, host: name(worst.host), failed: worst.failed.map(name) });
  const arrangement = chosen?.arrangement;
  return {
    hosts: problem.links.map((link, host) => ({ name: name(host), link })),
    traffic: problem.traffic,
    failures: problem.failures,
    headroom: problem.headroom,
    limit: limitOf(problem),
    spread: problem.spread,
    tried: trials.map(trialJson),
    fits: chosen?.fits ?? false,
    leastProven: least,
    plan:
      arrangement === undefined
        ? null
        : {
            vips: arrangement.vips.map((vip, index) => ({
              name: `VIP_${index + 1}`,
              load: vip.load,
              order: vip.order.map(name),
              priorities: Object.fromEntries(prioritiesOf(vip).map((priority, host) => [name(host), priority])),
            })),
            worst: arrangement.outcome.worst.map(named),
            proven: arrangement.proven,
            failureSets: arrangement.outcome.failureSets,
            method: arrangement.outcome.method,
          },
    ...(advice === undefined ? {} : { advice }),
  };
}

function trialJson({ vips, bound, arrangement, fits }: Trial) {
  return {
    vips,
    bound,
    worst: arrangement?.outcome.worst.at(-1)?.use ?? null,
    allUp: arrangement?.outcome.worst[0]?.use ?? null,
    even: arrangement?.even ?? false,
    proven: arrangement?.proven ?? false,
    fits,
  };
}
