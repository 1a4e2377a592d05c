/** How processes get into a node: by nsenter(1), from outside, into the namespaces of its init. */

import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { type NodePaths, nodeEnvironment } from "./paths.ts";
import { type ProcessIdentity, processTable, startEnvironment, treeOf } from "./processes.ts";
import { MARK, MINDER } from "./programs.ts";
import type { NodeSpec } from "./topology.ts";

/** What a node needs to know of its lab. */
export interface NodePlace {
  readonly lab: string;
  readonly stateFolder: string;
  readonly rootless: boolean;
  /** The process whose network namespace is the switch. */
  readonly holder: ProcessIdentity;
  readonly init: ProcessIdentity;
  readonly paths: NodePaths;
  /** The switch's end of an interface's cable. */
  port(interfaceName: string): string;
}

/** Enters the lab's folder and becomes the command. */
const BECOME = 'cd "$0" && exec "$@"';

/**
 * Starts the program and stays as its parent. nsenter cannot be that: when its child is stopped it stops as well, and
 * then never waits for it. Silent about how the program ends. In the foreground, since sh has a background program ignore
 * SIGINT.
 */
const MIND = `cd "$0" || exit
name=$1; shift
exec 8>&1 9>&2 >/dev/null 2>&1
${MARK}=$name "$@" >&8 2>&9 8>&- 9>&-
exit $?`;

type Stdio = "inherit" | ("pipe" | "ignore" | number)[];
type Variables = Readonly<Record<string, string>>;

export class Entrance {
  readonly #spec: NodeSpec;
  readonly #place: NodePlace;

  constructor(spec: NodeSpec, place: NodePlace) {
    this.#spec = spec;
    this.#place = place;
  }

  /** The child's status is the command's. With `inherit` it stays in the terminal's foreground. */
  run(argv: readonly string[], env: Variables = {}, stdio: Stdio): ChildProcess {
    return this.#enter(BECOME, argv, this.#environment("", env), stdio);
  }

  /** The same, under a name by which the program and all that comes of it are found again. */
  mind(name: string, argv: readonly string[], env: Variables = {}, stdio: Stdio): ChildProcess {
    return this.#enter(MIND, [name, ...argv], this.#environment(MINDER, env), stdio);
  }

  /** In the switch's network namespace and nothing else of it; errors are piped. */
  runInSwitch(argv: readonly string[]): ChildProcess {
    const words = [...this.#target(this.#place.holder), "-n", "--", ...argv];
    return spawn("nsenter", words, { stdio: ["ignore", "ignore", "pipe"], env: this.#environment("", {}) });
  }

  #enter(script: string, argv: readonly string[], env: Record<string, string>, stdio: Stdio): ChildProcess {
    const into = [...this.#target(this.#place.init), "-n", "-m", "-p", "-u", "--"];
    const there = ["sh", "-c", script, this.#place.paths.lab, ...argv];
    return spawn("nsenter", [...into, ...there], { stdio, detached: stdio !== "inherit", env });
  }

  #target(process: ProcessIdentity): string[] {
    const user = this.#place.rootless ? ["-U", "--preserve-credentials"] : [];
    return ["-t", String(process.pid), ...user];
  }

  #environment(mark: string, more: Variables): Record<string, string> {
    const own = { EVENKEEL_LAB: this.#place.lab, EVENKEEL_LAB_NODE: this.#spec.name, [MARK]: mark };
    return nodeEnvironment(this.#place.paths, this.#spec.environment, { ...more, ...own });
  }
}

/**
 * nsenter enters a pid namespace by a child, the minder; its child becomes the program, which is told by its mark. -1 when
 * it ended before it was seen.
 */
export async function startedBy(entering: ChildProcess, name: string, exited: Promise<number>): Promise<number> {
  let ended = false;
  exited.then(() => {
    ended = true;
  });
  for (let looks = 0; !ended && entering.pid !== undefined; looks++) {
    const [, , program] = treeOf(processTable(), entering.pid);
    // The environment of one that runs as somebody else cannot be read.
    if (program !== undefined && (startEnvironment(program.pid, MARK) === name || looks > 200)) return program.pid;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return -1;
}

/** As a shell gives it: 128 + n when signal n ended it. */
export function statusOf(code: number | null, signal: NodeJS.Signals | null): number {
  return signal === null ? (code ?? 1) : 128 + constants.signals[signal];
}
