/** A program that runs in a node, and what it wrote. */

import { readFileSync } from "node:fs";
import { LabError } from "./error.ts";

export class LabProcess {
  readonly name: string;
  readonly argv: readonly string[];
  /** -1 when it had ended before it could be seen. */
  readonly hostPid: number;
  readonly pidInNode: number;
  /** Standard output and standard error, together. */
  readonly logFile: string;
  /** Undefined as long as it runs. */
  status: number | undefined;
  readonly #node: Signalled;
  readonly #end: ProgramEnd;

  constructor(
    node: Signalled,
    name: string,
    argv: readonly string[],
    hostPid: number,
    pidInNode: number,
    logFile: string,
    end: ProgramEnd,
  ) {
    this.#node = node;
    this.name = name;
    this.argv = argv;
    this.hostPid = hostPid;
    this.pidInNode = pidInNode;
    this.logFile = logFile;
    this.#end = end;
    end.exited.then((status) => {
      this.status = status;
    });
  }

  /** Exit status, 128 + n for signal n; never settles for a program of an attached lab. Who asks, waits. */
  get exited(): Promise<number> {
    this.#end.await();
    return this.#end.exited;
  }

  /** Whole lines that it wrote so far. */
  lines(): readonly string[] {
    return readFileSync(this.logFile, "utf8").split("\n").slice(0, -1);
  }

  /** The first line, from the beginning of the log, that matches. Throws `LabError` after `timeoutMs` or at its end. */
  async waitForLine(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    for (let waited = 0; ; waited += 10) {
      const ended = this.status !== undefined;
      const found = this.lines().find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (ended || waited >= timeoutMs) {
        const why = ended ? `ended with status ${this.status}` : `ran for ${timeoutMs} ms`;
        throw new LabError(`${this.name} ${why} without writing ${pattern}`, this.lastLines());
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** As `LabNode.signal`. */
  signal(signal: NodeJS.Signals): Promise<number> {
    return this.#node.signal(this.name, signal);
  }

  /** The end of the log, for messages. */
  lastLines(count = 40): string {
    return this.lines().slice(-count).join("\n");
  }
}

/** The end of a program; it keeps this process alive only once `await` has been called. */
export interface ProgramEnd {
  readonly exited: Promise<number>;
  await(): void;
}

interface Signalled {
  signal(processName: string, signal: NodeJS.Signals): Promise<number>;
}
