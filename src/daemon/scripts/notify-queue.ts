/**
 * Runs notify scripts one after the other, in the order of the events, for each instance, group and virtual server by
 * itself: a script for BACKUP can never overtake the one for MASTER before it.
 *
 * keepalived forks them in parallel and gives no order (acassen/keepalived#584, #1055).
 */

import { seconds } from "../../base/time.ts";
import type { ScriptCommand } from "../../config/model/vrrp.ts";
import type { Log } from "../log/log.ts";
import type { ScriptRunner } from "./script-runner.ts";

/** A script that takes longer is ended, so that it cannot hold back the events after it for ever. */
const LONGEST_RUN = seconds(60);
/** Events that wait behind a slow script; the oldest go first, the newest state is always told. */
const LONGEST_QUEUE = 100;

export class NotifyQueue {
  readonly #runner: ScriptRunner;
  readonly #log: Log;
  readonly #waiting = new Map<string, ScriptCommand[]>();
  readonly #running = new Map<string, Promise<void>>();

  constructor(runner: ScriptRunner, log: Log) {
    this.#runner = runner;
    this.#log = log;
  }

  /** `name` is the instance, group or virtual server whose events must stay in order. */
  add(name: string, commands: readonly ScriptCommand[]): void {
    if (commands.length === 0) return;
    const queue = this.#waiting.get(name) ?? [];
    this.#waiting.set(name, queue);
    queue.push(...commands);
    while (queue.length > LONGEST_QUEUE) {
      const lost = queue.shift();
      this.#log.write(
        "err",
        `notify script ${lost?.argv.join(" ")} of ${name} dropped: ${LONGEST_QUEUE} events wait already`,
      );
    }
    if (!this.#running.has(name))
      this.#running.set(
        name,
        this.#drain(name, queue).finally(() => this.#running.delete(name)),
      );
  }

  /** Resolves when every script has ended. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Forgets what has not been started yet. */
  clear(): void {
    for (const queue of this.#waiting.values()) queue.length = 0;
  }

  async #drain(name: string, queue: ScriptCommand[]): Promise<void> {
    for (let command = queue.shift(); command !== undefined; command = queue.shift()) {
      const outcome = await this.#runner.run(command, LONGEST_RUN);
      if (outcome.type === "exited" && outcome.status === 0) continue;
      this.#log.write("warning", `notify script ${command.argv.join(" ")} of ${name}: ${describe(outcome)}`);
    }
  }
}

function describe(outcome: Awaited<ReturnType<ScriptRunner["run"]>>): string {
  switch (outcome.type) {
    case "exited":
      return `exited with status ${outcome.status}`;
    case "signal":
      return `ended by signal ${outcome.signal}`;
    case "timeout":
      return "took too long and was ended";
    case "error":
      return outcome.message;
    default:
      return outcome satisfies never;
  }
}
