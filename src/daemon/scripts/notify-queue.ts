/**
 * Runs notify scripts one after the other, in the order of the events, for each instance, group and virtual server by
 * itself: a script for BACKUP can never overtake the one for MASTER before it, and a group's waits for its members'.
 *
 * keepalived forks them all at once and gives no order (acassen/keepalived#584, #1055); `parallel` does the same.
 */

import { performance } from "node:perf_hooks";
import { seconds } from "../../base/time.ts";
import type { ScriptCommand } from "../../config/model/vrrp.ts";
import type { EventBody } from "../events.ts";
import type { Log } from "../log/log.ts";
import { inWords } from "./outcome.ts";
import type { ScriptRunner } from "./script-runner.ts";

/** A script that takes longer is ended, so that it cannot hold back the events after it for ever. */
const LONGEST_RUN = seconds(60);
/** Events without a state that wait behind a slow script; the oldest go first. */
const MOST_WAITING = 100;
/** Of events with a state, which make those before them obsolete: when more wait, the newest stays alone. */
const MOST_STATES_WAITING = 8;
/** Side by side, when `parallel`. */
const MOST_PARALLEL = 100;

/** What the scripts are told. */
export interface Occasion {
  /** MASTER, BACKUP, …: what is told later makes it obsolete. */
  readonly state: string;
  /** Other queues whose scripts of the events so far run first: a group's members. */
  readonly after: readonly string[];
}

/** The last notification of a queue, as far as its scripts have run. */
export interface NotificationReport {
  readonly subject: string;
  readonly state: string | undefined;
  readonly command: string;
  readonly ok: boolean;
  /** `exited with status 0`. */
  readonly result: string;
  readonly milliseconds: number;
  /** When it ended, ISO 8601. */
  readonly at: string;
  /** Events of this queue that nobody was told of, because newer ones had come before their turn. */
  readonly leftOut: number;
}

interface Waiting {
  readonly commands: readonly ScriptCommand[];
  readonly occasion: Occasion | undefined;
  readonly others: Promise<unknown>;
  readonly settled: Promise<void>;
  readonly settle: (by?: Promise<void>) => void;
}

interface Queue {
  readonly waiting: Waiting[];
  running: boolean;
  /** Of the event that was added last. */
  last: Promise<void>;
  leftOut: number;
}

export class NotifyQueue {
  /** Each script is started at once, whatever runs already. */
  parallel = false;
  readonly #runner: ScriptRunner;
  readonly #log: Log;
  readonly #publish: (event: EventBody) => void;
  readonly #queues = new Map<string, Queue>();
  readonly #runs = new Set<Promise<void>>();
  readonly #reports = new Map<string, NotificationReport>();

  constructor(runner: ScriptRunner, log: Log, publish: (event: EventBody) => void = () => undefined) {
    this.#runner = runner;
    this.#log = log;
    this.#publish = publish;
  }

  /** `subject` is the instance, group or virtual server whose events must stay in order. */
  add(subject: string, commands: readonly ScriptCommand[], occasion?: Occasion): void {
    if (commands.length === 0) return;
    if (this.parallel) this.#startAll(subject, commands, occasion);
    else this.#wait(subject, commands, occasion);
  }

  reports(): NotificationReport[] {
    return [...this.#reports.values()];
  }

  /** Those of this subject are no longer shown. */
  forget(subject: string): void {
    this.#reports.delete(subject);
    if (this.#queues.get(subject)?.running === false) this.#queues.delete(subject);
  }

  /** Resolves when every script has ended. */
  async idle(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all(this.#runs);
  }

  /** Forgets what has not been started yet. */
  clear(): void {
    for (const { waiting } of this.#queues.values()) for (const { settle } of waiting.splice(0)) settle();
  }

  #wait(subject: string, commands: readonly ScriptCommand[], occasion: Occasion | undefined): void {
    const queue = this.#queues.get(subject) ?? { waiting: [], running: false, last: Promise.resolve(), leftOut: 0 };
    this.#queues.set(subject, queue);
    const { promise, resolve } = Promise.withResolvers<void>();
    const others = Promise.all((occasion?.after ?? []).map((name) => this.#queues.get(name)?.last));
    queue.waiting.push({ commands, occasion, others, settled: promise, settle: resolve });
    queue.last = promise;
    this.#shorten(subject, queue);
    if (!queue.running) this.#track(this.#drain(subject, queue));
  }

  #shorten(subject: string, queue: Queue): void {
    const { waiting } = queue;
    const newest = waiting.at(-1);
    if (newest === undefined) return;
    const states = newest.occasion !== undefined;
    if (waiting.length <= (states ? MOST_STATES_WAITING : MOST_WAITING)) return;
    const lost = waiting.splice(0, states ? waiting.length - 1 : 1);
    for (const { settle } of lost) settle(newest.settled);
    queue.leftOut += lost.length;
    const what = lost
      .map(({ occasion, commands }) => occasion?.state ?? commands.map(({ argv }) => argv.join(" ")).join(", "))
      .join(", ");
    const why = states
      ? `the state changes faster than its scripts run, and ${newest.occasion?.state} is newer`
      : `${MOST_WAITING} events wait already`;
    this.#log.write("err", `notify scripts of ${subject} left out: ${what}: ${why}`);
  }

  #startAll(subject: string, commands: readonly ScriptCommand[], occasion: Occasion | undefined): void {
    for (const command of commands) {
      if (this.#runs.size < MOST_PARALLEL) this.#track(this.#run(subject, command, occasion, 0));
      else
        this.#log.write(
          "err",
          `notify script ${command.argv.join(" ")} of ${subject} left out: ${MOST_PARALLEL} scripts run already`,
        );
    }
  }

  #track(run: Promise<void>): void {
    const tracked: Promise<void> = run.finally(() => this.#runs.delete(tracked));
    this.#runs.add(tracked);
  }

  async #drain(subject: string, queue: Queue): Promise<void> {
    queue.running = true;
    for (let next = queue.waiting.shift(); next !== undefined; next = queue.waiting.shift()) {
      await next.others;
      for (const command of next.commands) await this.#run(subject, command, next.occasion, queue.leftOut);
      next.settle();
    }
    queue.running = false;
  }

  async #run(subject: string, command: ScriptCommand, occasion: Occasion | undefined, leftOut: number): Promise<void> {
    const start = performance.now();
    const outcome = await this.#runner.run(command, LONGEST_RUN, { untilItEnds: true });
    const milliseconds = Math.round(performance.now() - start);
    const ok = outcome.type === "exited" && outcome.status === 0;
    const cause = inWords(outcome);
    const line = command.argv.join(" ");
    const state = occasion?.state;
    this.#publish({
      kind: "notify-result",
      subject,
      state,
      command: line,
      ok,
      milliseconds,
      cause,
    });
    const at = new Date().toISOString();
    this.#reports.set(subject, { subject, state, command: line, ok, result: cause, milliseconds, at, leftOut });
    if (!ok) this.#log.write("warning", `notify script ${line} of ${subject}: ${cause}`);
  }
}
