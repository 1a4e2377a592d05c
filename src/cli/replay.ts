/**
 * `evenkeel replay`: runs the VRRP machine over a recording again and prints what happened and why.
 *
 * Exit 0 when it answers as it did then, 1 when it does not or the file is damaged, 2 when there is nothing to replay.
 */

import { createReadStream } from "node:fs";
import type { Input, Output } from "../vrrp/messages.ts";
import { readForeign } from "../vrrp/neighbourhood/foreign-packet.ts";
import { Player, type ReplayItem, type ReplayStep } from "../vrrp/recording.ts";
import { boundedLines } from "./bounded-lines.ts";

/** A whole state with thousands of addresses has some megabytes. */
const LONGEST_LINE = 64 * 1024 * 1024;

export interface ReplayOptions {
  readonly json?: boolean;
  readonly until?: string;
  readonly instance?: string;
}

export async function replayFile(file: string, options: ReplayOptions): Promise<void> {
  process.stdout.on("error", () => process.exit());
  const report = new ReplayText(file, options);
  let [steps, wrong] = [0, 0];
  try {
    for await (const item of itemsOf(file)) {
      if (report.isOver(item)) break;
      if (item.type === "step") steps += 1;
      if (item.type === "damage" || (item.type === "step" && item.differs !== undefined)) wrong += 1;
      print(options.json ? [JSON.stringify(item)] : report.lines(item));
    }
    if (!options.json) print(report.end());
    process.exitCode = steps === 0 ? 2 : wrong > 0 ? 1 : 0;
  } catch (error) {
    process.stderr.write(`evenkeel: ${whyNot(file, error)}\n`);
    process.exitCode = 2;
  }
}

function whyNot(file: string, error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  switch ("code" in error ? error.code : undefined) {
    case "ENOENT":
      return `${file}: there is no such file; \`evenkeel run --record FILE\` writes one`;
    case "EISDIR":
      return `${file} is a folder: name the recording in it`;
    case "EACCES":
      return `${file}: permission denied; a recording is readable by whoever wrote it (root)`;
    default:
      return error.message;
  }
}

async function* itemsOf(file: string): AsyncGenerator<ReplayItem> {
  const player = new Player();
  for await (const line of boundedLines(createReadStream(file, "utf8"), LONGEST_LINE)) yield* player.play(line);
}

/** A recording may come from anywhere: nothing in it is an order to the terminal. */
const print = (lines: readonly string[]): void => {
  for (const line of lines) process.stdout.write(`${line.replace(/\p{Cc}/gu, "\u{fffd}")}\n`);
};

/** The text for a person. Adverts and timers between two lines are summed up. */
class ReplayText {
  readonly #file: string;
  readonly #options: ReplayOptions;
  readonly #adverts = new Map<string, number>();
  #stateMs = 0;
  #endMs: number | undefined;
  #steps = 0;
  #differences = 0;

  constructor(file: string, options: ReplayOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** What was asked for ends before this. */
  isOver(item: ReplayItem): boolean {
    if (item.type === "state" && this.#endMs === undefined)
      this.#endMs = endOf(this.#options.until, Date.parse(item.time));
    return item.type === "step" && this.#endMs !== undefined && this.#timeMs(item) > this.#endMs;
  }

  lines(item: ReplayItem): string[] {
    switch (item.type) {
      case "state":
        this.#stateMs = Date.parse(item.time);
        return [
          ...this.#sum(),
          `${clock(this.#stateMs)}  ${item.why === "start" ? "recording begins" : item.why} (${this.#file}:${item.line})`,
        ];
      case "damage":
        return [...this.#sum(), `${this.#file}:${item.line}: ${item.what}; passed over up to the next whole state`];
      case "step":
        return this.#step(item);
      default:
        return item satisfies never;
    }
  }

  end(): string[] {
    const differ =
      this.#differences === 0 ? "as recorded" : `${this.#differences} of them with another answer than recorded`;
    return [...this.#sum(), `${this.#steps} inputs, ${differ}`];
  }

  #step(step: ReplayStep): string[] {
    this.#steps += 1;
    const time = clock(this.#timeMs(step));
    const cameIn = inputText(step.input);
    const told = [...(cameIn === undefined ? [] : [cameIn]), ...step.outputs.flatMap((one) => this.#outputText(one))];
    if (step.input.type === "packet") this.#countHeard(step.input);
    for (const output of step.outputs)
      if (output.type === "send-advert" && this.#isShown(output.instance))
        this.#count(`${output.instance} sent, priority ${output.priority}`);
    if (step.differs !== undefined) {
      this.#differences += 1;
      const list = (changes: readonly string[]) => (changes.length === 0 ? "no change of state" : changes.join(", "));
      told.push(
        `${this.#file}:${step.line}: differs: recorded ${list(step.differs.recorded)}; now ${list(step.differs.now)}`,
      );
    }
    return told.length === 0 ? [] : [...this.#sum(), ...told.map((text) => `${time}  ${text}`)];
  }

  #timeMs({ sinceState }: ReplayStep): number {
    return this.#stateMs + sinceState / 1_000;
  }

  #isShown(instance: string): boolean {
    return this.#options.instance === undefined || this.#options.instance === instance;
  }

  #countHeard({ interface: at, packet }: Extract<Input, { type: "packet" }>): void {
    const advert = readForeign(packet);
    if (advert === undefined) this.#count(`something odd on ${at}`);
    else
      this.#count(`heard from ${advert.source} on ${at}, VRID ${advert.virtualRouterId}, priority ${advert.priority}`);
  }

  #count(what: string): void {
    this.#adverts.set(what, (this.#adverts.get(what) ?? 0) + 1);
  }

  #sum(): string[] {
    const lines = Array.from(this.#adverts, ([what, count]) => `              ${count} × advert ${what}`);
    this.#adverts.clear();
    return lines;
  }

  #outputText(output: Output): string[] {
    switch (output.type) {
      case "state":
        if (!this.#isShown(output.instance)) return [];
        return [`${output.instance} ${output.from} → ${output.to}, priority ${output.priority}: ${output.cause}`];
      case "group-state":
        return [`group ${output.group} ${output.from} → ${output.to}: ${output.cause}`];
      case "script-state":
        return [`script ${output.script} ${output.ok ? "succeeds" : "fails"}: ${output.cause}`];
      case "priority":
        return this.#isShown(output.instance)
          ? [`${output.instance} priority ${output.from} → ${output.to}: ${output.cause}`]
          : [];
      case "virtual-address-lost":
        return this.#isShown(output.instance)
          ? [
              `${output.instance} lost ${output.what}${output.by === undefined ? "" : ` to ${output.by}`}: ${output.reaction}`,
            ]
          : [];
      case "stopped":
        return ["stopped"];
      default:
        return [];
    }
  }
}

/** What is worth a line by itself. */
function inputText(input: Input): string | undefined {
  switch (input.type) {
    case "start":
      return `start: ${input.interfaces.map((one) => `${one.name} ${one.up ? "up" : "down"} ${one.addresses.join(" ")}`.trim()).join(", ")}`;
    case "link":
      return `${input.interface} ${input.up ? "up" : "down"}`;
    case "reconfigure":
      return "reload";
    case "stop":
      return "stop";
    default:
      return undefined;
  }
}

const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 23);

/** `10`, `3.5` are seconds after `startMs`; `08:00:10` the next such moment in UTC; or an ISO 8601 time. */
function endOf(until: string | undefined, startMs: number): number | undefined {
  if (until === undefined) return undefined;
  if (/^[0-9.]+$/.test(until)) return startMs + Number(until) * 1_000;
  if (/^\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(until)) {
    const day = new Date(startMs).toISOString().slice(0, 10);
    const then = Date.parse(`${day}T${until}Z`);
    return then < startMs ? then + 86_400_000 : then;
  }
  const then = Date.parse(until);
  if (Number.isNaN(then))
    throw new Error(`--until ${until}: a number of seconds, HH:MM:SS in UTC, or an ISO 8601 time`);
  return then;
}
