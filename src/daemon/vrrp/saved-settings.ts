/**
 * Settings of the kernel that are ours for as long as we run, and the ones of before, which come back at the end.
 *
 * They are written down before they are changed, for the run that comes after a death:
 * RUN/settings-COOKIE-PID, a line `PATH BEFORE OURS` for each; RUN is $EVENKEEL_RUN or /run/evenkeel, COOKIE the kernel's
 * number of the network namespace. After a restart of the machine neither the file nor the settings are there.
 */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { networkNamespaceCookie } from "../../sys/namespaces.ts";
import { readSysctl, writeSysctl } from "../../sys/sysctl.ts";
import type { Log } from "../log/log.ts";
import type { Complaints } from "./complaints.ts";

interface Saved {
  readonly before: string;
  readonly ours: string;
}

/** Nothing else may be set by a file. */
const LINE =
  /^(net\/ipv4\/conf\/[^/\s]{1,15}\/(?:arp_ignore|arp_filter|arp_announce|rp_filter|promote_secondaries)) (\d) (\d)$/;

export class SavedSettings {
  readonly #complaints: Complaints;
  readonly #saved = new Map<string, Saved>();
  readonly #run = process.env.EVENKEEL_RUN ?? "/run/evenkeel";
  readonly #prefix = `settings-${networkNamespaceCookie()}-`;
  readonly #file = join(this.#run, `${this.#prefix}${process.pid}`);

  constructor(complaints: Complaints) {
    this.#complaints = complaints;
  }

  /** Nothing happens where there is no such setting; a refusal is logged. */
  set(...wanted: readonly (readonly [path: string, value: string])[]): void {
    const changes = wanted.flatMap(([path, ours]) => {
      const now = readSysctl(path);
      return now === undefined || now === ours ? [] : [{ path, ours, now }];
    });
    if (changes.length === 0) return;
    const known = new Map(this.#saved);
    for (const { path, ours, now } of changes) this.#saved.set(path, { before: known.get(path)?.before ?? now, ours });
    this.#writeDown();
    for (const { path, ours } of changes) {
      const problem = writeSysctl(path, ours);
      if (problem === undefined) continue;
      this.#complaints.say(path, problem, "warning");
      const before = known.get(path);
      if (before === undefined) this.#saved.delete(path);
      else this.#saved.set(path, before);
    }
  }

  /** What it was before us, or is. */
  before(path: string): string | undefined {
    return this.#saved.get(path)?.before ?? readSysctl(path);
  }

  /** The last one first. Those whose interface has gone are passed over. */
  restore(): void {
    for (const [path, { before }] of [...this.#saved].reverse())
      if (readSysctl(path) !== undefined) writeSysctl(path, before);
    this.#saved.clear();
    rmSync(this.#file, { force: true });
  }

  /** What runs that died here have left; what somebody has set since then stays. Only while no other run goes on here. */
  restoreLeftovers(log: Log): void {
    for (const name of filesIn(this.#run).filter((one) => one.startsWith(this.#prefix))) {
      for (const [path, { before, ours }] of [...savedIn(join(this.#run, name))].reverse()) {
        if (readSysctl(path) !== ours || writeSysctl(path, before) !== undefined) continue;
        log.write("info", `Putting ${path} back to ${before}, which an earlier run has set to ${ours}`);
      }
      rmSync(join(this.#run, name), { force: true });
    }
  }

  /** Without the file we run all the same. */
  #writeDown(): void {
    const lines = [...this.#saved].map(([path, { before, ours }]) => `${path} ${before} ${ours}\n`);
    try {
      mkdirSync(this.#run, { recursive: true });
      writeFileSync(`${this.#file}.new`, lines.join(""), { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
    } catch (error) {
      const why = error instanceof Error ? error.message : error;
      this.#complaints.say(this.#file, `settings of the kernel will not come back after a crash: ${why}`, "warning");
    }
  }
}

function savedIn(file: string): Map<string, Saved> {
  const matches = read(file)
    .split("\n")
    .map((line) => LINE.exec(line));
  return new Map(
    matches.flatMap((match): [string, Saved][] => {
      const [, path, before, ours] = match ?? [];
      return path === undefined || before === undefined || ours === undefined ? [] : [[path, { before, ours }]];
    }),
  );
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
