/** `.if`, `.elif`, `.else`, `.endif` and the directives that say something (HAProxy 2.6 configuration.txt §2.4). */

import type { Diagnostics } from "../text/diagnostic.ts";
import { evaluate } from "./condition.ts";
import type { Environment } from "./environment.ts";
import { nothingFrom, type Statement } from "./statement.ts";

const DEEPEST = 100;
const DIRECTIVES = [".if", ".elif", ".else", ".endif", ".diag", ".notice", ".warning", ".alert"];

interface Block {
  readonly opened: Statement;
  /** `wanted`: lines are read. `waiting`: an `.elif` or `.else` may still come. `over`: no more of it is read. */
  state: "wanted" | "waiting" | "over";
  sawElse: boolean;
}

export class Conditionals {
  readonly #environment: Environment;
  readonly #diagnostics: Diagnostics;
  readonly #blocks: Block[] = [];
  /** `.if`s past the deepest level, whose `.endif`s must still be found. */
  #tooDeep = 0;

  constructor(environment: Environment, diagnostics: Diagnostics) {
    this.#environment = environment;
    this.#diagnostics = diagnostics;
  }

  /** Whether lines are read at this place. */
  get active(): boolean {
    return this.#tooDeep === 0 && (this.#blocks.at(-1)?.state ?? "wanted") === "wanted";
  }

  /** True when the statement is a directive, or lies in a block that is left out. */
  take(statement: Statement): boolean {
    switch (statement.head.text) {
      case ".if":
        this.#open(statement);
        return true;
      case ".elif":
        this.#otherwise(statement, () => this.#holds(statement));
        return true;
      case ".else":
        if (nothingFrom(statement, 1, this.#diagnostics)) this.#otherwise(statement, () => true);
        return true;
      case ".endif":
        this.#close(statement);
        return true;
      default:
        if (!this.active) return true;
        return statement.head.text.startsWith(".") && this.#say(statement);
    }
  }

  /** The end of the file. */
  end(): void {
    for (const block of this.#blocks) {
      const help = "add '.endif'; blocks do not reach over the end of a file";
      this.#diagnostics.error("haproxy/unbalanced-condition", block.opened.spanFrom(0), "'.if' is never closed", help);
    }
  }

  #open(statement: Statement): void {
    if (this.#blocks.length < DEEPEST) {
      const state = !this.active ? "over" : this.#holds(statement) ? "wanted" : "waiting";
      this.#blocks.push({ opened: statement, state, sawElse: false });
      return;
    }
    if (this.#tooDeep++ === 0) {
      const message = `'.if' is nested deeper than ${DEEPEST}`;
      this.#diagnostics.error("haproxy/nested-too-deep", statement.spanFrom(0), message);
    }
  }

  #otherwise(statement: Statement, holds: () => boolean): void {
    if (this.#tooDeep > 0) return;
    const block = this.#blocks.at(-1);
    const directive = statement.head.text;
    if (block === undefined || block.sawElse) {
      const message = `'${directive}' ${block === undefined ? "has no '.if'" : "comes after '.else'"}`;
      this.#diagnostics.error("haproxy/unbalanced-condition", statement.head.span, message);
      return;
    }
    block.sawElse = directive === ".else";
    if (block.state === "wanted") block.state = "over";
    else if (block.state === "waiting" && holds()) block.state = "wanted";
  }

  #close(statement: Statement): void {
    nothingFrom(statement, 1, this.#diagnostics);
    if (this.#tooDeep > 0) this.#tooDeep--;
    else if (this.#blocks.pop() === undefined)
      this.#diagnostics.error("haproxy/unbalanced-condition", statement.head.span, "'.endif' has no '.if'");
  }

  #holds(statement: Statement): boolean {
    const condition = statement.words
      .slice(1)
      .map((word) => word.text)
      .join(" ");
    const value = evaluate(condition, this.#environment);
    if (value.ok) return value.value;
    this.#diagnostics.error("haproxy/bad-condition", statement.spanFrom(1), value.error);
    return false;
  }

  #say(statement: Statement): true {
    const directive = statement.head.text;
    if (!DIRECTIVES.includes(directive)) {
      const message = `'${directive}' is not a directive`;
      this.#diagnostics.error("haproxy/unknown-directive", statement.head.span, message, DIRECTIVES.join(" "));
      return true;
    }
    const extra = statement.words[2];
    if (extra !== undefined) {
      const message = `'${directive}' takes one argument`;
      this.#diagnostics.error("haproxy/extra-argument", extra.span, message, "put the message into quotes");
      return true;
    }
    if (directive === ".diag") return true;
    const severity = directive === ".alert" ? "error" : directive === ".warning" ? "warning" : "note";
    this.#diagnostics.add(severity, "haproxy/message", statement.spanFrom(0), statement.text(1) || `'${directive}'`);
    return true;
  }
}
