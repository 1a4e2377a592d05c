/**
 * ipvsadm 1.31, ipvsadm-save and ipvsadm-restore over our data plane (docs/reference/ipvsadm.md). The grammar is
 * `config/ipvsadm/`, the tables' text `director/listing*.ts`; here they meet the data plane and the terminal.
 */

import type { Change, Command, Question } from "../config/ipvsadm/command.ts";
import { ASK_FOR_HELP, type Parsed, parseCommandLine } from "../config/ipvsadm/parse.ts";
import { answer, NOT_LISTED, type Paper } from "./ipvsadm-answer.ts";
import { applyChange, type Refusal } from "./ipvsadm-apply.ts";
import { HELP, VERSION_LINE } from "./ipvsadm-help.ts";
import type { Resolver } from "./ipvsadm-names.ts";
import {
  applyAll,
  type Line,
  type ManyPlane,
  type NumberedChange,
  readLines,
  restoreTables,
} from "./ipvsadm-restore.ts";

export interface Surroundings {
  readonly paper: Paper;
  readonly resolver: Resolver;
  /** All of standard input. */
  input(): Promise<string>;
  /** Opened when it is needed first; a text says why there is none. */
  plane(): Promise<ManyPlane | string>;
  /** Standard error is read by a person: what the data plane says goes there too. */
  readonly explain: boolean;
}

/** As the kernel's answer to ipvsadm, -1, looks to a shell. */
const REFUSED = 255;

/** `words` without the program's name. The exit status. */
export async function ipvsadm(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { paper } = surroundings;
  const parsed = await parse(words.length === 0 ? ["-L"] : words, surroundings.resolver);
  const said = say(parsed, paper);
  if (said !== undefined) return said;
  if (parsed.kind !== "command") return REFUSED;
  if (parsed.command.do === "restore") return restore(surroundings);
  return withPlane(surroundings, (plane) => perform(parsed.command, plane, surroundings));
}

/** `ipvsadm-save [-n]`: other words that begin with a dash are refused, the rest is not looked at. */
export async function ipvsadmSave(words: readonly string[], surroundings: Surroundings): Promise<number> {
  if (words.some((word) => word.startsWith("-") && word !== "-n")) {
    surroundings.paper.err("ipvsadm-save: prints what ipvsadm-restore reads\n   -n  addresses and ports as numbers\n");
    return 1;
  }
  return ipvsadm(words.includes("-n") ? ["-S", "-n"] : ["-S"], surroundings);
}

/** Nothing is changed when a line cannot be understood. */
export async function ipvsadmRestore(surroundings: Surroundings): Promise<number> {
  const { paper, resolver } = surroundings;
  const changes: NumberedChange[] = [];
  for (const line of readLines(await surroundings.input())) {
    const parsed = await parse(line.words, resolver);
    if (parsed.kind === "wrong") return say({ ...parsed, text: numbered(line.number, parsed.text) }, paper) ?? REFUSED;
    if (parsed.kind === "command" && isChange(parsed.command))
      changes.push({ number: line.number, change: parsed.command });
    else paper.err(numbered(line.number, "left out: changes nothing\n"));
  }
  return withPlane(surroundings, async (plane) => {
    const good = restoreTables(plane, changes, (number, refusal) =>
      paper.err(numbered(number, wordsOf(refusal, surroundings))),
    );
    return good ? 0 : REFUSED;
  });
}

/** Looks names up as they turn out to be needed. */
async function parse(words: readonly string[], resolver: Resolver): Promise<Parsed> {
  for (;;) {
    const parsed = parseCommandLine(words, resolver);
    if (parsed.kind !== "name") return parsed;
    await resolver.resolve(parsed.name);
  }
}

/** The exit status, when there is nothing more to do. */
function say(parsed: Parsed, paper: Paper): number | undefined {
  if (parsed.kind === "help" || parsed.kind === "version") {
    paper.out(parsed.kind === "help" ? `${VERSION_LINE}${HELP}` : VERSION_LINE);
    return 0;
  }
  if (parsed.kind !== "wrong") return undefined;
  paper.err(parsed.text);
  return parsed.exit;
}

async function withPlane(surroundings: Surroundings, work: (plane: ManyPlane) => Promise<number>): Promise<number> {
  const plane = await surroundings.plane();
  if (typeof plane !== "string") return work(plane);
  surroundings.paper.err(`Can't initialize ipvs: ${plane}\n`);
  return 2;
}

async function perform(command: Command, plane: ManyPlane, surroundings: Surroundings): Promise<number> {
  if (!isChange(command)) return answer(command as Question, plane, surroundings.resolver, surroundings.paper);
  const refusal = applyChange(plane, command);
  if (refusal === undefined) return 0;
  surroundings.paper.err(wordsOf(refusal, surroundings));
  return REFUSED;
}

const QUESTIONS = ["list-services", "list-connections", "list-timeouts", "list-daemon", "save", "restore"];
const isChange = (command: Command): command is Change => !QUESTIONS.includes(command.do);

const wordsOf = ({ text, detail }: Refusal, { explain }: Surroundings): string =>
  `${text}${explain && detail !== undefined ? ` (${detail})` : ""}\n`;

const numbered = (number: number, text: string): string => `line ${number}: ${text}`;

interface Step {
  readonly line: Line;
  readonly parsed: Parsed;
}

/** Help, the version and mistakes of meaning; options that popt refuses do not. */
const endsIt = (parsed: Parsed): boolean => parsed.kind !== "command" && !(parsed.kind === "wrong" && parsed.goesOn);

/**
 * Lines one after the other, as ipvsadm does: what the data plane refuses is said and left; a mistake of grammar or
 * a listing of a service that is not there ends it, and lines before it stay done. The exit status is the last line's.
 */
async function restore(surroundings: Surroundings): Promise<number> {
  const steps: Step[] = [];
  for (const line of readLines(await surroundings.input())) {
    const parsed = await parse(line.words, surroundings.resolver);
    const nested = parsed.kind === "command" && parsed.command.do === "restore";
    const step = { line, parsed: nested ? ASK_FOR_HELP : parsed };
    steps.push(step);
    if (endsIt(step.parsed)) break;
  }
  if (steps.length === 0) return 0;
  return withPlane(surroundings, async (plane) => {
    let status = 0;
    for (let next = 0; next < steps.length; ) {
      const changes = changesFrom(steps.slice(next));
      if (changes.length > 0) {
        // Together, so that nobody sees half of them, and because it is much faster.
        status = plane.exclusively(() => applyNumbered(plane, changes, surroundings));
        next += changes.length;
        continue;
      }
      const step = steps[next++];
      if (step === undefined) break;
      status = await performStep(step, plane, surroundings);
      if (status === NOT_LISTED) break;
    }
    return status;
  });
}

function changesFrom(steps: readonly Step[]): NumberedChange[] {
  const changes: NumberedChange[] = [];
  for (const { line, parsed } of steps) {
    if (parsed.kind !== "command" || !isChange(parsed.command)) break;
    changes.push({ number: line.number, change: parsed.command });
  }
  return changes;
}

function applyNumbered(plane: ManyPlane, changes: readonly NumberedChange[], surroundings: Surroundings): number {
  let refused = 0;
  applyAll(plane, changes, (number, refusal) => {
    refused = number;
    surroundings.paper.err(numbered(number, wordsOf(refusal, surroundings)));
  });
  return refused === changes.at(-1)?.number ? REFUSED : 0;
}

async function performStep({ line, parsed }: Step, plane: ManyPlane, surroundings: Surroundings): Promise<number> {
  const { paper } = surroundings;
  const said = say(parsed.kind === "wrong" ? { ...parsed, text: numbered(line.number, parsed.text) } : parsed, paper);
  if (said !== undefined) return said;
  if (parsed.kind !== "command") return REFUSED;
  const told: Paper = { ...paper, err: (text) => paper.err(numbered(line.number, text)) };
  return perform(parsed.command, plane, { ...surroundings, paper: told });
}
