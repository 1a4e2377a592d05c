/**
 * Takes a command line apart as popt(3) does for ipvsadm: clusters of letters, `-tVALUE`, `-t=VALUE`, `--name=VALUE`,
 * words between the options, `--`. Long names are not abbreviated. Knows no meaning.
 */

import { OPTION_WORDS, type OptionWord } from "./options.ts";

export type Found =
  | {
      readonly kind: "option";
      readonly word: OptionWord;
      readonly argument: string | undefined;
      /** The last element of the command line that was read: what ipvsadm calls the option in its messages. */
      readonly spelling: string;
    }
  | { readonly kind: "wrong"; readonly spelling: string; readonly why: string }
  | { readonly kind: "end" };

const BY_LONG = new Map(OPTION_WORDS.map((word) => [word.long, word]));
const BY_SHORT = new Map(OPTION_WORDS.flatMap((word) => (word.short === undefined ? [] : [[word.short, word]])));

export class WordReader {
  /** What was neither an option nor an option's argument, so far. */
  readonly others: string[] = [];
  readonly #elements: readonly string[];
  #next = 0;
  /** What is left of a cluster of letters. */
  #cluster = "";

  constructor(elements: readonly string[]) {
    this.#elements = elements;
  }

  next(): Found {
    while (this.#cluster === "") {
      const element = this.#elements[this.#next];
      if (element === undefined) return { kind: "end" };
      this.#next++;
      if (element === "--") {
        this.others.push(...this.#elements.slice(this.#next));
        this.#next = this.#elements.length;
        return { kind: "end" };
      }
      if (element.startsWith("--")) return this.#long(element);
      if (element.startsWith("-") && element.length > 1) this.#cluster = element.slice(1);
      else this.others.push(element);
    }
    return this.#short();
  }

  #long(element: string): Found {
    const equals = element.indexOf("=");
    const word = BY_LONG.get(equals < 0 ? element.slice(2) : element.slice(2, equals));
    return this.#found(word, equals < 0 ? undefined : element.slice(equals + 1));
  }

  #short(): Found {
    const word = BY_SHORT.get(this.#cluster.slice(0, 1));
    const rest = this.#cluster.slice(1);
    const takesRest = word !== undefined && word.argument !== "none" && rest !== "";
    this.#cluster = takesRest || word === undefined ? "" : rest;
    return this.#found(word, takesRest ? rest.replace(/^=/, "") : undefined);
  }

  #found(word: OptionWord | undefined, attached: string | undefined): Found {
    if (word === undefined) return this.#wrong("unknown option");
    if (word.argument === "none") {
      return attached === undefined ? this.#option(word, undefined) : this.#wrong("option does not take an argument");
    }
    if (attached !== undefined) return this.#option(word, attached);
    const following = this.#elements[this.#next];
    if (following === undefined || (word.argument === "optional" && following.startsWith("-"))) {
      return word.argument === "optional" ? this.#option(word, undefined) : this.#wrong("missing argument");
    }
    this.#next++;
    return this.#option(word, following);
  }

  #option(word: OptionWord, argument: string | undefined): Found {
    return { kind: "option", word, argument, spelling: this.#spelling() };
  }

  #wrong(why: string): Found {
    return { kind: "wrong", spelling: this.#spelling(), why };
  }

  #spelling(): string {
    return this.#elements[this.#next - 1] ?? "";
  }
}
