/**
 * Runs a command without a shell: a check script, a notify script. In a process group of its own, so that what it started
 * ends with it; bounded in time and in output. It does not outlive this process, unless that is killed.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { constants, getPriority, setPriority } from "node:os";
import process, { kill } from "node:process";
import { type Duration, inMilliseconds } from "../base/time.ts";

export interface CommandOptions {
  /** The program first: a path, or a name looked up in PATH. */
  readonly argv: readonly string[];
  /** Both or neither; this process's own when missing. Supplementary groups are dropped. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Then SIGTERM to its process group, and SIGKILL two seconds later. No limit when missing. */
  readonly timeout?: Duration | undefined;
  /** After a time-out too, the outcome waits until the command has ended. */
  readonly untilItEnds?: boolean | undefined;
  /** Called when the command has ended, which after a time-out comes later than the outcome. */
  readonly ended?: (() => void) | undefined;
  /** Ends it in the same way. */
  readonly stop?: AbortSignal | undefined;
  /** The whole environment; this process's own when missing. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly directory?: string | undefined;
  /** Kept of standard output and error together; the rest is read and dropped. 65,536 when missing. */
  readonly maximumOutputBytes?: number | undefined;
}

/** `output` is what came until then, UTF-8, cut at the limit. */
export type CommandOutcome =
  | { readonly type: "exited"; readonly status: number; readonly output: string }
  /** Ended by a signal of this number, ours (`stop`) or another's. */
  | { readonly type: "signal"; readonly signal: number; readonly output: string }
  /** Still running at the time limit; it is being ended while the caller reads this. */
  | { readonly type: "timeout"; readonly output: string }
  /** No such program, not executable, no right to become that user. `code` is ENOENT, EACCES, EPERM, … */
  | { readonly type: "error"; readonly code: string; readonly message: string };

const MILLISECONDS_TO_KILL = 2_000;
const OUTPUT_BYTES = 65_536;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) signalGroup(child, "SIGKILL");
});

let report: (group: number, runs: boolean) => void = () => undefined;

/**
 * Tells of every process group that is started and of its leader's end, so that somebody else can end what this process,
 * when it is killed, leaves running.
 */
export function reportCommands(listener: (group: number, runs: boolean) => void): void {
  report = listener;
}

/** Resolves when the command itself has ended, whatever it left running in the background; never rejects. */
export function runCommand(options: CommandOptions): Promise<CommandOutcome> {
  const [program = "", ...parameters] = options.argv;
  const { uid, gid, directory: cwd, environment: env } = options;
  let child: ChildProcess;
  try {
    child = spawn(program, parameters, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
    });
  } catch (error) {
    options.ended?.();
    return Promise.resolve(notStarted(error));
  }
  return new Promise((resolve) => supervise(child, options, resolve));
}

/** A script must not run before everything else because this process does. */
function withOrdinaryPriority({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined && getPriority() < 0) setPriority(pid, 0);
  } catch {
    // It has ended already, or this process may not.
  }
}

function supervise(child: ChildProcess, options: CommandOptions, resolve: (outcome: CommandOutcome) => void): void {
  running.add(child);
  withOrdinaryPriority(child);
  if (child.pid !== undefined) report(child.pid, true);
  const output = new BoundedOutput(options.maximumOutputBytes ?? OUTPUT_BYTES);
  child.stdout?.on("data", (chunk: Buffer) => output.add(chunk));
  child.stderr?.on("data", (chunk: Buffer) => output.add(chunk));
  let killTimer: NodeJS.Timeout | undefined;
  let timedOut = false;
  const end = () => {
    if (killTimer !== undefined) return;
    signalGroup(child, "SIGTERM");
    killTimer = setTimeout(() => signalGroup(child, "SIGKILL"), MILLISECONDS_TO_KILL);
  };
  const limit =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => {
          end();
          timedOut = true;
          if (options.untilItEnds !== true) resolve({ type: "timeout", output: output.text() });
        }, inMilliseconds(options.timeout));
  options.stop?.addEventListener("abort", end);
  if (options.stop?.aborted) end();
  const settle = (outcome: CommandOutcome) => {
    running.delete(child);
    if (child.pid !== undefined) report(child.pid, false);
    clearTimeout(limit);
    clearTimeout(killTimer);
    options.stop?.removeEventListener("abort", end);
    options.ended?.();
    resolve(outcome);
  };
  child.on("error", (error) => {
    if (child.pid === undefined) settle(notStarted(error));
  });
  child.once("exit", (status, signal) => {
    // A process that ignores SIGTERM may have outlived its group's leader.
    if (killTimer !== undefined) signalGroup(child, "SIGKILL");
    // What it wrote is in the pipes already; a background process may hold them open, so their end is not waited for.
    setImmediate(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
      const text = output.text();
      if (timedOut) settle({ type: "timeout", output: text });
      else if (signal === null) settle({ type: "exited", status: status ?? 0, output: text });
      else settle({ type: "signal", signal: constants.signals[signal], output: text });
    });
  });
}

/** The leader has the number of its group (`detached`). ESRCH: everybody in it has ended. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    kill(-child.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM"))) throw error;
  }
}

function notStarted(error: unknown): CommandOutcome {
  const code = error instanceof Error && "code" in error ? String(error.code) : "EINVAL";
  return { type: "error", code, message: error instanceof Error ? error.message : String(error) };
}

class BoundedOutput {
  readonly #limit: number;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, this.#limit - this.#length);
    if (kept.length === 0) return;
    this.#chunks.push(kept);
    this.#length += kept.length;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
