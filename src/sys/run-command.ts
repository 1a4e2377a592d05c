/**
 * Runs a command without a shell: a check script, a notify script. In a process group of its own, so that what it started
 * ends with it; bounded in time and output.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { kill } from "node:process";
import { type Duration, inMilliseconds } from "../base/time.ts";
import type { Identity } from "./privileges.ts";

export interface CommandOptions {
  /** The program first: a path, or a name looked up in PATH. */
  readonly argv: readonly string[];
  /** Without supplementary groups. This process's own when missing. */
  readonly as?: Identity | undefined;
  /** Then SIGTERM to its process group, and SIGKILL two seconds later. No limit when missing. */
  readonly timeout?: Duration | undefined;
  /** The whole environment; this process's own when missing. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly directory?: string | undefined;
  /** Of standard output and error together, kept; the rest is read and dropped. 65,536 when missing. */
  readonly maximumOutputBytes?: number | undefined;
}

export interface CommandOutcome {
  readonly end: CommandEnd;
  /** Standard output and error as they came, UTF-8, cut at the limit. */
  readonly output: string;
}

export type CommandEnd =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "signalled"; readonly signal: string }
  /** It did not end by itself and was ended. */
  | { readonly kind: "timed-out" }
  /** No such program, not executable, no such user. `code` is ENOENT, EACCES, EPERM, … */
  | { readonly kind: "not-started"; readonly code: string };

export interface RunningCommand {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Never rejects. */
  readonly outcome: Promise<CommandOutcome>;
  /** SIGTERM to its process group, SIGKILL two seconds later; the outcome is then `signalled`. */
  stop(): void;
}

export function runCommand(options: CommandOptions): RunningCommand {
  throw new Error(`not yet: ${[options.argv, spawn, kill, inMilliseconds, {} as ChildProcess]}`);
}
