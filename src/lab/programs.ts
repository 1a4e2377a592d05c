/**
 * Which processes of a node belong to which of its programs.
 *
 * A program's processes are found by a mark in the environment that they inherit and by their parents, so that children
 * are still found when their parent has died; nothing is remembered between calls.
 */

import { basename } from "node:path";
import {
  commandLine,
  innermostPid,
  type ProcessEntry,
  type ProcessIdentity,
  pidNamespaceOf,
  processTable,
  startEnvironment,
  treeOf,
} from "./processes.ts";

/** The variable whose value is the name of the program that a process belongs to. */
export const MARK = "EVENKEEL_LAB_PROGRAM";
/** Its value in those that only wait for a program. */
export const MINDER = "-";

export interface ProcessInfo {
  readonly pidInNode: number;
  readonly hostPid: number;
  readonly parentHostPid: number;
  /** The started program that it belongs to, when it does. */
  readonly program?: string;
  /** R, S, D, T … */
  readonly state: string;
  readonly command: string;
}

/** Every process of the node but its init and those that mind a program. */
export function inNode(init: ProcessIdentity): ProcessInfo[] {
  return members(init).map((entry) => {
    const program = startEnvironment(entry.pid, MARK);
    return {
      pidInNode: innermostPid(entry.pid),
      hostPid: entry.pid,
      parentHostPid: entry.parent,
      ...(program ? { program } : {}),
      state: entry.state,
      command: commandLine(entry).join(" "),
    };
  });
}

/**
 * `main`: the processes from which the others came, normally one. `all`: these and the others, parents first. Looks for
 * a program that the lab started under that name, else for processes that are called so.
 */
export function programProcesses(init: ProcessIdentity, name: string): { main: ProcessEntry[]; all: ProcessEntry[] } {
  const running = members(init);
  let found = running.filter((entry) => startEnvironment(entry.pid, MARK) === name);
  if (found.length === 0) found = running.filter((entry) => isCalled(entry, name));
  const pids = new Set(found.map((entry) => entry.pid));
  const main = found.filter((entry) => !pids.has(entry.parent));
  const all = new Map(main.flatMap((entry) => treeOf(running, entry.pid)).map((entry) => [entry.pid, entry]));
  return { main, all: [...all.values()] };
}

/** A script is called as its file is: `sh web.sh` is `web.sh`. */
function isCalled(entry: ProcessEntry, name: string): boolean {
  if (entry.name === name) return true;
  return commandLine(entry)
    .slice(0, 2)
    .some((word) => basename(word) === name);
}

function members(init: ProcessIdentity): ProcessEntry[] {
  const namespace = pidNamespaceOf(init.pid);
  if (namespace === undefined) return [];
  return processTable().filter(
    (entry) =>
      entry.pid !== init.pid &&
      entry.state !== "Z" &&
      // The init's own way of waiting.
      !(entry.parent === init.pid && entry.name === "sleep" && commandLine(entry).at(-1) === "1000000") &&
      pidNamespaceOf(entry.pid) === namespace &&
      startEnvironment(entry.pid, MARK) !== MINDER,
  );
}
