/**
 * One child process under the supervisor: started, started again with a back-off when it dies, asked, stopped.
 *
 * Knows nothing of what the child does; the start message is made anew for every start, so that a restarted child gets
 * the present configuration. A child that ends before it was ready for the first time is not started again: whoever wanted
 * it learns so from `ready` and decides.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { kill } from "node:process";
import { fileURLToPath } from "node:url";
import type { DrainOrder } from "../director/virtual-servers.ts";
import type { FromChild, StartMessage, StopOrder, ToChild } from "../messages.ts";

export interface ChildPlan {
  /** `vrrp`, `director`, `proxy 1`. */
  readonly name: string;
  /** Path of the main module below `src/daemon/`. */
  readonly main: string;
  readonly nodeOptions: readonly string[];
  /** Descriptors to hand down; they become 4, 5, … in the child. */
  readonly descriptors: readonly number[];
  /** It begins when this is settled; its process is there before. */
  readonly after?: Promise<unknown> | undefined;
  startMessage(child: ManagedChild): StartMessage;
  onMessage(message: ChildReport): void;
  onStarted(pid: number, cause: string): void;
  /** Now, and after every start. */
  onReady(): void;
  /** `snapshot`: the last that was heard from it. */
  onExited(pid: number, cause: string, restartInMs: number | undefined, snapshot: unknown): void;
}

export type ChildReport = Exclude<
  FromChild,
  { type: "hello" | "ready" | "answer" | "done" | "farewell" | "script-group" | "signalled" }
>;

export const FIRST_INHERITED_DESCRIPTOR = 4;

const SHORTEST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;
/** A child that ran this long starts with the shortest back-off again. */
const HEALTHY_AFTER_MS = 30_000;
const ANSWER_WITHIN_MS = 1_000;
const ORDER_WITHIN_MS = 5_000;
/** A child that is not ready by then hangs. */
const READY_WITHIN_MS = 30_000;

export class ManagedChild {
  readonly plan: ChildPlan;
  restarts = 0;
  startedAtMs = 0;
  /** Its process is there and has said that it is ready. */
  running = false;
  /** False: it has ended before it was. */
  readonly ready: Promise<boolean>;
  readonly exited: Promise<void>;
  #process: ChildProcess | undefined;
  #backoffMs = SHORTEST_BACKOFF_MS;
  #retry: NodeJS.Timeout | undefined;
  #stopping = false;
  #wasReady = false;
  #snapshot: unknown;
  /** Process groups of scripts that it has started and not seen end. */
  readonly #scripts = new Set<number>();
  readonly #readyTimer: NodeJS.Timeout;
  #nextQuestion = 1;
  readonly #questions = new Map<number, () => void>();
  readonly #orders = new Map<number, (done: Extract<FromChild, { type: "done" }> | undefined) => void>();
  #settleReady: (ready: boolean) => void = () => undefined;
  #gone: () => void = () => undefined;

  constructor(plan: ChildPlan) {
    this.plan = plan;
    this.ready = new Promise((resolve) => {
      this.#settleReady = resolve;
    });
    this.#readyTimer = setTimeout(() => this.#process?.kill("SIGKILL"), READY_WITHIN_MS);
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

  /** The child's snapshot: an older one when it is too busy to answer; undefined when it never did or does not run. */
  ask(): Promise<unknown> {
    if (!this.#process?.connected) return Promise.resolve(this.#snapshot);
    const id = this.#nextQuestion++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answer(id), ANSWER_WITHIN_MS);
      this.#questions.set(id, () => {
        clearTimeout(timer);
        resolve(this.#snapshot);
      });
      this.send({ type: "query", id });
    });
  }

  /** The server that is meant, by its names. @throws {Error} saying why it was not done */
  drain(order: DrainOrder): Promise<unknown> {
    const id = this.#nextQuestion++;
    return new Promise((resolve, reject) => {
      const end = (done: Extract<FromChild, { type: "done" }> | undefined) => {
        clearTimeout(timer);
        this.#orders.delete(id);
        if (done === undefined) reject(new Error(`${this.plan.name} does not answer`));
        else if (done.error !== undefined) reject(new Error(done.error));
        else resolve(done.value);
      };
      const timer = setTimeout(() => end(undefined), ORDER_WITHIN_MS);
      this.#orders.set(id, end);
      this.send({ type: "drain", id, order });
    });
  }

  /** Asks the child to finish; resolves when it has ended. */
  stop(order: StopOrder): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#retry);
    if (this.#process === undefined) this.#gone();
    else this.send({ type: "stop", ...order });
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
      if (message.type === "hello") void this.#begin(child);
      else if (message.type === "ready") this.#isReady();
      else if (message.type === "script-group") this.#scripts[message.runs ? "add" : "delete"](message.group);
      else if (message.type === "signalled") kill(process.pid, message.signal);
      else if (message.type === "farewell") this.#snapshot = message.value;
      else if (message.type === "done") this.#orders.get(message.id)?.(message);
      else if (message.type === "answer") {
        this.#snapshot = message.value;
        this.#answer(message.id);
      } else this.plan.onMessage(message);
    });
    child.on("error", (error) => this.#ended(child, `could not be started: ${error.message}`));
    child.on("exit", (status, signal) => {
      const cause = signal === null ? `exited with status ${status}` : `ended by ${signal}`;
      // Its farewell may still lie in the channel.
      if (!child.connected) return this.#ended(child, cause);
      child.once("disconnect", () => this.#ended(child, cause));
      setTimeout(() => this.#ended(child, cause), ANSWER_WITHIN_MS);
    });
    if (child.pid !== undefined) this.plan.onStarted(child.pid, cause);
  }

  async #begin(child: ChildProcess): Promise<void> {
    await this.plan.after;
    if (this.#process === child && !this.#stopping) this.send(this.plan.startMessage(this));
  }

  #ended(child: ChildProcess, cause: string): void {
    if (this.#process !== child) return;
    this.#process = undefined;
    this.running = false;
    endGroups(this.#scripts);
    for (const id of [...this.#questions.keys()]) this.#answer(id);
    for (const end of [...this.#orders.values()]) end(undefined);
    const snapshot = this.#snapshot;
    this.#snapshot = undefined;
    if (this.#stopping || !this.#wasReady) {
      clearTimeout(this.#readyTimer);
      this.plan.onExited(child.pid ?? 0, cause, undefined, snapshot);
      this.#settleReady(false);
      this.#gone();
      return;
    }
    if (Date.now() - this.startedAtMs >= HEALTHY_AFTER_MS) this.#backoffMs = SHORTEST_BACKOFF_MS;
    const wait = this.#backoffMs;
    this.#backoffMs = Math.min(this.#backoffMs * 2, LONGEST_BACKOFF_MS);
    this.plan.onExited(child.pid ?? 0, cause, wait, snapshot);
    this.#retry = setTimeout(() => {
      this.restarts++;
      this.#start(`restart after it ${cause}`);
    }, wait);
  }

  #isReady(): void {
    this.#wasReady = true;
    this.running = true;
    clearTimeout(this.#readyTimer);
    this.#settleReady(true);
    this.plan.onReady();
  }

  #answer(id: number): void {
    const resolve = this.#questions.get(id);
    this.#questions.delete(id);
    resolve?.();
  }
}

/** A child that was killed leaves its scripts running; they are ended with it. */
function endGroups(groups: Set<number>): void {
  for (const group of groups) {
    try {
      if (isGroupLeader(group)) kill(-group, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
  groups.clear();
}

/** Its number may have gone to another process since: a script leads a session and a group of its own number. */
function isGroupLeader(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [, , group, session] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return Number(group) === pid && Number(session) === pid;
  } catch {
    return false;
  }
}
