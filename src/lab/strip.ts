/**
 * The strip: what a client saw, one character a probe, by the server that answered; a dot where none did.
 *
 * Pure. Probes are taken in the order in which they were sent.
 */

import type { ProbeRecord } from "./probe-record.ts";

export const NO_ANSWER = ".";

export interface StripOptions {
  /** Characters a line. */
  readonly columns: number;
}

/** Lines of at most `columns` characters; none when there are no probes. */
export function strip(records: readonly ProbeRecord[], options: StripOptions): string[] {
  const letters = serverLetters(records);
  const characters = inOrder(records).map((one) => (one.ok ? (letters.get(one.by ?? "") ?? "+") : NO_ANSWER));
  const columns = Math.max(1, Math.floor(options.columns));
  const lines: string[] = [];
  for (let at = 0; at < characters.length; at += columns) lines.push(characters.slice(at, at + columns).join(""));
  return lines;
}

/**
 * The character of each server: the digit at the end of its name when no other server has it, else a letter. `+` stands
 * for an answer that does not say from whom.
 */
export function serverLetters(records: readonly ProbeRecord[]): ReadonlyMap<string, string> {
  const names = [...new Set(records.flatMap((one) => (one.ok && one.by !== undefined ? [one.by] : [])))].sort();
  const letters = new Map<string, string>();
  const taken = new Set<string>();
  for (const name of names) {
    const wishes = [...`${/[0-9]$/.exec(name)?.[0] ?? ""}${name.toLowerCase()}abcdefghijklmnopqrstuvwxyz`];
    const free = wishes.find((sign) => /[0-9a-z]/.test(sign) && !taken.has(sign)) ?? "+";
    if (free !== "+") taken.add(free);
    letters.set(name, free);
  }
  return letters;
}

/**
 * The longest time without an answer, milliseconds: from the sending of the last probe that was answered to the sending
 * of the next one that was. A run of lost probes at the beginning or the end counts from its first, or to its last. 0
 * when every probe was answered.
 */
export function longestGapMs(records: readonly ProbeRecord[]): number {
  let longest = 0;
  let lastGood: number | undefined;
  let lost = false;
  let from = 0;
  for (const { ok, sentMs } of inOrder(records)) {
    if (ok) {
      if (lost) longest = Math.max(longest, sentMs - from);
      lost = false;
      lastGood = sentMs;
    } else {
      if (!lost) from = lastGood ?? sentMs;
      lost = true;
      longest = Math.max(longest, sentMs - from);
    }
  }
  return longest;
}

const inOrder = (records: readonly ProbeRecord[]): ProbeRecord[] =>
  [...records].sort((one, other) => one.sequence - other.sequence);
