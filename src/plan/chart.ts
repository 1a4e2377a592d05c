/**
 * A plan as a picture (SVG 1.1): worst use against the number of VIPs, and what each host carries under each failure.
 *
 * Readable on light and dark paper: its own style follows prefers-color-scheme. Nothing in it is loaded from elsewhere.
 */

import { membersOf, setsOfSize } from "./failure-sets.ts";
import { loadsUnder } from "./outcome.ts";
import type { PlanAnswer, Trial } from "./planner.ts";
import { limitOf } from "./problem.ts";
import { formatRate, formatShare } from "./rate.ts";

const WIDTH = 720;
const LEFT = 56;
const RIGHT = 16;
const PLOT = 200;
/** More failure sets than this are not drawn one by one. */
const MOST_BARS = 24;

const STYLE = `
svg { background: #fff; color: #1b1f24; font: 12px system-ui, sans-serif; }
text { fill: currentColor; } .axis { stroke: currentColor; stroke-width: 1; } .grid { stroke: currentColor; opacity: .15; }
.limit { stroke: #c62828; stroke-width: 1.5; stroke-dasharray: 6 4; } .over { fill: #c62828; } .fit { fill: #2e7d32; }
.bar { fill: #3f6fb5; } .chosen { stroke: currentColor; stroke-width: 2; } .gone { fill: none; stroke: currentColor; stroke-dasharray: 2 2; opacity: .5; }
.title { font-weight: 600; font-size: 14px; }
@media (prefers-color-scheme: dark) { svg { background: #16191d; color: #e6e8ea; } .limit { stroke: #ff7b72; } .over { fill: #ff7b72; } .fit { fill: #6fcf7f; } .bar { fill: #7aa7e8; } }
`;

/** `hostNames` in the order of the hosts. */
export function chart(answer: PlanAnswer, hostNames: readonly string[]): string {
  const { problem, chosen } = answer;
  const parts: string[] = [];
  const trials = answer.trials.filter(({ arrangement }) => arrangement !== undefined);
  let top = 40;
  if (trials.length > 1) {
    parts.push(...countsPlot(answer, trials, top));
    top += PLOT + 90;
  }
  if (chosen?.arrangement !== undefined) {
    const bars = barsPlot(answer, chosen, hostNames, top);
    parts.push(...bars.lines);
    top = bars.bottom;
  }
  const title = `${problem.links.length} hosts, ${formatRate(problem.traffic)}, ${problem.failures} may fail`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="desc">${escaped(described(answer))}</desc>`,
    `<style>${STYLE}</style>`,
    text(LEFT, 20, title, 'class="title"'),
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

function described({ problem, chosen }: PlanAnswer): string {
  const worst = chosen?.arrangement?.outcome.worst.at(-1);
  if (chosen === undefined || worst === undefined) return "There is no plan.";
  const verdict = chosen.fits ? "it fits" : "it does not fit";
  return `With ${chosen.vips} VIPs the busiest link of a survivor carries ${formatRate(worst.load)}, ${formatShare(worst.use)} of its speed; ${formatShare(limitOf(problem))} is the limit: ${verdict}.`;
}

function countsPlot({ problem, chosen }: PlanAnswer, trials: readonly Trial[], top: number): string[] {
  const uses = trials.map((trial) => trial.arrangement?.outcome.worst.at(-1)?.use ?? 0);
  const scale = scaleOf([...uses, limitOf(problem)], top);
  const step = (WIDTH - LEFT - RIGHT) / trials.length;
  const bar = Math.min(36, step * 0.7);
  const every = Math.ceil(24 / step);
  return [
    text(LEFT, top + 4, `Busiest link of a survivor after ${problem.failures} failed, by the number of VIPs`),
    ...scale.axis,
    ...trials.flatMap((trial, index) => {
      const x = LEFT + step * (index + 0.5);
      const use = uses[index] ?? 0;
      const mark = `${trial.fits ? "fit" : "over"}${trial === chosen ? " chosen" : ""}`;
      return [
        rectangle(
          x - bar / 2,
          scale.at(use),
          bar,
          scale.bottom - scale.at(use),
          mark,
          `${trial.vips} VIPs: ${formatShare(use)}`,
        ),
        ...(index % every === 0 || trial === chosen
          ? [text(x, scale.bottom + 16, String(trial.vips), 'text-anchor="middle"')]
          : []),
      ];
    }),
    ...scale.limit(limitOf(problem)),
    text((LEFT + WIDTH - RIGHT) / 2, scale.bottom + 34, "number of VIPs", 'text-anchor="middle"'),
  ];
}

function barsPlot({ problem }: PlanAnswer, chosen: Trial, names: readonly string[], top: number) {
  const { links, failures } = problem;
  const vips = chosen.arrangement?.vips ?? [];
  const sets: number[] = [];
  for (let size = 0; size <= failures && sets.length <= MOST_BARS; size++) {
    for (const set of setsOfSize(links.length, size)) if (sets.push(set) > MOST_BARS) break;
  }
  const drawn = sets.length > MOST_BARS ? [0, ...worstSets(chosen)] : sets;
  const rows: string[] = [text(LEFT, top + 4, `${chosen.vips} VIPs: what each host's link carries`)];
  const width = (WIDTH - LEFT - RIGHT - 104) / links.length;
  const most = Math.max(limitOf(problem), 1, ...drawn.flatMap((set) => usesUnder(chosen, links, set)));
  let y = top + 18;
  for (const [host, name] of names.entries()) {
    rows.push(text(LEFT + 104 + width * (host + 0.5), y + 10, shortened(name, width / 7), 'text-anchor="middle"'));
  }
  y += 18;
  for (const set of drawn) {
    const gone = membersOf(set);
    const label = gone.length === 0 ? "all up" : `${gone.map((host) => names[host]).join(", ")} failed`;
    rows.push(text(LEFT + 96, y + 13, shortened(label, 22), 'text-anchor="end"'));
    for (const [host, load] of loadsUnder(vips, links.length, set).entries()) {
      const x = LEFT + 104 + width * host + 3;
      const room = width - 6;
      const use = load / (links[host] ?? 1);
      const says = `${label}: ${names[host]} ${gone.includes(host) ? "is gone" : `carries ${formatRate(load)}, ${formatShare(use)}`}`;
      rows.push(rectangle(x, y, room / most, 18, "gone", says));
      if (!gone.includes(host))
        rows.push(
          rectangle(
            x,
            y,
            (room * use) / most,
            18,
            use > limitOf(problem) + 1e-9 || use >= 1 - 1e-9 ? "over" : "bar",
            says,
          ),
        );
      const mark = x + (room * limitOf(problem)) / most;
      rows.push(`<line class="limit" x1="${n(mark)}" y1="${n(y - 1)}" x2="${n(mark)}" y2="${n(y + 19)}"/>`);
    }
    y += 24;
  }
  return { lines: rows, bottom: y + 16 };
}

const worstSets = (chosen: Trial): number[] =>
  (chosen.arrangement?.outcome.worst.slice(1) ?? []).map(({ failed }) =>
    failed.reduce((set, host) => set | (1 << host), 0),
  );

const usesUnder = (chosen: Trial, links: readonly number[], set: number): number[] =>
  loadsUnder(chosen.arrangement?.vips ?? [], links.length, set).map((load, host) => load / (links[host] ?? 1));

/** A vertical scale of uses from 0. */
function scaleOf(uses: readonly number[], top: number) {
  const most = Math.max(...uses) * 1.08;
  const bottom = top + 20 + PLOT;
  const at = (use: number) => bottom - (PLOT * use) / most;
  const step = [0.1, 0.25, 0.5, 1, 2, 5].find((one) => most / one <= 8) ?? most / 4;
  const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
  const across = (use: number, mark: string) =>
    `<line class="${mark}" x1="${LEFT}" y1="${n(at(use))}" x2="${WIDTH - RIGHT}" y2="${n(at(use))}"/>`;
  return {
    at,
    bottom,
    axis: ticks.flatMap((use) => [
      across(use, use === 0 ? "axis" : "grid"),
      text(LEFT - 6, at(use) + 4, formatShare(use), 'text-anchor="end"'),
    ]),
    limit: (use: number) => [
      across(use, "limit"),
      text(WIDTH - RIGHT, at(use) - 5, `limit ${formatShare(use)}`, 'text-anchor="end"'),
    ],
  };
}

const n = (value: number): string => String(Math.round(value * 10) / 10);
const text = (x: number, y: number, content: string, more = ""): string =>
  `<text x="${n(x)}" y="${n(y)}"${more === "" ? "" : ` ${more}`}>${escaped(content)}</text>`;
const rectangle = (x: number, y: number, width: number, height: number, mark: string, says: string): string =>
  `<rect class="${mark}" x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}"><title>${escaped(says)}</title></rect>`;
const shortened = (label: string, most: number): string =>
  label.length <= most ? label : `${label.slice(0, Math.max(1, Math.floor(most) - 1))}…`;
const escaped = (content: string): string =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
