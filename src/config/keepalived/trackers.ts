/** Lines of `track_interface` and `track_script`: `NAME [weight N] [reverse|noreverse]`. */

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
    const { weight = 0, reverse = false } = readTracker(line, owner, report);
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
    const { weight = script.weight, reverse = script.reverse } = readTracker(line, owner, report);
    into.push({ script: name.text, weight, reverse });
  }
}

function readTracker({ words }: Statement, owner: string, report: Report): Tracker {
  let weight: number | undefined;
  let reverse: boolean | undefined;
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (word === undefined) break;
    if (word.text === "reverse" || word.text === "noreverse") {
      reverse = word.text === "reverse";
    } else if (word.text === "weight") {
      const value = words[++at];
      if (value === undefined) report.warning("keepalived/missing-value", word, `(${owner}) weight has no number`);
      else weight = integer(value, -253, 253, report);
    } else {
      const message = `(${owner}) unknown track option ${quote(word.text)} - ignoring`;
      report.warning(
        "keepalived/unknown-option",
        word,
        message,
        "One name a line, then weight N, reverse or noreverse",
      );
    }
  }
  return { weight, reverse };
}

function reportDuplicate(name: Word, owner: string, kind: string, report: Report): void {
  const message = `(${owner}) duplicate ${kind} ${quote(name.text)} - ignoring`;
  report.warning("keepalived/duplicate-tracker", name, message, "Name it once");
}
