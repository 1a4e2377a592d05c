/** A plan for people: the numbers of VIPs that were tried, the priorities, and who carries what after which failure. */

import type { Advice } from "../plan/advice.ts";
import { prioritiesOf } from "../plan/emit.ts";
import { countUpTo, membersOf, setsOfSize } from "../plan/failure-sets.ts";
import { loadsUnder } from "../plan/outcome.ts";
import type { PlanAnswer, Trial } from "../plan/planner.ts";
import { limitOf, type PlanProblem } from "../plan/problem.ts";
import { formatRate, formatShare } from "../plan/rate.ts";
import { type Cell, type Paper, table } from "./table.ts";

/** More failure sets are not told one by one. */
const MOST_FAILURE_ROWS = 24;

export function planText(
  answer: PlanAnswer,
  hostNames: readonly string[],
  advice: Advice | undefined,
  paper: Paper,
): string {
  const { problem, chosen } = answer;
  const bold = (text: string) => (paper.colour ? `\x1b[1m${text}\x1b[0m` : text);
  const blocks = [
    [question(problem)],
    ...(problem.vipLoads === undefined ? [[bold("VIPs"), ...triedTable(answer, paper)]] : []),
    ...(chosen === undefined ? [] : [verdict(answer, bold), ...planBlocks(problem, chosen, hostNames, paper, bold)]),
    ...(advice === undefined
      ? []
      : [[advice.reason, "What would do, each by itself:", ...advice.nearest.map((one) => `  ${one}`)]]),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function question({ links, traffic, failures, headroom }: PlanProblem): string {
  const same = links.every((link) => link === links[0]);
  const speeds = same
    ? `links of ${formatRate(links[0] ?? 0)}`
    : `links of ${links.map((one) => formatRate(one)).join(", ")}`;
  const share = headroom === 0 ? "" : `, ${formatShare(headroom)} of every link stays free`;
  return `${counted(links.length, "host")}, ${speeds}; ${formatRate(traffic)}; ${counted(failures, "host")} may fail at once${share}`;
}

/** What was passed over by its bound alone is left out of a long table. */
function triedTable({ problem, trials, chosen }: PlanAnswer, paper: Paper): string[] {
  const rows = trials
    .filter(({ arrangement, vips }) => arrangement !== undefined || vips <= 12)
    .map((trial) => {
      const [first, last] = [trial.arrangement?.outcome.worst[0], trial.arrangement?.outcome.worst.at(-1)];
      const remark = remarkOn(trial, trial === chosen, problem);
      const cells: (string | Cell)[] = [
        String(trial.vips),
        last === undefined
          ? `at least ${formatShare(trial.bound)}`
          : `${formatRate(last.load)}  ${formatShare(last.use)}`,
        first === undefined ? "" : formatShare(first.use),
        trial.fits ? { text: "yes", colour: "32" } : { text: "no", colour: "31" },
        remark,
      ];
      return cells;
    });
  const left = trials.length - rows.length;
  return [
    ...table(["VIPs", `worst after ${problem.failures} failed`, "all up", "fits", ""], rows, paper),
    ...(left === 0
      ? []
      : [`${counted(left, "other number")} of VIPs up to ${trials.at(-1)?.vips} not tried: too coarse, or less even`]),
  ];
}

function remarkOn(trial: Trial, isChosen: boolean, problem: PlanProblem): string {
  const { arrangement } = trial;
  if (arrangement === undefined) return "";
  const idle = loadsUnder(arrangement.vips, problem.links.length, 0).filter((load) => load === 0).length;
  return [
    ...(isChosen && trial.fits ? ["← this one"] : []),
    ...(idle > 0
      ? [`${counted(idle, "host")} idle while all are up`]
      : arrangement.even
        ? []
        : ["uneven while all are up"]),
    ...(arrangement.proven ? [] : [`not proven best: ${formatShare(trial.bound)} is a bound`]),
  ].join("; ");
}

function verdict({ problem, chosen, least }: PlanAnswer, bold: (text: string) => string): string[] {
  if (chosen === undefined || !chosen.fits)
    return [
      bold(chosen?.arrangement?.proven === false ? "Nothing was found that fits." : "Nothing fits."),
      ...(chosen === undefined ? [] : ["The nearest plan:"]),
    ];
  const worst = chosen.arrangement?.outcome.worst.at(-1);
  const even = problem.spread === "even" && chosen.arrangement?.even === true;
  const head = `${chosen.vips} VIPs: at worst ${formatRate(worst?.load ?? 0)} on a survivor, ${formatShare(worst?.use ?? 0)} of its link (${problem.headroom === 0 ? "less than 100 %" : `at most ${formatShare(limitOf(problem))}`} is wanted).`;
  if (problem.vipLoads !== undefined) return [bold(head)];
  const how = even ? " that fits with an even load while all hosts are up" : " that fits";
  return [
    bold(head),
    least ? `It is the least number${how}.` : `A smaller number${how} was not found; that there is none is not proven.`,
    ...(problem.spread === "even" && !even
      ? ["No number of VIPs was found that fits and is even while all hosts are up."]
      : []),
  ];
}

function planBlocks(
  problem: PlanProblem,
  { arrangement }: Trial,
  names: readonly string[],
  paper: Paper,
  bold: (text: string) => string,
): string[][] {
  if (arrangement === undefined) return [];
  const { vips, outcome } = arrangement;
  const { links, failures } = problem;
  const free = { ...paper, width: undefined };
  const priorities = table(
    ["VIP", "load", ...names],
    vips.map((vip, index) => [
      `VIP_${index + 1}`,
      formatRate(vip.load),
      ...prioritiesOf(vip).map((priority, host) =>
        vip.order[0] === host ? { text: String(priority), colour: "1;32" } : String(priority),
      ),
    ]),
    free,
  );
  const worst = table(
    ["failed", "busiest link", "", "for example"],
    outcome.worst.map((one) => [
      String(one.failures),
      formatRate(one.load),
      formatShare(one.use),
      `${names[one.host]}${one.failed.length === 0 ? "" : ` when ${one.failed.map((host) => names[host]).join(", ")} failed`}`,
    ]),
    free,
  );
  const sets = countUpTo(links.length, failures);
  const rows =
    sets > MOST_FAILURE_ROWS
      ? []
      : Array.from({ length: failures + 1 }, (_, size) => [...setsOfSize(links.length, size)]).flat();
  const loads = table(
    ["failed", ...names],
    rows.map((set) => [
      set === 0
        ? "none"
        : membersOf(set)
            .map((host) => names[host])
            .join(", "),
      ...loadsUnder(vips, links.length, set).map((load, host) => ((set >> host) & 1 ? "-" : formatRate(load))),
    ]),
    free,
  );
  return [
    [bold("Priorities"), ...priorities],
    [bold("Worst case"), ...worst, `${outcome.failureSets} failure sets, by ${outcome.method}.`],
    ...(rows.length === 0 ? [] : [[bold("Who carries what"), ...loads]]),
  ];
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
