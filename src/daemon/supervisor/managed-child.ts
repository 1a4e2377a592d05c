/**
 * One child process under the supervisor: started, started again with a back-off when it dies, asked, stopped.
 *
 * Knows nothing of what the child does; the start message is made anew for every start, so that a restarted child gets
 * the present configuration.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromChild, StartMessage, ToChild } from "../messages.ts";

export interface ChildPlan {
  /** `vrrp`, `director`, `proxy 1`. */
  readonly name: string;
  /** Path of the main module below `src/daemon/`. */
  readonly main: string;
  readonly nodeOptions: readonly string[];
  /** Descriptors to hand down; they become 4, 5, … in the child. */
  readonly descriptors: readonly number[];
  startMessage(): StartMessage;
  onMessage(message: Exclude<FromChild, { type: "hello" | "ready" | "answer" }>): void;
  onStarted(pid: number, cause: string): void;
  onExited(pid: number, cause: string, restartInMs: number | undefined): void;
}

export const FIRST_INHERITED_DESCRIPTOR = 4;

const SHORTEST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;
/** A child that ran this long starts with the shortest back-off again. */
const HEALTHY_AFTER_MS = 30_000;
const ANSWER_WITHIN_MS = 1_000;

export class ManagedChild {
  readonly plan: ChildPlan;
  restarts = 0;
  startedAtMs = 0;
  readonly ready: Promise<void>;
  readonly exited: Promise<void>;
  #process: ChildProcess | undefined;
  #backoffMs = SHORTEST_BACKOFF_MS;
  #retry: NodeJS.Timeout | undefined;
  #stopping = false;
  #nextQuestion = 1;
  readonly #questions = new Map<number, (value: unknown) => void>();
  #becameReady: () => void = () => undefined;
  #gone: () => void = () => undefined;

  constructor(plan: ChildPlan) {
    this.plan = plan;
    this.ready = new Promise((resolve) => {
      this.#becameReady = resolve;
    });
    this.exited = new Promise((resolve) => {
      this.#gone = resolve;
    });
    this.#start("configuration");
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  send(message: ToChild): void {
    if (this.#process?.connected) this.#process.send(message, () => undefined);
  }

  /** The child's snapshot; undefined when it is not running or too busy to answer. */
  ask(): Promise<unknown> {
    if (!this.#process?.connected) return Promise.resolve(undefined);
    const id = this.#nextQuestion++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answer(id, undefined), ANSWER_WITHIN_MS);
      this.#questions.set(id, (value) => {
        clearTimeout(timer);
        resolve(value);
      });
      this.send({ type: "query", id });
    });
  }

  /** Asks the child to finish; `exited` tells when it has. */
  stop(hardAfterMs: number | undefined): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#retry);
    if (this.#process === undefined) this.#gone();
    else this.send({ type: "stop", hardAfterMs });
    return this.exited;
  }

  kill(): void {
    this.#stopping = true;
    this.#process?.kill("SIGKILL");
  }

  #start(cause: string): void {
    const main = fileURLToPath(new URL(`../${this.plan.main}`, import.meta.url));
    const child = spawn(process.execPath, [...process.execArgv, ...this.plan.nodeOptions, main], {
      stdio: ["ignore", "inherit", "inherit", "ipc", ...this.plan.descriptors],
    });
    this.#process = child;
    this.startedAtMs = Date.now();
    child.on("message", (message: FromChild) => {
      if (message.type === "hello") this.send(this.plan.startMessage());
      else if (message.type === "ready") this.#becameReady();
      else if (message.type === "answer") this.#answer(message.id, message.value);
      else this.plan.onMessage(message);
    });
    child.on("error", (error) => this.#ended(child, `could not be started: ${error.message}`));
    child.on("exit", (status, signal) =>
      this.#ended(child, signal === null ? `exited with status ${status}` : `ended by ${signal}`),
    );
    if (child.pid !== undefined) this.plan.onStarted(child.pid, cause);
  }

  #ended(child: ChildProcess, cause: string): void {
    if (this.#process !== child) return;
    this.#process = undefined;
    for (const id of [...this.#questions.keys()]) this.#answer(id, undefined);
    if (this.#stopping) {
      this.plan.onExited(child.pid ?? 0, cause, undefined);
      this.#gone();
      return;
    }
    if (Date.now() - this.startedAtMs >= HEALTHY_AFTER_MS) this.#backoffMs = SHORTEST_BACKOFF_MS;
    const wait = this.#backoffMs;
    this.#backoffMs = Math.min(this.#backoffMs * 2, LONGEST_BACKOFF_MS);
    this.plan.onExited(child.pid ?? 0, cause, wait);
    this.#retry = setTimeout(() => {
      this.restarts++;
      this.#start(`restart after it ${cause}`);
    }, wait);
  }

  #answer(id: number, value: unknown): void {
    const resolve = this.#questions.get(id);
    this.#questions.delete(id);
    resolve?.(value);
  }
}
