/**
 * `~SEQ(name[, start[, step]], end)` and `~LST(name, a, b …)` at the start of a line: the rest of the line once for each
 * value (keepalived.conf(5)). Only says which values; nothing is produced until asked for.
 */

import { fail, ok, type Result } from "../../base/result.ts";

/** Values of one turn: name and text. */
export type Turn = readonly (readonly [name: string, value: string])[];

export interface Sequence {
  turns(): Iterable<Turn>;
}

const START = /^~(SEQx?|LST)\(/;
const NAME = /^[A-Za-z0-9_]+$/;
const INTEGER = /^[+-]?[0-9]{1,15}$/;

/** The length of `~SEQ(…)` at the start of `text`; 0 when there is none, -1 when its parenthesis does not close. */
export function sequenceLength(text: string): number {
  if (!START.test(text)) return 0;
  const close = text.indexOf(")");
  return close < 0 ? -1 : close + 1;
}

/** `text` is the whole `~SEQ(…)`, definitions in it already replaced. The error is a reason for people. */
export function parseSequence(text: string): Result<Sequence, string> {
  const kind = START.exec(text)?.[1] ?? "";
  const inner = text.slice(text.indexOf("(") + 1, -1);
  return kind === "LST" ? parseList(inner) : parseRange(inner, kind === "SEQx");
}

function parseRange(inner: string, hexadecimal: boolean): Result<Sequence, string> {
  const [name = "", ...numbers] = inner.split(",").map((part) => part.trim());
  if (!NAME.test(name)) return fail("it needs a name first");
  if (numbers.length < 1 || numbers.length > 3) return fail("it takes a name and one to three numbers");
  if (!numbers.every((number) => INTEGER.test(number))) return fail("its values must be whole numbers");
  const [first = 0, second = 0, third = 0] = numbers.map(Number);
  const start = numbers.length === 1 ? 1 : first;
  const end = numbers.length === 1 ? first : numbers.length === 2 ? second : third;
  const step = numbers.length === 3 ? second : end < start ? -1 : 1;
  if (step === 0) return fail("its step is 0");
  if ((end - start) * step < 0) return fail("its step leads away from its end");
  return ok({
    *turns() {
      for (let value = start; step > 0 ? value <= end : value >= end; value += step)
        yield [[name, value.toString(hexadecimal ? 16 : 10)]];
    },
  });
}

function parseList(inner: string): Result<Sequence, string> {
  const parts = splitOutsideBraces(inner);
  if (parts === undefined) return fail("its braces do not match");
  const [head = "", ...values] = parts;
  const names = membersOf(head) ?? [head];
  if (!names.every((name) => NAME.test(name))) return fail("it needs a name first");
  if (values.length === 0) return fail("it has no values");
  const rows = values.map((value) => (membersOf(head) === undefined ? [value] : (membersOf(value) ?? [value])));
  if (rows.some((row) => row.length > names.length)) return fail("it has too many values");
  return ok({
    *turns() {
      for (const row of rows) yield names.map((name, index) => [name, row[index] ?? ""] as const);
    },
  });
}

const membersOf = (text: string): string[] | undefined =>
  text.startsWith("{") && text.endsWith("}")
    ? text
        .slice(1, -1)
        .split(",")
        .map((part) => part.trim())
    : undefined;

function splitOutsideBraces(text: string): string[] | undefined {
  const parts = [""];
  let inside = false;
  for (const character of text) {
    if (character === "{" || character === "}") {
      if (inside === (character === "{")) return undefined;
      inside = character === "{";
    }
    if (character === "," && !inside) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return inside ? undefined : parts.map((part) => part.trim());
}
