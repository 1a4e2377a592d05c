/**
 * A YAML text as values that know where they stand, with every mistake as a diagnostic.
 *
 * The `yaml` package parses (YAML 1.2); here aliases and merge keys are followed and wrong shapes reported. Knows no
 * keyword of any file format.
 */

import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument } from "yaml";
import type { Diagnostics } from "../config/text/diagnostic.ts";
import { Source, type Span } from "../config/text/source.ts";
import { suggest } from "../config/text/suggest.ts";

/** A lab's file is written by hand. */
const LARGEST_FILE = 1_000_000;
const MOST_MERGES = 16;

export interface YamlField {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: YamlValue;
}

/** Changes the text of a scalar before it is used (docker compose replaces `${NAME}`). */
export type ScalarFilter = (text: string) => string;

interface Context {
  readonly source: Source;
  readonly document: Document;
  readonly diagnostics: Diagnostics;
  readonly filter: ScalarFilter;
}

/** The top of the text, or undefined when it cannot be read as YAML at all. */
export function readYaml(
  name: string,
  text: string,
  diagnostics: Diagnostics,
  filter: ScalarFilter = (scalar) => scalar,
): YamlValue | undefined {
  const source = new Source(name, text);
  if (text.length > LARGEST_FILE) {
    diagnostics.error(
      "lab/too-large",
      { source, start: 0, end: 1 },
      `a lab's file has at most ${LARGEST_FILE} characters`,
    );
    return undefined;
  }
  const document = parseDocument(text, { prettyErrors: false, strict: true, keepSourceTokens: false });
  for (const { message, pos } of [...document.errors, ...document.warnings].slice(0, 20)) {
    const what = message.replace(/\s+/g, " ").replace(/\.$/, "");
    diagnostics.error("lab/yaml", { source, start: pos[0], end: Math.max(pos[0], pos[1]) }, what);
  }
  if (document.errors.length > 0) return undefined;
  return new YamlValue({ source, document, diagnostics, filter }, document.contents as Node | null, {
    source,
    start: 0,
    end: 0,
  });
}

export class YamlValue {
  readonly span: Span;
  readonly #context: Context;
  readonly #node: Node | null;

  /** `fallback` is the place of a value that is not written (a key with nothing behind it). */
  constructor(context: Context, node: Node | null, fallback: Span) {
    this.#context = context;
    this.#node = isAlias(node) ? followAlias(context, node) : node;
    const range = node?.range;
    this.span = range ? { source: context.source, start: range[0], end: range[1] } : fallback;
  }

  get kind(): "map" | "list" | "text" | "nothing" {
    if (isMap(this.#node)) return "map";
    if (isSeq(this.#node)) return "list";
    return isScalar(this.#node) && this.#node.value !== null ? "text" : "nothing";
  }

  /** Numbers and booleans as they are written. Undefined, and reported, when it is no scalar. */
  text(what: string): string | undefined {
    if (!isScalar(this.#node) || this.kind !== "text") return this.#wrong(what, "a text");
    const { value, source } = this.#node;
    return this.#context.filter(typeof value === "string" ? value : (source ?? String(value)));
  }

  boolean(what: string): boolean | undefined {
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    return typeof value === "boolean" ? value : this.#wrong(what, "true or false");
  }

  /** Empty, and reported, when it is no list. */
  list(what: string): readonly YamlValue[] {
    if (!isSeq(this.#node)) {
      if (this.kind !== "nothing") this.#wrong(what, "a list");
      return [];
    }
    return this.#node.items.map((item) => new YamlValue(this.#context, item as Node | null, this.span));
  }

  /** One text or a list of texts. */
  texts(what: string): readonly string[] {
    const values = this.kind === "text" ? [this] : this.list(what);
    return values.flatMap((value) => value.text(what) ?? []);
  }

  /** Keys in the order in which they are written, those of merged maps last. Empty, and reported, when it is no map. */
  fields(what: string): readonly YamlField[] {
    const found = new Map<string, YamlField>();
    this.#collect(what, found, 0);
    return [...found.values()];
  }

  /** The fields by their name; a key that is not in `known` goes to `unknown`. */
  record<Key extends string>(
    what: string,
    known: readonly Key[],
    unknown: (field: YamlField, suggestion: string | undefined) => void = (field, suggestion) =>
      this.#unknown(what, field, suggestion),
  ): Partial<Record<Key, YamlField>> {
    const found: Partial<Record<Key, YamlField>> = {};
    for (const field of this.fields(what)) {
      const key = known.find((one) => one === field.key);
      if (key !== undefined) found[key] = field;
      else unknown(field, suggest(field.key, known));
    }
    return found;
  }

  #collect(what: string, found: Map<string, YamlField>, depth: number): void {
    if (!isMap(this.#node)) {
      if (this.kind !== "nothing") this.#wrong(what, "keys with values");
      return;
    }
    const merged: YamlValue[] = [];
    for (const pair of this.#node.items) {
      const keyNode = pair.key as Node | null;
      const key = isScalar(keyNode) ? String(keyNode.value) : "";
      const keySpan = new YamlValue(this.#context, keyNode, this.span).span;
      const value = new YamlValue(this.#context, pair.value as Node | null, keySpan);
      if (key === "<<") merged.push(...(value.kind === "list" ? value.list(what) : [value]));
      else if (!found.has(key)) found.set(key, { key, keySpan, value });
    }
    if (depth < MOST_MERGES) for (const value of merged) value.#collect(what, found, depth + 1);
  }

  #unknown(what: string, field: YamlField, suggestion: string | undefined): void {
    const help = suggestion === undefined ? undefined : `did you mean "${suggestion}"?`;
    this.#context.diagnostics.error("lab/unknown-key", field.keySpan, `${what} has no key "${field.key}"`, help);
  }

  #wrong(what: string, wanted: string): undefined {
    this.#context.diagnostics.error("lab/wrong-shape", this.span, `${what} is ${wanted}`);
    return undefined;
  }
}

function followAlias(context: Context, alias: Alias): Node | null {
  return alias.resolve(context.document) ?? null;
}
