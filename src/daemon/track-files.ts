/**
 * `track_file` blocks: the number in a file, told whenever it changes. A file that is missing or holds no number counts as 0,
 * as keepalived has it.
 */

import {
  closeSync,
  constants,
  type FSWatcher,
  fstatSync,
  openSync,
  readSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import type { TrackFile } from "../config/model/virtual-server.ts";
import type { Log } from "./log/log.ts";

/** Between two looks at whether the folders are still those that are watched, and at file systems that tell nothing. */
const POLL_MS = 1_000;
const LONGEST_NUMBER = 64;

export class TrackFiles {
  readonly #told: (name: string, value: number) => void;
  readonly #log: Log;
  #files: readonly TrackFile[] = [];
  readonly #values = new Map<string, number>();
  readonly #folders = new Map<string, { readonly watcher: FSWatcher; readonly inode: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log, told: (name: string, value: number) => void) {
    this.#log = log;
    this.#told = told;
  }

  value(name: string): number {
    return this.#values.get(name) ?? 0;
  }

  /** Reads them all; tells nobody. `initialise` at a start, not at a reload. */
  configure(files: readonly TrackFile[], initialise: boolean): void {
    this.close();
    this.#files = files;
    this.#values.clear();
    for (const file of files) {
      if (initialise && file.init !== undefined) this.#initialise(file, file.init);
    }
    this.#watchFolders();
    for (const file of files) this.#values.set(file.name, readNumber(file.file));
    if (files.length > 0) this.#timer = setInterval(() => this.#lookAll(), POLL_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { watcher } of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #lookAll(): void {
    this.#watchFolders();
    for (const file of this.#files) this.#look(file);
  }

  /** A file may be replaced by another, so its folder is watched; that may come later, or be replaced as well. */
  #watchFolders(): void {
    for (const folder of new Set(this.#files.map(({ file }) => dirname(file)))) {
      const inode = inodeOf(folder);
      const known = this.#folders.get(folder);
      if (known?.inode === inode) continue;
      known?.watcher.close();
      this.#folders.delete(folder);
      if (inode === undefined) continue;
      try {
        const watcher = watch(folder, { persistent: false }, (_, name) => this.#changed(folder, name));
        watcher.on("error", () => watcher.close());
        this.#folders.set(folder, { watcher, inode });
      } catch {
        // No more watches to be had, or not allowed: it is looked at once a second.
      }
    }
  }

  #changed(folder: string, name: string | null): void {
    for (const file of this.#files) {
      if (dirname(file.file) === folder && (name === null || name === basename(file.file))) this.#look(file);
    }
  }

  #look(file: TrackFile): void {
    const value = readNumber(file.file);
    if (value === this.#values.get(file.name)) return;
    this.#values.set(file.name, value);
    this.#told(file.name, value);
  }

  #initialise(file: TrackFile, { value, overwrite }: NonNullable<TrackFile["init"]>): void {
    try {
      writeFileSync(file.file, `${value}\n`, { flag: overwrite ? "w" : "wx" });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "EEXIST") this.#log.write("warning", `track_file ${file.name}: ${message}`);
    }
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}

/** A pipe would block and a device never ends: only regular files are read, and little of them. */
function readNumber(path: string): number {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(descriptor).isFile()) return 0;
    const bytes = Buffer.alloc(LONGEST_NUMBER);
    const length = readSync(descriptor, bytes, 0, LONGEST_NUMBER, 0);
    const value = /^\s*([-+]?\d{1,10})/.exec(bytes.toString("latin1", 0, length))?.[1];
    return value === undefined ? 0 : Number(value);
  } catch {
    return 0;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
