/**
 * Writes a recording (`vrrp/recording.ts`) to a file while the machine runs, and never keeps it waiting: lines are gathered
 * and written by the event loop's helpers, and lost, with a mark, when the disk is too slow.
 *
 * A file that has grown to its limit becomes FILE.1, where the one before is overwritten: a recording takes twice the limit
 * and no more. It holds passwords and packets as they are, so only its owner may read it.
 */

import { closeSync, lstatSync, openSync, renameSync, write, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Instant } from "../../base/time.ts";
import type { HostParameters, HostState } from "../../vrrp/host.ts";
import type { Input, Output } from "../../vrrp/messages.ts";
import { inputLine, stateLine } from "../../vrrp/recording.ts";
import type { Log } from "../log/log.ts";

export const MOST_BYTES = 64 * 1024 * 1024;
const MOST_WAITING_BYTES = 4 * 1024 * 1024;
const WRITE_EVERY_MS = 500;

export interface RecorderOptions {
  readonly file: string;
  readonly parameters: HostParameters;
  readonly log: Log;
  /** Of one file. */
  readonly mostBytes?: number;
}

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #mostBytes: number;
  readonly #timer: NodeJS.Timeout;
  readonly #atExit = () => this.#finish();
  #fd: number | undefined;
  #written = 0;
  #lines: string[] = [];
  #bytes = 0;
  #busy = false;
  #lost = 0;
  /** A whole state has to come first: at the start, in a new file, behind a gap. */
  #state: string | undefined = "start";

  /** What is there already is kept as FILE.1. @throws {Error} naming the file, with the cure */
  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#mostBytes = options.mostBytes ?? MOST_BYTES;
    this.#open();
    this.#timer = setInterval(() => this.#write(), WRITE_EVERY_MS).unref();
    process.on("exit", this.#atExit);
    options.log.write(
      "notice",
      `recording VRRP in ${options.file} (at most ${2 * Math.round(this.#mostBytes / 2 ** 20)} MB with ${options.file}.1), passwords included; mode 0600`,
    );
  }

  /** Of one step: the state before it, and what came of it. */
  record(before: HostState, input: Input, outputs: readonly Output[], at: Instant): void {
    if (this.#fd === undefined) return;
    if (this.#bytes > MOST_WAITING_BYTES) {
      if (this.#lost === 0) this.#options.log.write("warning", `${this.#options.file}: the disk is too slow for it`);
      this.#lost += 1;
      this.#state = `${this.#lost} inputs lost: the disk was too slow`;
      return;
    }
    if (this.#state !== undefined) {
      const { parameters } = this.#options;
      this.#add(stateLine({ why: this.#state, time: new Date().toISOString(), at, parameters, state: before }));
      this.#state = undefined;
      this.#lost = 0;
    }
    this.#add(inputLine(at, input, outputs));
  }

  /** Resolves when everything is in the file. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#busy) await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("exit", this.#atExit);
    this.#finish();
  }

  #add(line: string): void {
    this.#lines.push(line);
    this.#bytes += line.length + 1;
  }

  #take(): string {
    const text = this.#lines.length === 0 ? "" : `${this.#lines.join("\n")}\n`;
    this.#lines = [];
    this.#bytes = 0;
    return text;
  }

  #write(): void {
    const fd = this.#fd;
    if (fd === undefined || this.#busy || this.#lines.length === 0) return;
    this.#busy = true;
    this.#all(fd, new TextEncoder().encode(this.#take()));
  }

  #all(fd: number, bytes: Uint8Array): void {
    write(fd, bytes, (error, count) => {
      if (error !== null) return this.#fail(error);
      this.#written += count;
      if (count < bytes.length) return this.#all(fd, bytes.subarray(count));
      this.#busy = false;
      if (this.#fd !== undefined && this.#written >= this.#mostBytes) this.#turn();
    });
  }

  #turn(): void {
    if (this.#fd === undefined) return;
    // What waits belongs to the state that the old file has led to.
    try {
      writeSync(this.#fd, this.#take());
      closeSync(this.#fd);
      this.#open();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#state = "continued";
  }

  #open(): void {
    const { file } = this.#options;
    try {
      const before = lstatSync(file, { throwIfNoEntry: false });
      if (before?.isFile() === false) throw new Error(`${file} is no ordinary file; name another one`);
      if (before !== undefined) renameSync(file, `${file}.1`);
      this.#fd = openSync(file, "wx", 0o600);
    } catch (error) {
      throw isMissing(error) ? new Error(`${file}: ${noFolder(dirname(file))}`) : error;
    }
    this.#written = 0;
  }

  #fail(error: unknown): void {
    try {
      if (this.#fd !== undefined) closeSync(this.#fd);
    } catch {}
    this.#fd = undefined;
    this.#busy = false;
    this.#lines = [];
    const why = error instanceof Error ? error.message : String(error);
    this.#options.log.write("err", `${this.#options.file}: recording has ended: ${why}`);
  }

  /** Synchronous: the process ends. */
  #finish(): void {
    if (this.#fd === undefined) return;
    try {
      // While a write is under way the rest would stand before it.
      if (!this.#busy) writeSync(this.#fd, this.#take());
      closeSync(this.#fd);
    } catch {}
    this.#fd = undefined;
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";

const noFolder = (folder: string): string =>
  `there is no folder ${folder}: make it (mkdir -p ${folder}), and start again`;
