/**
 * `lvs_notify_fifo`: changes as lines in named pipes, made here where they are missing, and the programs that read them.
 *
 * A reader that is too slow misses lines; it never holds up the director.
 */

import { spawnSync } from "node:child_process";
import { chownSync, closeSync, constants, lstatSync, openSync, writeSync } from "node:fs";
import { seconds } from "../../base/time.ts";
import type { NotifyFifo } from "../../config/model/virtual-server.ts";
import { lookupGroup, lookupUser } from "../../sys/privileges.ts";
import type { Log } from "../log/log.ts";
import type { ScriptRunner } from "../scripts/script-runner.ts";

/** A reader's whole life; what ends earlier is started again after a while. */
const READER_LIFE = seconds(10 * 24 * 3600);
const RESTART_MS = 1_000;

export class NotifyFifos {
  readonly #log: Log;
  readonly #scripts: ScriptRunner;
  #open: { readonly fifo: NotifyFifo; readonly fd: number; complained: boolean }[] = [];

  constructor(log: Log, scripts: ScriptRunner) {
    this.#log = log;
    this.#scripts = scripts;
  }

  /** Those of a new configuration; one that stays, stays open. */
  configure(fifos: readonly NotifyFifo[]): void {
    const wanted = new Set(fifos.map((one) => JSON.stringify(one)));
    for (const { fd } of this.#open.filter(({ fifo }) => !wanted.has(JSON.stringify(fifo)))) closeSync(fd);
    this.#open = this.#open.filter(({ fifo }) => wanted.has(JSON.stringify(fifo)));
    const known = new Set(this.#open.map(({ fifo }) => JSON.stringify(fifo)));
    for (const fifo of fifos) if (!known.has(JSON.stringify(fifo))) this.#start(fifo);
  }

  write(line: string): void {
    for (const one of this.#open) {
      try {
        writeSync(one.fd, `${line}\n`);
        one.complained = false;
      } catch (error) {
        if (!one.complained)
          this.#log.write("warning", `notify FIFO ${one.fifo.path}: ${describe(error)}; lines are lost`);
        one.complained = true;
      }
    }
  }

  close(): void {
    this.configure([]);
  }

  #start(fifo: NotifyFifo): void {
    try {
      if (lstatSync(fifo.path, { throwIfNoEntry: false }) === undefined) make(fifo);
      if (!lstatSync(fifo.path).isFIFO()) throw new Error("it is not a named pipe");
      // Open for both, so that a reader may come later and leave again.
      const fd = openSync(fifo.path, constants.O_RDWR | constants.O_NONBLOCK);
      this.#open.push({ fifo, fd, complained: false });
    } catch (error) {
      this.#log.write("err", `notify FIFO ${fifo.path}: ${describe(error)}`);
      return;
    }
    void this.#serve(fifo);
  }

  async #serve(fifo: NotifyFifo): Promise<void> {
    const { script, path } = fifo;
    if (script === undefined) return;
    while (this.#open.some((one) => one.fifo === fifo)) {
      const outcome = await this.#scripts.run({ ...script, argv: [...script.argv, path] }, READER_LIFE);
      if (!this.#open.some((one) => one.fifo === fifo)) return;
      const why = outcome.type === "exited" ? `exited with status ${outcome.status}` : outcome.type;
      this.#log.write("warning", `reader of notify FIFO ${path} ${why}; starting it again`);
      await new Promise((resolve) => setTimeout(resolve, RESTART_MS).unref());
    }
  }
}

/** Only root can give it to somebody else. */
function make({ path, user }: NotifyFifo): void {
  spawnSync("mkfifo", ["-m", "0600", path]);
  const owner = user === undefined || process.getuid?.() !== 0 ? undefined : lookupUser(user.user);
  if (owner !== undefined) chownSync(path, owner.uid, lookupGroup(user?.group ?? "") ?? owner.gid);
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));
