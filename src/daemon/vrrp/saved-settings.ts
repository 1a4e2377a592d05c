/** Settings of the kernel that are ours for as long as we run, and the ones of before, which come back at the end. */

import { readSysctl, writeSysctl } from "../../sys/sysctl.ts";
import type { Complaints } from "./complaints.ts";

export class SavedSettings {
  readonly #complaints: Complaints;
  readonly #before = new Map<string, string>();

  constructor(complaints: Complaints) {
    this.#complaints = complaints;
  }

  /** Nothing happens when there is no such setting; a refusal is logged. */
  set(path: string, value: string): void {
    const now = readSysctl(path);
    if (now === undefined || now === value) return;
    const problem = writeSysctl(path, value);
    if (problem !== undefined) this.#complaints.say(path, problem, "warning");
    else if (!this.#before.has(path)) this.#before.set(path, now);
  }

  /** What it was before us, or is. */
  before(path: string): string | undefined {
    return this.#before.get(path) ?? readSysctl(path);
  }

  /** Of this path, or of all, the last one first. Those whose interface has gone are passed over. */
  restore(path?: string): void {
    for (const [one, value] of [...this.#before].reverse()) {
      if (path !== undefined && one !== path) continue;
      this.#before.delete(one);
      if (readSysctl(one) !== undefined) writeSysctl(one, value);
    }
  }
}
