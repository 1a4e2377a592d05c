/**
 * `vrrp_track_process`: counts the processes that are asked for. Runs in the supervisor, so that a storm of processes never
 * makes an advert late; the vrrp process is only told counts.
 *
 * The kernel says which processes come and go (proc connector). Where it refuses, and for a moment after it said more than
 * could be followed, /proc is read again and again, a piece at a time, and the end of a known process is heard by its pidfd.
 */

import type { TrackedProcess } from "../../../config/model/vrrp.ts";
import type { ProcessEvent } from "../../../wire/proc-connector.ts";
import type { Log } from "../../log/log.ts";
import { ProcessCount } from "./process-count.ts";
import { isNameOnly, matches } from "./process-match.ts";

/** The machine's processes; `sys/process-events.ts`, or a test's. */
export interface ProcessSource {
  /** @throws {Error} where nobody tells */
  listen(handlers: { onEvents(events: readonly ProcessEvent[]): void; onLost(): void }): { close(): void };
  /** @throws {Error} when it has ended already, or cannot be watched */
  watchEnd(pid: number, ended: () => void): { close(): void };
  list(): readonly number[];
  name(pid: number): string | undefined;
  commandLine(pid: number): readonly string[];
}

/** Looked at in one piece. */
const PIECE = 200;
/** Between two readings of /proc; at least so many times as long as one took. */
const SCAN_MS = 1_000;
const SCAN_SHARE = 20;
/** Events and processes looked at in a second. What goes beyond is made up for by reading /proc. */
const EVENTS_A_SECOND = 20_000;
const LOOKS_A_SECOND = 2_000;
/** How long nobody listens then. */
const CALM_MS = 1_000;
const MOST_WATCHED_ENDS = 1_000;
const COMPLAIN_MS = 60_000;

export class ProcessTracker {
  readonly #source: ProcessSource;
  readonly #log: Log;
  readonly #tell: (process: string, count: number) => void;
  #counts: readonly ProcessCount[] = [];
  #namesOnly = true;
  #names: ReadonlySet<string> = new Set();
  /** Process id → those of `#counts` that mean it. */
  readonly #matched = new Map<number, readonly ProcessCount[]>();
  readonly #ends = new Map<number, { close(): void }>();
  #events: { close(): void } | undefined;
  #refused = false;
  #timer: NodeJS.Timeout | undefined;
  #budget = { second: 0, events: 0, looks: 0 };
  #complainedAt = Number.NEGATIVE_INFINITY;
  /** Of the present configuration: what an earlier one began is not finished. */
  #generation = 0;

  constructor(source: ProcessSource, log: Log, tell: (process: string, count: number) => void) {
    this.#source = source;
    this.#log = log;
    this.#tell = tell;
  }

  /** What was told last. */
  get counts(): readonly { readonly process: string; readonly count: number }[] {
    return this.#counts.flatMap(({ tracked, told }) =>
      told === undefined ? [] : { process: tracked.name, count: told },
    );
  }

  /** Resolves when every process has been counted once. */
  async configure(processes: readonly TrackedProcess[]): Promise<void> {
    this.close();
    this.#counts = processes.map((tracked) => new ProcessCount(tracked, (count) => this.#tell(tracked.name, count)));
    this.#namesOnly = processes.every(isNameOnly);
    this.#names = new Set(processes.filter(isNameOnly).map(({ command: [name = ""] }) => name));
    if (processes.length === 0) return;
    this.#listen();
    await this.#scan();
    if (this.#events === undefined) this.#scanAgain(SCAN_MS);
  }

  close(): void {
    this.#generation++;
    clearTimeout(this.#timer);
    this.#events?.close();
    this.#events = undefined;
    for (const count of this.#counts) count.close();
    for (const end of this.#ends.values()) end.close();
    this.#ends.clear();
    this.#matched.clear();
    this.#counts = [];
  }

  #listen(): void {
    if (this.#refused) return;
    try {
      this.#events = this.#source.listen({
        onEvents: (events) => this.#onEvents(events),
        onLost: () => this.#tooMuch("the kernel lost process events"),
      });
    } catch (error) {
      this.#refused = true;
      const why = error instanceof Error ? error.message : String(error);
      this.#log.write("warning", `track_process: ${why}; /proc is read every ${SCAN_MS / 1_000} s instead`);
    }
  }

  #onEvents(events: readonly ProcessEvent[]): void {
    if (!this.#mayTake("events", events.length, EVENTS_A_SECOND)) {
      this.#tooMuch("too many process events");
      return;
    }
    for (const event of events) {
      switch (event.type) {
        case "answer":
          break;
        case "fork": {
          const parent = this.#matched.get(event.parent);
          if (parent !== undefined) this.#put(event.child, parent);
          break;
        }
        case "name":
          // The command line stays; a name that nobody asks for, of a process that nobody counts, changes nothing.
          if (this.#names.has(event.name) || this.#matched.has(event.pid)) this.#look(event.pid);
          break;
        case "exec":
          if (!this.#mayTake("looks", 1, LOOKS_A_SECOND)) {
            this.#tooMuch("too many new processes");
            return;
          }
          this.#look(event.pid);
          break;
        case "exit":
          this.#put(event.pid, []);
          break;
        default:
          event satisfies never;
      }
    }
    this.#count();
  }

  #mayTake(what: "events" | "looks", amount: number, most: number): boolean {
    const second = Math.floor(performance.now() / 1_000);
    if (this.#budget.second !== second) this.#budget = { second, events: 0, looks: 0 };
    this.#budget[what] += amount;
    return this.#budget[what] <= most;
  }

  /** Stops listening for a while, and then finds out what has become of the processes. */
  #tooMuch(what: string): void {
    if (this.#events === undefined) return;
    this.#events.close();
    this.#events = undefined;
    for (const pid of this.#matched.keys()) this.#watchEnd(pid);
    const now = performance.now();
    if (now - this.#complainedAt >= COMPLAIN_MS) {
      this.#complainedAt = now;
      this.#log.write("warning", `track_process: ${what} to follow; /proc is read until they are fewer`);
    }
    this.#scanAgain(CALM_MS);
  }

  #scanAgain(waitMs: number): void {
    clearTimeout(this.#timer);
    const generation = this.#generation;
    this.#timer = setTimeout(async () => {
      const began = performance.now();
      // Listening first: what happens during the scan is not missed.
      if (this.#events === undefined) this.#listen();
      await this.#scan();
      if (generation !== this.#generation || this.#events !== undefined) return;
      this.#scanAgain(Math.max(SCAN_MS, (performance.now() - began) * SCAN_SHARE));
    }, waitMs);
  }

  async #scan(): Promise<void> {
    const generation = this.#generation;
    const known = new Set([...this.#source.list(), ...this.#matched.keys()]);
    let inPiece = 0;
    for (const pid of known) {
      if (inPiece++ === PIECE) {
        await new Promise((resolve) => setImmediate(resolve));
        if (generation !== this.#generation) return;
        inPiece = 1;
      }
      this.#look(pid);
    }
    this.#count();
  }

  #look(pid: number): void {
    this.#put(pid, this.#meaning(pid));
  }

  #meaning(pid: number): readonly ProcessCount[] {
    const name = this.#source.name(pid);
    if (name === undefined || (this.#namesOnly && !this.#names.has(name))) return [];
    let argv: readonly string[] | undefined;
    const commandLine = () => {
      argv ??= this.#source.commandLine(pid);
      return argv;
    };
    return this.#counts.filter(({ tracked }) => matches(tracked, name, commandLine));
  }

  #put(pid: number, counts: readonly ProcessCount[]): void {
    if (counts.length === 0) {
      this.#matched.delete(pid);
      this.#ends.get(pid)?.close();
      this.#ends.delete(pid);
      return;
    }
    this.#matched.set(pid, counts);
    if (this.#events === undefined) this.#watchEnd(pid);
  }

  #watchEnd(pid: number): void {
    if (this.#ends.has(pid) || this.#ends.size >= MOST_WATCHED_ENDS) return;
    try {
      const end = this.#source.watchEnd(pid, () => {
        this.#put(pid, []);
        this.#count();
      });
      this.#ends.set(pid, end);
    } catch {
      // The next reading of /proc will tell.
    }
  }

  #count(): void {
    for (const count of this.#counts) {
      let number = 0;
      for (const counts of this.#matched.values()) if (counts.includes(count)) number++;
      count.set(number);
    }
  }
}
