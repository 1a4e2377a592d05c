/**
 * `notify_fifo` and its kin: changes as lines in named pipes, made here where they are missing, and the programs that
 * read them (keepalived.conf(5), `notify_fifo`).
 *
 * A reader that is too slow misses lines; it never holds up who writes. Other than keepalived 2.2.7, a file that is no
 * named pipe is refused instead of written to, and a reader that ends is started again.
 */

import { spawnSync } from "node:child_process";
import { chownSync, closeSync, constants, fstatSync, lstatSync, openSync, rmSync, writeSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import type { ScriptCommand, ScriptUser } from "../../config/model/vrrp.ts";
import { type Identity, lookupGroup, lookupUser } from "../../sys/privileges.ts";
import type { Log } from "../log/log.ts";
import { inWords } from "./outcome.ts";
import type { ScriptRunner } from "./script-runner.ts";

export interface NotifyFifo {
  readonly path: string;
  /** Owner of a pipe that is made here. */
  readonly user: ScriptUser | undefined;
  /** Started with the path as its last argument. */
  readonly script: ScriptCommand | undefined;
  /** Another process of the daemon writes to it too, starts its reader and removes it. */
  readonly shared?: true;
}

export interface FifoReport {
  readonly path: string;
  /** Undefined while lines are taken. */
  readonly trouble: string | undefined;
  readonly written: number;
  /** Nobody read fast enough. */
  readonly lost: number;
}

/** A reader that ends at once is not started again and again in one second. */
const SHORTEST_RESTART_MS = 1_000;
const LONGEST_RESTART_MS = 60_000;
/** For a reader to read what is left, once nobody writes any more. */
const LAST_LINES_MS = 500;

interface Pipe {
  readonly fifo: NotifyFifo;
  /** Undefined: it could not be opened. */
  readonly fd: number | undefined;
  /** Inode of a pipe that was made here and goes with its use. */
  readonly made: number | undefined;
  /** Ends the reader. */
  readonly end: AbortController;
  reader: Promise<void>;
  closed: boolean;
  trouble: string | undefined;
  written: number;
  lost: number;
}

export class NotifyFifos {
  readonly #log: Log;
  readonly #scripts: ScriptRunner;
  #pipes: Pipe[] = [];

  constructor(log: Log, scripts: ScriptRunner) {
    this.#log = log;
    this.#scripts = scripts;
  }

  /** Those of a new configuration; one that stays, stays open. */
  configure(fifos: readonly NotifyFifo[]): void {
    const wanted = new Set(fifos.map(keyOf));
    const stays = ({ fifo, fd }: Pipe) => fd !== undefined && wanted.has(keyOf(fifo));
    for (const pipe of this.#pipes) if (!stays(pipe)) void close(pipe);
    const kept = new Map(this.#pipes.filter(stays).map((pipe) => [keyOf(pipe.fifo), pipe]));
    this.#pipes = fifos.map((fifo) => kept.get(keyOf(fifo)) ?? this.#open(fifo));
  }

  write(line: string): void {
    for (const pipe of this.#pipes) {
      if (pipe.fd === undefined) continue;
      try {
        // Shorter than PIPE_BUF: written whole or not at all (pipe(7)).
        writeSync(pipe.fd, `${line}\n`);
        pipe.written++;
        this.#recovered(pipe);
      } catch (error) {
        pipe.lost++;
        this.#failed(pipe, error);
      }
    }
  }

  reports(): FifoReport[] {
    return this.#pipes.map(({ fifo, trouble, written, lost }) => ({ path: fifo.path, trouble, written, lost }));
  }

  /** Pipes that were made here are removed, as keepalived does. Resolves when their readers have read what there was, within half a second. */
  async close(): Promise<void> {
    await Promise.all(this.#pipes.splice(0).map(close));
  }

  #recovered(pipe: Pipe): void {
    if (pipe.trouble === undefined) return;
    pipe.trouble = undefined;
    this.#log.write("info", `notify FIFO ${pipe.fifo.path}: lines are taken again; ${pipe.lost} were lost so far`);
  }

  #failed(pipe: Pipe, error: unknown): void {
    const full = (error as NodeJS.ErrnoException).code === "EAGAIN";
    const trouble = full ? "it is full: nobody reads it, or not fast enough" : describe(error);
    if (pipe.trouble === undefined)
      this.#log.write("warning", `notify FIFO ${pipe.fifo.path}: ${trouble}; lines are lost`);
    pipe.trouble = trouble;
  }

  #open(fifo: NotifyFifo): Pipe {
    const reader = Promise.resolve();
    const rest = { fifo, end: new AbortController(), reader, closed: false, written: 0, lost: 0 };
    try {
      const pipe: Pipe = { ...rest, ...openOrMake(fifo, this.#scripts), trouble: undefined };
      pipe.reader = this.#serve(pipe);
      return pipe;
    } catch (error) {
      const trouble = describe(error);
      this.#log.write("err", `notify FIFO ${fifo.path}: ${trouble}`);
      return { ...rest, fd: undefined, made: undefined, trouble };
    }
  }

  async #serve(pipe: Pipe): Promise<void> {
    const { script, path } = pipe.fifo;
    const { signal } = pipe.end;
    if (script === undefined) return;
    for (let restart = SHORTEST_RESTART_MS; ; restart = Math.min(restart * 2, LONGEST_RESTART_MS)) {
      const startedAt = performance.now();
      const command = { ...script, argv: [...script.argv, path] };
      const outcome = await this.#scripts.run(command, undefined, { stop: signal });
      if (pipe.closed || this.#scripts.ended) return;
      if (performance.now() - startedAt > LONGEST_RESTART_MS) restart = SHORTEST_RESTART_MS;
      const next = `starting it again in ${restart / 1_000} s`;
      const reader = `reader of notify FIFO ${path} (${script.argv.join(" ")})`;
      this.#log.write("warning", `${reader}: ${inWords(outcome)}; ${next}`);
      await pause(restart, signal);
      if (pipe.closed) return;
    }
  }
}

const keyOf = ({ path, user, script }: NotifyFifo): string => JSON.stringify([path, user, script]);

/** Its reader sees the end of what there is to read, and is ended if it goes on all the same. */
async function close(pipe: Pipe): Promise<void> {
  const { fifo, fd, made, end, reader } = pipe;
  if (pipe.closed) return;
  pipe.closed = true;
  if (fd !== undefined) closeSync(fd);
  if (made !== undefined && lstatSync(fifo.path, { throwIfNoEntry: false })?.ino === made)
    rmSync(fifo.path, { force: true });
  const patience = new AbortController();
  await Promise.race([reader, pause(LAST_LINES_MS, patience.signal)]);
  patience.abort();
  end.abort();
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  setTimeout(milliseconds, undefined, { signal }).catch(() => undefined);

/** Open for both, so that a reader may come later and leave again. @throws {Error} saying what is in the way */
function openOrMake(
  fifo: NotifyFifo,
  scripts: ScriptRunner,
): { readonly fd: number; readonly made: number | undefined } {
  const { path } = fifo;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) make(fifo, scripts);
  else if (found.isSymbolicLink())
    throw new Error("it is a symbolic link, which is not followed; name the pipe itself, or remove the link");
  else if (!found.isFIFO()) throw new Error("it is not a named pipe; remove the file and it is made, or name another");
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  const status = fstatSync(fd);
  if (status.isFIFO()) return { fd, made: found === undefined && fifo.shared !== true ? status.ino : undefined };
  closeSync(fd);
  throw new Error("it was replaced by something that is not a named pipe");
}

/** For root it belongs to its user, or to the one that scripts run as. */
function make({ path, user }: NotifyFifo, scripts: ScriptRunner): void {
  const owner = user === undefined ? scripts.defaultIdentity : identityOf(user);
  if ("message" in owner) throw new Error(owner.message);
  const { status, stderr, error } = spawnSync("mkfifo", ["-m", "0600", "--", path], { encoding: "utf8" });
  if (error !== undefined || status !== 0) {
    const said = error?.message ?? stderr.trim().replace(/^mkfifo: /, "");
    throw new Error(`cannot be made: ${said}; make its folder, writable for root, or make the pipe (mkfifo) yourself`);
  }
  if (process.getuid?.() === 0) chownSync(path, owner.uid, owner.gid);
}

function identityOf({ user, group }: ScriptUser): Identity | { readonly message: string } {
  const owner = lookupUser(user);
  const gid = group === undefined ? owner?.gid : lookupGroup(group);
  if (owner !== undefined && gid !== undefined) return { uid: owner.uid, gid };
  return { message: owner === undefined ? `its user ${user} does not exist` : `its group ${group} does not exist` };
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));
