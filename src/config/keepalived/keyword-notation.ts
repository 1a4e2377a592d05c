/** How the tables of keywords are written down, and what they say of a keyword. */

/**
 * `supported`: has its effect. `accepted`: there is nothing for it to do here, silently right to leave in place.
 * `missing`: not implemented yet, and said so.
 */
export type Support = "supported" | "accepted" | "missing";

export interface Keyword {
  readonly support: Support;
  readonly least: number;
  /** Further words are ignored, with a note. */
  readonly most: number;
  /** Undefined: takes no block. `list`: lines of its own kind. Else the context whose keywords are in it. */
  readonly block: string | undefined;
}

export type Context = ReadonlyMap<string, Keyword>;

/**
 * Words of `NAME`, `NAME/LEAST`, `NAME/LEAST-MOST` with `{}` for a list or `{CONTEXT}` for a block; `/1` is exactly one
 * word, `/1-` at least one, and without any, whatever follows.
 */
export type Table = Readonly<Partial<Record<Support, string>>>;

const NOTATION = /^([A-Za-z0-9_-]+?)(?:\/(\d)(-)?(\d)?)?(?:\{([A-Za-z_]*)\})?$/;

export function contextOf(table: Table): Context {
  const context = new Map<string, Keyword>();
  for (const support of ["supported", "accepted", "missing"] as const) {
    for (const entry of (table[support] ?? "").split(/\s+/).filter(Boolean)) {
      const [, name = "", least, dash, most, block] = NOTATION.exec(entry) ?? [];
      const fewest = Number(least ?? 0);
      const exact = least !== undefined && dash === undefined;
      const greatest = exact ? fewest : Number(most ?? Number.POSITIVE_INFINITY);
      context.set(name, { support, least: fewest, most: greatest, block: block === "" ? "list" : block });
    }
  }
  return context;
}
