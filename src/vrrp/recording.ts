/**
 * A recording of the VRRP machine of a host, and its replay: JSON lines, one an input.
 *
 * The first line is the whole state, so that a recording may begin at any moment; such a line also follows where lines were
 * lost. Each other line is an input with its time, the changes of state that came of it in words, and a digest of all
 * outputs: a replay by another version of the machine shows at which input it answers differently. Reads and writes no file.
 */

import { between, type Duration, type Instant, instantAt } from "../base/time.ts";
import { type HostParameters, type HostState, snapshot, transition } from "./host.ts";
import type { HostSnapshot, Input, Output } from "./messages.ts";

export const RECORDING_VERSION = 1;

export interface StateLine {
  readonly recording: typeof RECORDING_VERSION;
  /** Why a whole state is written here: `start`, `continued` in a new file, or how many lines were lost. */
  readonly why: string;
  /** ISO 8601, at the time `at` of the machine's clock. */
  readonly time: string;
  readonly at: Instant;
  readonly parameters: HostParameters;
  readonly state: HostState;
}

interface InputLine {
  readonly at: Instant;
  readonly input: Input;
  readonly changes?: readonly string[];
  readonly digest: string;
}

export const stateLine = (line: Omit<StateLine, "recording">): string =>
  JSON.stringify({ recording: RECORDING_VERSION, ...line });

export function inputLine(at: Instant, input: Input, outputs: readonly Output[]): string {
  const changes = changesOf(outputs);
  const line: InputLine = { at, input, ...(changes.length === 0 ? {} : { changes }), digest: digestOf(outputs) };
  return JSON.stringify(line);
}

/** One step of a replay. */
export interface ReplayStep {
  /** Of the file, from 1. */
  readonly line: number;
  readonly at: Instant;
  /** Since the last whole state, which says what time of day it was. */
  readonly sinceState: Duration;
  readonly input: Input;
  readonly outputs: readonly Output[];
  /** The machine answers otherwise than it did when this was recorded: changes of state then, and now. */
  readonly differs: { readonly recorded: readonly string[]; readonly now: readonly string[] } | undefined;
}

export type ReplayItem =
  | { readonly type: "state"; readonly line: number; readonly why: string; readonly time: string }
  | ({ readonly type: "step" } & ReplayStep)
  /** A line that cannot be used; what follows up to the next whole state is passed over. */
  | { readonly type: "damage"; readonly line: number; readonly what: string };

export interface Replay {
  readonly items: readonly ReplayItem[];
  readonly final: HostSnapshot | undefined;
}

/** All at once, for tests. */
export function replay(lines: Iterable<string>): Replay {
  const player = new Player();
  const items: ReplayItem[] = [];
  for (const line of lines) items.push(...player.play(line));
  return { items, final: player.snapshot() };
}

/** Line by line: a recording may be larger than memory. */
export class Player {
  #line = 0;
  #host: { readonly parameters: HostParameters; state: HostState; readonly at: Instant } | undefined;
  #damaged = false;

  snapshot(): HostSnapshot | undefined {
    return this.#host === undefined ? undefined : snapshot(this.#host.state);
  }

  /** Nothing for an empty line, and for lines behind damage. */
  play(text: string): ReplayItem[] {
    this.#line += 1;
    const line = this.#line;
    if (text.trim() === "") return [];
    const value = parse(text);
    if (isStateLine(value)) {
      const { parameters, state, at, time, why } = value;
      this.#host = { parameters, state, at };
      this.#damaged = false;
      return [{ type: "state", line, why, time }];
    }
    if (this.#damaged) return [];
    if (this.#host === undefined) return this.#damage(foreign(value));
    if (!isInputLine(value)) return this.#damage(value === undefined ? "not JSON: cut off?" : "no input with its time");
    const { at, input } = value;
    try {
      const { state, outputs } = transition(this.#host.parameters, this.#host.state, input, instantAt(at));
      this.#host.state = state;
      const differs =
        digestOf(outputs) === value.digest ? undefined : { recorded: value.changes ?? [], now: changesOf(outputs) };
      return [{ type: "step", line, at, sinceState: between(this.#host.at, at), input, outputs, differs }];
    } catch (error) {
      // A line that a text editor or another version wrote; the machine believes its driver.
      return this.#damage(`the machine cannot take it: ${error instanceof Error ? error.message : error}`);
    }
  }

  #damage(what: string): ReplayItem[] {
    this.#damaged = true;
    return [{ type: "damage", line: this.#line, what }];
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

const foreign = (value: unknown): string =>
  isObject(value) && "recording" in value && value.recording !== RECORDING_VERSION
    ? `a recording of version ${value.recording}; this evenkeel reads version ${RECORDING_VERSION}`
    : "not the beginning of a recording";

const ISO_8601 = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z$/;

function isStateLine(value: unknown): value is StateLine {
  if (!isObject(value) || value.recording !== RECORDING_VERSION) return false;
  return (
    typeof value.at === "number" &&
    typeof value.time === "string" &&
    ISO_8601.test(value.time) &&
    typeof value.why === "string" &&
    isObject(value.parameters) &&
    isObject(value.state)
  );
}

function isInputLine(value: unknown): value is InputLine {
  if (!isObject(value)) return false;
  return typeof value.at === "number" && isObject(value.input) && typeof value.input.type === "string";
}

/** Changes of state in words: `VI_1 BACKUP → MASTER`. */
export const changesOf = (outputs: readonly Output[]): string[] =>
  outputs.flatMap((output) => {
    if (output.type === "state") return [`${output.instance} ${output.from} → ${output.to}`];
    return output.type === "group-state" ? [`${output.group} ${output.from} → ${output.to}`] : [];
  });

/** FNV-1a, 32 bits, over the UTF-16 units of the JSON: tells accidents apart, not attacks. */
function digestOf(outputs: readonly Output[]): string {
  const text = JSON.stringify(outputs);
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16);
}
