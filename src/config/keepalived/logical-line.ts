/**
 * A line of keepalived.conf after comments, conditions, definitions and sequences have done their work, which still
 * knows where each of its characters was written. Text that a definition produced points at the place of its use.
 */

import type { Source, Span } from "../text/source.ts";

/** From `at` on, the text comes from `start` to `end` of the source: letter by letter when `literal`, else as a whole. */
interface Piece {
  readonly at: number;
  readonly start: number;
  readonly end: number;
  readonly literal: boolean;
}

export class LogicalLine {
  readonly source: Source;
  readonly text: string;
  readonly #pieces: readonly Piece[];

  constructor(source: Source, text: string, pieces: readonly Piece[]) {
    this.source = source;
    this.text = text;
    this.#pieces = pieces;
  }

  /** `text` as it stands in `source` at `start`. */
  static written(source: Source, text: string, start: number): LogicalLine {
    return new LogicalLine(source, text, [{ at: 0, start, end: start + text.length, literal: true }]);
  }

  /** Where the characters `from` to `to` (exclusive) were written. */
  spanOf(from: number, to: number): Span {
    const first = this.#pieceAt(from);
    const last = this.#pieceAt(Math.max(from, to - 1));
    const start = first.literal ? first.start + (from - first.at) : first.start;
    const end = last.literal ? last.start + (to - last.at) : last.end;
    return { source: this.source, start, end: Math.max(start, end) };
  }

  /** True when a definition or sequence produced some of the characters `from` to `to`. */
  isExpanded(from: number, to: number): boolean {
    for (let index = this.#indexAt(from); index < this.#pieces.length; index++) {
      const piece = this.#pieces[index];
      if (piece === undefined || piece.at >= to) break;
      if (!piece.literal) return true;
    }
    return false;
  }

  slice(from: number, to = this.text.length): LogicalLine {
    const builder = new LineBuilder(this.source);
    builder.addSlice(this, from, to);
    return builder.line();
  }

  trimmed(): LogicalLine {
    const start = this.text.length - this.text.trimStart().length;
    const end = this.text.trimEnd().length;
    return start === 0 && end === this.text.length ? this : this.slice(start, Math.max(start, end));
  }

  /** The pieces that make up the characters `from` to `to`, as `addSlice` needs them. */
  *piecesOf(from: number, to: number): Generator<Piece & { readonly text: string }> {
    for (let index = this.#indexAt(from); index < this.#pieces.length; index++) {
      const piece = this.#pieces[index];
      if (piece === undefined || piece.at >= to) break;
      const until = Math.min(to, this.#pieces[index + 1]?.at ?? this.text.length);
      const since = Math.max(from, piece.at);
      if (since >= until) continue;
      const shift = piece.literal ? since - piece.at : 0;
      const start = piece.start + shift;
      const end = piece.literal ? start + (until - since) : piece.end;
      yield { at: since, start, end, literal: piece.literal, text: this.text.slice(since, until) };
    }
  }

  #pieceAt(offset: number): Piece {
    return this.#pieces[this.#indexAt(offset)] ?? { at: 0, start: 0, end: 0, literal: true };
  }

  #indexAt(offset: number): number {
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#pieces[middle]?.at ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Puts a line together from slices of another one and from text that stands for a place. */
export class LineBuilder {
  readonly #source: Source;
  readonly #pieces: Piece[] = [];
  #text = "";

  constructor(source: Source) {
    this.#source = source;
  }

  get length(): number {
    return this.#text.length;
  }

  addSlice(line: LogicalLine, from: number, to: number): void {
    let added = false;
    for (const { start, end, literal, text } of line.piecesOf(from, to)) {
      this.#pieces.push({ at: this.#text.length, start, end, literal });
      this.#text += text;
      added = true;
    }
    if (!added && this.#pieces.length === 0) {
      const { start } = line.spanOf(from, from);
      this.#pieces.push({ at: 0, start, end: start, literal: true });
    }
  }

  addExpansion(text: string, place: Span): void {
    if (text === "") return;
    const last = this.#pieces.at(-1);
    const continues = last !== undefined && !last.literal && last.start === place.start && last.end === place.end;
    if (!continues) this.#pieces.push({ at: this.#text.length, start: place.start, end: place.end, literal: false });
    this.#text += text;
  }

  line(): LogicalLine {
    return new LogicalLine(this.#source, this.#text, this.#pieces);
  }
}
