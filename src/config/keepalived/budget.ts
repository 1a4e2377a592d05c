/** What a configuration may grow to: generous for any real one, and an end to those made to explode. */

export const MAX_LINE_LENGTH = 1_024;
export const MAX_FILES = 1_000;
export const MAX_INCLUDE_DEPTH = 32;
/** Lines of all files together, expansions included. */
export const MAX_LINES = 250_000;
/** Definitions within definitions, and sequences within sequences. */
export const MAX_EXPANSION_DEPTH = 32;
export const MAX_EXPANDED_LINES = 100_000;
export const MAX_EXPANDED_CHARACTERS = 16 * 1024 * 1024;
/** Of one line after substitution. */
export const MAX_EXPANDED_LINE = 16 * 1024;
export const MAX_SUBSTITUTIONS = 1_000_000;
export const MAX_DEFINITIONS = 10_000;
export const MAX_BLOCK_DEPTH = 32;

/** Counts down; `spend` answers false for ever once a count ran out. */
export class Budget {
  #lines = MAX_LINES;
  #expandedLines = MAX_EXPANDED_LINES;
  #expandedCharacters = MAX_EXPANDED_CHARACTERS;
  #substitutions = MAX_SUBSTITUTIONS;
  #exhausted = false;

  get exhausted(): boolean {
    return this.#exhausted;
  }
  line(): boolean {
    return this.#spend(--this.#lines);
  }
  expandedLine(characters: number): boolean {
    this.#expandedCharacters -= characters;
    return this.#spend(Math.min(--this.#expandedLines, this.#expandedCharacters));
  }
  substitution(): boolean {
    return this.#spend(--this.#substitutions);
  }

  #spend(left: number): boolean {
    if (left < 0) this.#exhausted = true;
    return !this.#exhausted;
  }
}
