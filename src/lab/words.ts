/** Splits a command that was written as one text into words, as sh would where no shell is needed. */

import type { Command } from "./topology.ts";

/**
 * Quotes and backslashes are taken off. A text with anything that only a shell can do (`$`, `|`, `;`, `*` …) becomes
 * `sh -c TEXT`. Undefined when there is no word in it.
 */
export function commandFromText(text: string): Command | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const sign = text.charAt(at);
    if (sign === "'" || sign === '"') {
      const end = text.indexOf(sign, at + 1);
      const quoted = text.slice(at + 1, end);
      if (end < 0 || (sign === '"' && /[$`\\]/.test(quoted))) return ["sh", "-c", text];
      word = (word ?? "") + quoted;
      at = end;
    } else if (sign === "\\" && at + 1 < text.length && text[at + 1] !== "\n") {
      word = (word ?? "") + text.charAt(++at);
    } else if (/\s/.test(sign) && sign !== "\n") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (/[\n$`|&;<>()*?[\]{}!#~\\]/.test(sign)) {
      return ["sh", "-c", text];
    } else {
      word = (word ?? "") + sign;
    }
  }
  if (word !== undefined) words.push(word);
  const [first, ...rest] = words;
  if (first === undefined) return undefined;
  return /^\w+=/.test(first) ? ["sh", "-c", text] : [first, ...rest];
}

/** What a command is called when nobody named it: the base name of its program. */
export function nameOfCommand(command: Command): string {
  const [program, option, script] = command;
  const first =
    program === "sh" && option === "-c"
      ? (script ?? "")
          .trim()
          .split(/\s+/)
          .find((one) => !/^(\w+=.*|exec)$/.test(one))
      : program;
  const base = (first ?? program).replace(/^.*\//, "");
  return base.replace(/[^\w.-]/g, "") || "program";
}
