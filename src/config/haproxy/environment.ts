/**
 * The variables that `"$NAME"` reads in haproxy.cfg, and that `setenv`, `presetenv`, `unsetenv` and `resetenv` change for
 * the lines below them (HAProxy 2.6 configuration.txt §2.3, §3.1). Touches no process environment.
 */

/** Characters that all expansions of one load may yield together: `setenv A "$A$A"` doubles with every line. */
const EXPANSION_BUDGET = 4 * 1024 * 1024;

export class Environment {
  readonly #values = new Map<string, string>();
  #budget = EXPANSION_BUDGET;

  constructor(initial: Readonly<Record<string, string | undefined>>) {
    for (const [name, value] of Object.entries(initial)) {
      if (value !== undefined) this.#values.set(name, value);
    }
  }

  get(name: string): string | undefined {
    return this.#values.get(name);
  }
  set(name: string, value: string): void {
    this.#values.set(name, value);
  }
  unset(name: string): void {
    this.#values.delete(name);
  }
  /** Forgets all but `kept`. */
  reset(kept: ReadonlySet<string>): void {
    for (const name of this.#values.keys()) {
      if (!kept.has(name)) this.#values.delete(name);
    }
  }

  /** False when what was expanded so far, with `characters` more, is past any sensible size. */
  spend(characters: number): boolean {
    this.#budget -= characters;
    return this.#budget >= 0;
  }
}
