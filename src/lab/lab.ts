/**
 * A running lab, for the command line, the demo and the tests.
 *
 * `Lab.up` brings a topology up or throws `LabError` and leaves nothing behind; `Lab.attach` finds one that somebody else
 * brought up. Every lab hangs on one process (the first of a pid namespace that holds all others): when that ends, for
 * whatever reason, all of the lab ends. Builds nothing itself: script.ts says what to do, holder.ts has it done.
 */

import type { LabNode } from "./node.ts";
import type { Topology } from "./topology.ts";

/** Something a user can mend: the message says what, `details` has the lines of the program or tool that failed. */
export class LabError extends Error {
  override readonly name = "LabError";
  readonly details: string;
  constructor(message: string, details = "") {
    super(message);
    this.details = details;
  }
}

export interface UpOptions {
  /** Instead of the topology's own name. */
  readonly name?: string;
  /**
   * True: the lab ends with this process, also when it is killed (tests, demo). False: it stays until `down`
   * (`evenkeel lab up`). Default true.
   */
  readonly tied?: boolean;
  /** False: nodes come up, but neither `exec` nor programs nor published ports are started. Default true. */
  readonly programs?: boolean;
  /** Told what is being done, one short line each. */
  readonly progress?: (line: string) => void;
}

export declare class Lab {
  readonly name: string;
  readonly topology: Topology;
  /** Wall-clock milliseconds that the nodes took, without their programs. */
  readonly nodesUpMs: number;

  /** `file` is a `*.lab.yml` or a `docker-compose.yml`. Throws `LabError`; mistakes in the file are in its `details`. */
  static up(file: string | Topology, options?: UpOptions): Promise<Lab>;
  /** The lab called `name`, or the only one that is running. Throws `LabError` when there is none or more than one. */
  static attach(name?: string): Promise<Lab>;

  /** Throws `LabError` when there is no such node. */
  node(name: string): LabNode;
  nodes(): readonly LabNode[];
  /** Ends every process of the lab and removes all of it. Safe to call twice. */
  down(): Promise<void>;
}
