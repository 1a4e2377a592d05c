/**
 * Where rr and wrr stand in their list, and where they go on after an edit: user space writes it into `ek_service.cursor`
 * with the edit's generation, and the programs take it over with the next connection.
 *
 * ip_vs_rr.c, ip_vs_wrr.c (l4.md §1.2). Pure. The layout is that of bpf/schedule-turns.h: from the low end 16 bits
 * position, 16 bits generation, 32 bits weight.
 */

import { weightFigures } from "./weights.ts";

/** A list in scheduling order; `number` names a server before and after an edit. */
export type TurnList = readonly { readonly number: number; readonly weight: number }[];

export interface Cursor {
  /** 0: before the first of the list; else 1 + the position of the last that was chosen. */
  readonly position: number;
  /** wrr: the weight that a server must have in the pass under way. rr: 0. */
  readonly weight: number;
}

const GENERATION_MASK = 0xffff;

export function encodeCursor(cursor: Cursor, generation: number): bigint {
  return (BigInt(cursor.weight) << 32n) | BigInt((generation & GENERATION_MASK) << 16) | BigInt(cursor.position);
}

export const cursorGeneration = (cursor: bigint): number => Number((cursor >> 16n) & 0xffffn);

/** `ofState` is what the programs last left (`ek_service_state`): it holds if it is of the service's generation. */
export function currentCursor(
  service: { readonly cursor: bigint; readonly generation: number },
  ofState: bigint,
): Cursor {
  const isCurrent = cursorGeneration(ofState) === (service.generation & GENERATION_MASK);
  const cursor = isCurrent ? ofState : service.cursor;
  return { position: Number(cursor & 0xffffn), weight: Number(cursor >> 32n) };
}

/** Of a service that is new or got this scheduler with an edit. Schedulers without turns have a cursor of zeros. */
export function firstCursor(scheduler: string, servers: TurnList): Cursor {
  return { position: 0, weight: scheduler === "wrr" ? greatestPass(servers).weight : 0 };
}

/**
 * After one server was added, edited or deleted: each edit has to pass through here, one by one, as each leaves its mark
 * on wrr. An edit of the service alone moves nothing.
 */
export function cursorAfterEdit(scheduler: string, cursor: Cursor, before: TurnList, after: TurnList): Cursor {
  if (scheduler === "rr") return { position: positionAfterEdit(cursor.position, before, after), weight: 0 };
  if (scheduler !== "wrr") return { position: 0, weight: 0 };
  const { weight, step } = greatestPass(after);
  if (cursor.weight > weight || cursor.weight === 0) return { position: 0, weight };
  return { position: 0, weight: step > 1 ? Math.floor(cursor.weight / step) * step + 1 : cursor.weight };
}

/** The first pass of wrr: the last one, `step` after `step` further down, asks for a weight of 1. */
function greatestPass(servers: TurnList): { weight: number; step: number } {
  const { max, gcd } = weightFigures(servers.map(({ weight }) => weight));
  return { weight: max - (gcd - 1), step: gcd };
}

/** A deleted server hands its place to the one before it. */
function positionAfterEdit(position: number, before: TurnList, after: TurnList): number {
  for (let last = position; last > 0; last--) {
    const found = after.findIndex(({ number }) => number === before[last - 1]?.number);
    if (found >= 0) return found + 1;
  }
  return 0;
}
