/** Lines of `track_interface` and `track_script`: `NAME [weight N [reverse|noreverse]]`. */

import type { TrackInterface, TrackScript, VrrpScript } from "../model/vrrp.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import { integer, interfaceName } from "./values.ts";

/** The scripts that are usable when a tracker names them, and the names that are defined only further below. */
export interface KnownScripts {
  readonly above: ReadonlyMap<string, VrrpScript>;
  readonly below: ReadonlySet<string>;
}

interface Tracker {
  readonly weight: number | undefined;
  readonly reverse: boolean | undefined;
}

/** `owner`: the instance or group, for messages. Adds to `into`. */
export function readTrackInterfaces(
  lines: readonly Statement[],
  owner: string,
  into: TrackInterface[],
  report: Report,
): void {
  for (const line of lines) {
    const name = interfaceName(line.keyword, report);
    if (name === undefined) continue;
    if (into.some((one) => one.interface === name)) {
      reportDuplicate(line.keyword, owner, "track_interface", report);
      continue;
    }
    const tracker = readTracker(line, owner, report);
    if (tracker === undefined) continue;
    const { weight = 0, reverse = false } = tracker;
    into.push({ interface: name, weight, reverse });
  }
}

/** keepalived ignores a script that is defined only further below. */
export function readTrackScripts(
  lines: readonly Statement[],
  owner: string,
  known: KnownScripts,
  into: TrackScript[],
  report: Report,
): void {
  for (const line of lines) {
    const name = line.keyword;
    const script = known.above.get(name.text);
    if (script === undefined) {
      const below = known.below.has(name.text);
      const cure = `Move its vrrp_script above ${quote(owner)}`;
      const help = below ? cure : `Define it above: vrrp_script ${name.text} { … }`;
      const message = `(${owner}) track script ${quote(name.text)} not found, ignoring...`;
      report.warning(below ? "keepalived/script-defined-below" : "keepalived/unknown-script", name, message, help);
      continue;
    }
    if (into.some((one) => one.script === name.text)) {
      reportDuplicate(name, owner, "track_script", report);
      continue;
    }
    const tracker = readTracker(line, owner, report);
    if (tracker === undefined) continue;
    const { weight = script.weight, reverse = script.reverse } = tracker;
    into.push({ script: name.text, weight, reverse });
  }
}

/** Undefined when keepalived would not track it at all. A word behind `weight N` only loses its meaning. */
function readTracker({ words: [option, value, direction] }: Statement, owner: string, report: Report) {
  const none: Tracker = { weight: undefined, reverse: undefined };
  if (option === undefined) return none;
  if (option.text !== "weight") {
    const message = `(${owner}) unknown track option ${quote(option.text)} - ignoring`;
    report.warning(
      "keepalived/bad-tracker",
      option,
      message,
      "One name a line, then weight N, then reverse or noreverse",
    );
    return undefined;
  }
  if (value === undefined) {
    report.warning("keepalived/bad-tracker", option, `(${owner}) weight without value - ignoring`, "Give -253 to 253");
    return undefined;
  }
  const weight = integer(value, -253, 253, report);
  if (direction === undefined) return { ...none, weight };
  if (direction.text === "reverse" || direction.text === "noreverse") {
    return { weight, reverse: direction.text === "reverse" };
  }
  const message = `(${owner}) unknown weight option ${quote(direction.text)} - ignoring`;
  report.warning("keepalived/unknown-option", direction, message, "Write reverse or noreverse");
  return { ...none, weight };
}

function reportDuplicate(name: Word, owner: string, kind: string, report: Report): void {
  const message = `(${owner}) duplicate ${kind} ${quote(name.text)} - ignoring`;
  report.warning("keepalived/duplicate-tracker", name, message, "Name it once");
}
