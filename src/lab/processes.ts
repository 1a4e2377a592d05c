/**
 * What /proc says about processes: who is whose child, who lives in which pid namespace, and whether a recorded process
 * is still the same one (its start time tells, proc_pid_stat(5); a number alone may have been given to another).
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly startTicks: number;
}

export interface ProcessEntry extends ProcessIdentity {
  readonly parent: number;
  readonly name: string;
  /** R, S, D, T, Z … */
  readonly state: string;
}

/** Undefined when there is no such process (any more). */
export function readProcess(pid: number): ProcessEntry | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The name is in brackets and may itself hold blanks and brackets.
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  const name = text.slice(text.indexOf("(") + 1, close);
  return { pid, name, state: fields[0] ?? "?", parent: Number(fields[1]), startTicks: Number(fields[19]) };
}

/** True while the recorded process runs; a zombie no longer does. */
export function isAlive(identity: ProcessIdentity): boolean {
  const found = readProcess(identity.pid);
  return found !== undefined && found.startTicks === identity.startTicks && found.state !== "Z" && found.state !== "X";
}

/** Every process that this /proc shows. */
export function processTable(): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    const entry = readProcess(Number(name));
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** `pid:[4026532201]`, or undefined when the process is gone or not ours to look at. */
export function pidNamespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** The number that the process has in its own, innermost pid namespace. */
export function innermostPid(pid: number): number {
  const found = /^NSpid:\s+(.*)$/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1];
  return Number(found?.trim().split(/\s+/).at(-1) ?? pid);
}

/** Words of the command line; the name in square brackets when there are none, as ps(1) shows it. */
export function commandLine(entry: ProcessEntry): string[] {
  const words = readOrEmpty(`/proc/${entry.pid}/cmdline`).split("\0").slice(0, -1);
  return words.length > 0 ? words : [`[${entry.name}]`];
}

/** A variable of the environment with which the process was started. */
export function startEnvironment(pid: number, variable: string): string | undefined {
  const prefix = `${variable}=`;
  return readOrEmpty(`/proc/${pid}/environ`)
    .split("\0")
    .find((entry) => entry.startsWith(prefix))
    ?.slice(prefix.length);
}

/** `root` and all that came of it, parents before children. */
export function treeOf(table: readonly ProcessEntry[], root: number): ProcessEntry[] {
  const found = table.filter((entry) => entry.pid === root);
  for (const parent of found) found.push(...table.filter((entry) => entry.parent === parent.pid && entry.pid !== root));
  return found;
}

/** False when the process is gone already. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
