/**
 * Commands of `script`, `notify*` and the like: keepalived re-reads the raw line with quoting of its own.
 *
 * The first word is the command with its arguments, which is why it is usually quoted; it is taken apart once more. Both
 * times `"` and `'` protect, and a backslash escapes. No shell is involved: `$HOME`, `*` and `|` are ordinary text.
 */

import type { ScriptCommand, ScriptUser } from "../model/vrrp.ts";
import { quote, type Report } from "./report.ts";
import type { Statement } from "./tree.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  E: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const SHELL_SIGNS = /(^|\s)(?:\||\|\||&&|;|>{1,2}|<|2>&1|&)(\s|$)/;

/** Arguments in quotes are passed on; further words mean `user [group]` for notify scripts and nothing for others. */
export function commandOf(
  statement: Statement,
  further: "user" | "ignored",
  report: Report,
): ScriptCommand | undefined {
  const at = statement.words[0] ?? statement.keyword;
  const whole = splitCommand(statement.line.text);
  const command = whole?.[1];
  const argv = command === undefined ? undefined : splitCommand(command);
  if (whole === undefined || argv === undefined || argv[0] === undefined || argv.some(hasNul)) {
    const message = `Command of ${quote(statement.keyword.text)} is empty, lacks a closing quote or holds a NUL`;
    report.warning("keepalived/bad-script", at, message, 'Write it as "/path/to/command argument"');
    return undefined;
  }
  const rest = whole.slice(2);
  if (further === "ignored") warnOfLostArguments(statement, argv, rest, report);
  const signs = SHELL_SIGNS.exec(command ?? "");
  if (signs !== null && !/(^|\/)(ba|da|z|k)?sh$/.test(argv[0])) {
    const message = `${quote(signs[0].trim())} is passed to the command as an argument: no shell runs`;
    report.warning("keepalived/no-shell", at, message, "Put it into a script, or write \"/bin/sh -c '…'\"");
  }
  const [user, group] = further === "user" ? rest : [];
  return { argv, user: user === undefined ? undefined : scriptUser(user, group) };
}

/** No program can be given one. */
const hasNul = (word: string): boolean => word.includes("\0");

/** `USER [[:]GROUP]`. */
export function scriptUser(user: string, group: string | undefined): ScriptUser {
  return { user, group: group?.replace(/^:/, "") };
}

function warnOfLostArguments(statement: Statement, argv: readonly string[], rest: readonly string[], report: Report) {
  const lost = statement.words[1];
  if (rest.length === 0 || lost === undefined) return;
  const message = `${quote(rest.join(" "))} is not passed to ${quote(argv[0] ?? "")}: the command has to be in quotes`;
  const help = `Write ${statement.keyword.text} "${[argv.join(" "), ...rest].join(" ")}"`;
  report.warning("keepalived/lost-arguments", lost, message, help);
}

/** Words of a raw line; undefined when a quote is not closed. */
export function splitCommand(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quoted = "";
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    if (character === "\\" && at + 1 < text.length) {
      const [value, length] = escapeAt(text, at + 1);
      word = (word ?? "") + value;
      at += length;
    } else if (quoted !== "") {
      if (character === quoted) quoted = "";
      else word += character;
    } else if (character === '"' || character === "'") {
      quoted = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (quoted !== "") return undefined;
  if (word !== undefined) words.push(word);
  return words;
}

/** What the escape after a backslash at `at − 1` stands for, and its length. */
function escapeAt(text: string, at: number): [value: string, length: number] {
  const rest = text.slice(at, at + 16);
  const octal = /^[0-7]{1,3}/.exec(rest)?.[0];
  if (octal !== undefined) return [String.fromCharCode(Number.parseInt(octal, 8) & 0xff), octal.length];
  const hexadecimal = /^x([0-9A-Fa-f]+)/.exec(rest);
  if (hexadecimal !== null)
    return [String.fromCharCode(Number.parseInt((hexadecimal[1] ?? "").slice(-2), 16)), hexadecimal[0].length];
  const control = /^c([@-_a-z])/.exec(rest)?.[1];
  if (control !== undefined) return [String.fromCharCode(control.toUpperCase().charCodeAt(0) & 0x1f), 2];
  const character = rest[0] ?? "";
  return [Object.hasOwn(ESCAPES, character) ? (ESCAPES[character] ?? "") : character, 1];
}
