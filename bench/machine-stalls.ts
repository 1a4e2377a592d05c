/**
 * When the machine itself stood still: beside what is measured, a program in C waits on every processor with the same
 * priority, and says when it was woken late (`wake-up.c`). What a virtual machine's host took away is in /proc/stat.
 */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestNode } from "../test/support/namespace.ts";

export interface Stall {
  /** When it ended, Unix milliseconds. */
  readonly at: number;
  readonly milliseconds: number;
}

export class MachineStalls {
  readonly #programs: readonly { readonly output: string }[];
  readonly #stolen = stolenSeconds();

  private constructor(programs: readonly { readonly output: string }[]) {
    this.#programs = programs;
  }

  /** @param realtime the priority under SCHED_RR */
  static async watch(node: TestNode, folder: string, realtime: string): Promise<MachineStalls> {
    const program = join(folder, "wake-up");
    execFileSync("cc", ["-O2", "-Wall", "-o", program, fileURLToPath(new URL("wake-up.c", import.meta.url))]);
    const programs = Array.from({ length: availableParallelism() }, (_, cpu) =>
      node.start(["chrt", "--rr", realtime, program, String(cpu)]),
    );
    for (const one of programs) await one.sees(/waiting/);
    return new MachineStalls(programs);
  }

  /** Those of at least so many milliseconds, on any processor. */
  longerThan(milliseconds: number): Stall[] {
    return this.#programs.flatMap(({ output }) =>
      Array.from(output.matchAll(/^(\d+) (\d+)$/gm), ([, at, late]) => ({
        at: Number(at),
        milliseconds: Number(late) / 1_000,
      })).filter((stall) => stall.milliseconds >= milliseconds),
    );
  }

  /** Processor seconds that the host gave to others (steal) since the watch began, of all processors. */
  stolenSeconds(): number {
    return stolenSeconds() - this.#stolen;
  }
}

/** The eighth number of the first line, in hundredths of a second: proc(5). */
const stolenSeconds = (): number => Number(readFileSync("/proc/stat", "utf8").split(/\s+/)[8]) / 100;
