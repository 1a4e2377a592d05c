/** A node of a running lab: run things in it, look at it, break it. */

import type { NodeSpec } from "./topology.ts";

export interface ExecOptions {
  readonly input?: string;
  /** Killed with its tree after this; `status` is then 124, as timeout(1) has it. Default 30 000. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ExecResult {
  /** Exit status; 128 + n when signal n ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnOptions {
  /** For `signal` and `ps`. Default: the base name of the program. */
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface LinkState {
  readonly interface: string;
  readonly segment: string;
  /** Administratively up in the node. */
  readonly up: boolean;
  /** False when the cable is pulled. */
  readonly carrier: boolean;
  /** `ADDRESS/LENGTH`, in the order in which the kernel lists them. */
  readonly addresses: readonly string[];
}

export interface ProcessInfo {
  readonly pidInNode: number;
  readonly hostPid: number;
  readonly parentHostPid: number;
  /** The started program that it belongs to, when it does. */
  readonly program?: string;
  readonly state: string;
  readonly command: string;
}

export declare class LabNode {
  readonly name: string;
  readonly spec: NodeSpec;
  /** Where the node sees the project's folder, and the folder of the lab's file. */
  readonly projectFolder: string;
  readonly labFolder: string;

  /** `node` and `evenkeel` are on the PATH. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  spawn(argv: readonly string[], options?: SpawnOptions): Promise<LabProcess>;
  /** A program that was started from the lab's file or by `spawn`, by its name. */
  process(name: string): LabProcess;
  processes(): Promise<readonly ProcessInfo[]>;
  links(): Promise<readonly LinkState[]>;
  /** Pulls the cable (the switch's end goes down: the node sees NO-CARRIER) or puts it back. */
  link(interfaceName: string, state: "up" | "down"): Promise<void>;
  /**
   * SIGKILL, SIGSTOP and SIGCONT go to the program and all processes that came of it; any other signal to the program
   * alone, as a service manager does it. Gives the number of processes signalled; throws `LabError` when there is none.
   */
  signal(processName: string, signal: NodeJS.Signals): Promise<number>;
}

export declare class LabProcess {
  readonly name: string;
  readonly hostPid: number;
  readonly pidInNode: number;
  /** Standard output and standard error, together. */
  readonly logFile: string;
  /** Exit status, 128 + n for signal n; never settles for a program of an attached lab. */
  readonly exited: Promise<number>;
  lines(): readonly string[];
  /** The first line, from the beginning of the log, that matches. Throws `LabError` after `timeoutMs`. */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<string>;
  signal(signal: NodeJS.Signals): Promise<number>;
}
