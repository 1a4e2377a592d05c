/** The words of one line of addresses, routes or rules, taken one after the other. */

import type { Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";

export class OptionWords {
  readonly #words: readonly Word[];
  readonly #report: Report;
  #at = 0;
  /** A word stood without its value: keepalived refuses the whole file. */
  broken = false;

  constructor({ keyword, words }: Statement, report: Report) {
    this.#words = [keyword, ...words];
    this.#report = report;
  }

  /** The whole line, for messages and dumps. */
  get written(): string {
    return this.#words.map(({ text }) => text).join(" ");
  }

  next(): Word | undefined {
    return this.#words[this.#at++];
  }

  /** The next word without taking it. */
  get ahead(): Word | undefined {
    return this.#words[this.#at];
  }

  /** The word that belongs to `option`; undefined and an error when there is none. */
  valueOf(option: Word): Word | undefined {
    const value = this.next();
    if (value !== undefined) return value;
    this.broken = true;
    const message = `Configuration line starting '${this.#words[0]?.text ?? ""}' is missing a parameter after keyword '${option.text}'`;
    this.#report.error("keepalived/missing-parameter", option, message, "keepalived refuses to start with it");
    return undefined;
  }
}
