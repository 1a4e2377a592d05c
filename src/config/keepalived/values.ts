/** Numbers, times, switches and addresses of keepalived.conf: a value, or undefined and a diagnostic in keepalived's words. */

import { type Duration, microseconds } from "../../base/time.ts";
import { quote, type Report } from "./report.ts";
import type { Word } from "./tree.ts";

/** Whole number in `least`..`greatest`. */
export function integer(
  word: Word,
  least: number,
  greatest: number,
  report: Report,
  kept?: string,
): number | undefined {
  if (!/^[+-]?[0-9]{1,15}$/.test(word.text)) {
    report.warning("keepalived/bad-number", word, `invalid number ${quote(word.text)}`, cure(least, greatest, kept));
    return undefined;
  }
  return inRange(word, Number(word.text), least, greatest, report, kept);
}

/** Decimal seconds between `least` and `greatest` seconds, to the microsecond. */
export function timer(
  word: Word,
  least: number,
  greatest: number,
  report: Report,
  kept?: string,
): Duration | undefined {
  if (!/^[+-]?([0-9]{1,10}(\.[0-9]*)?|\.[0-9]+)$/.test(word.text)) {
    report.warning("keepalived/bad-number", word, `invalid number ${quote(word.text)}`, cure(least, greatest, kept));
    return undefined;
  }
  const value = inRange(word, Number(word.text), least, greatest, report, kept);
  return value === undefined ? undefined : microseconds(value * 1_000_000);
}

function inRange(word: Word, value: number, least: number, greatest: number, report: Report, kept?: string) {
  if (value >= least && value <= greatest) return value;
  const message = `number ${quote(word.text)} outside range [${least}, ${greatest}]`;
  report.warning("keepalived/out-of-range", word, message, cure(least, greatest, kept));
  return undefined;
}

const cure = (least: number, greatest: number, kept: string | undefined): string =>
  `Give a number from ${least} to ${greatest}${kept === undefined ? "" : `; ${kept} is used`}`;

const SWITCH: Readonly<Record<string, boolean>> = {
  on: true,
  true: true,
  yes: true,
  off: false,
  false: false,
  no: false,
};

/** No word is true; a word that is no switch gives undefined. */
export function flag(word: Word | undefined, report: Report): boolean | undefined {
  if (word === undefined) return true;
  if (Object.hasOwn(SWITCH, word.text)) return SWITCH[word.text];
  const help = "Write on, off, true, false, yes or no, in lower case";
  report.warning("keepalived/bad-switch", word, `invalid switch ${quote(word.text)}`, help);
  return undefined;
}

/** A name that a Linux interface can have. */
export function interfaceName(word: Word, report: Report): string | undefined {
  if (/^[^\s/:]{1,15}$/.test(word.text) && word.text !== "." && word.text !== "..") return word.text;
  const help = "At most 15 characters, without blanks, slashes and colons";
  report.warning("keepalived/bad-interface", word, `${quote(word.text)} cannot be the name of an interface`, help);
  return undefined;
}
