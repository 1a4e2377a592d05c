/** What `evenkeel explain` prints: tables for people, and the same as JSON. */

import { type Duration, inSeconds } from "../base/time.ts";
import { inWords } from "../vrrp/rehearsal/faults.ts";
import type { Move, Outcome, Rehearsal } from "../vrrp/rehearsal/rehearse.ts";
import { type Cell, type Paper, table } from "./table.ts";

export interface ExplainStyle {
  readonly paper: Paper;
  /** Every change of state and priority too, with its cause. */
  readonly steps: boolean;
}

export function explainText({ before, outcomes, undecided }: Rehearsal, { paper, steps }: ExplainStyle): string[] {
  const held = before.map(({ address, instance, holders }) => [address, instance, holdersIn(holders)]);
  return [
    ...table(["VIP", "INSTANCE", "HELD BY"], held, paper),
    "",
    ...table(
      ["FAILURE", "VIP", "MOVES", "AFTER", "NOBODY", "WHEN IT IS REPAIRED"],
      outcomes.flatMap((outcome) => rowsOf(outcome)),
      paper,
    ),
    ...(steps ? outcomes.flatMap((outcome) => ["", ...stepLines(outcome, paper)]) : []),
    ...(undecided.length === 0
      ? []
      : ["", `Equal priorities: ${undecided.join(", ")}. Addresses of the hosts decide, which the files do not say.`]),
    ...(outcomes.some(({ restless }) => restless)
      ? ["", "… marks what did not come to rest in the time that was tried."]
      : []),
  ];
}

function rowsOf({ faults, moves, restless }: Outcome): (string | Cell)[][] {
  const what = `${faults.map(inWords).join(", ")}${restless ? " …" : ""}`;
  if (moves.length === 0) return [[what, "", "nothing moves", "", "", ""]];
  return moves.map((move, index) => [
    index === 0 ? what : "",
    move.addresses.length <= 2
      ? move.addresses.join(", ")
      : `${move.addresses[0]} and ${move.addresses.length - 1} more`,
    { text: `${holdersIn(move.from).text} → ${holdersIn(move.to).text}`, ...(move.to.length === 1 ? {} : BAD) },
    span(move.after),
    move.to.length === 0 ? { text: "from then on", ...BAD } : span(move.nobody),
    afterRepair(move),
  ]);
}

function stepLines({ steps }: Outcome, paper: Paper): string[] {
  const rows = steps.map(({ after, host, instance, what, cause }) => [span(after), host, instance, what, cause]);
  return rows.length === 0 ? [] : table(["AFTER", "HOST", "INSTANCE", "WHAT", "WHY"], rows, paper);
}

const BAD = { colour: "31" };

const holdersIn = (holders: readonly string[]): Cell =>
  holders.length === 0
    ? { text: "nobody", ...BAD }
    : { text: holders.join(" and "), ...(holders.length > 1 ? BAD : {}) };

const afterRepair = ({ from, to, repaired }: Move): string => {
  const now = holdersIn(repaired).text;
  if (repaired.join() === to.join()) return `stays on ${now}`;
  return repaired.join() === from.join() ? `back to ${now}` : now;
};

const span = (time: Duration): string => `${inSeconds(time).toFixed(2)} s`;

/** Times in seconds. */
export function explainJson({ before, outcomes, undecided }: Rehearsal, hosts: readonly string[]): unknown {
  return {
    hosts,
    before,
    undecided,
    outcomes: outcomes.map(({ faults, moves, steps, restless }) => ({
      failures: faults.map((fault) => ({ ...fault, text: inWords(fault) })),
      moves: moves.map(({ after, nobody, several, ...move }) => ({
        ...move,
        afterSeconds: inSeconds(after),
        nobodySeconds: move.to.length === 0 ? null : inSeconds(nobody),
        severalSeconds: inSeconds(several),
      })),
      steps: steps.map(({ after, ...step }) => ({ afterSeconds: inSeconds(after), ...step })),
      ...(restless ? { restless } : {}),
    })),
  };
}
