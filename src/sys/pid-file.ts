/**
 * A pid file as keepalived keeps it: `%d\n`, mode 0644, locked as long as the daemon lives (F_OFD_SETLK on the whole file), as
 * later versions do. keepalived 2.2.7 holds no lock: it goes by the number in the file, and is recognised by its program.
 */

import {
  closeSync,
  constants,
  fchmodSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import { addon, attempt } from "./addon.ts";

export class PidFile {
  readonly path: string;
  readonly #fd: number;
  #open = true;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** Undefined: another process has it. The last folder is made. @throws node's error when the file cannot be made */
  static take(path: string): PidFile | undefined {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
    const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644);
    let mine = false;
    try {
      mine = attempt(`lock ${path}`, () => addon.ofdLock(fd)) && !isKeepalived(readFileSync(fd, "latin1"));
    } finally {
      if (!mine) closeSync(fd);
    }
    return mine ? new PidFile(path, fd) : undefined;
  }

  write(pid: number): void {
    fchmodSync(this.#fd, 0o644);
    ftruncateSync(this.#fd, 0);
    writeSync(this.#fd, `${pid}\n`, 0);
  }

  /** Removes the file, then lets go of it. Safe to call twice. */
  remove(): void {
    if (!this.#open) return;
    this.#open = false;
    rmSync(this.path, { force: true });
    closeSync(this.#fd);
  }
}

/** Whether the process of that number runs keepalived's program. Any other got the number of one that has died. */
function isKeepalived(content: string): boolean {
  const pid = /^\d+/.exec(content)?.[0];
  if (pid === undefined) return false;
  try {
    // An update of the package leaves the running program without a name.
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, "")) === "keepalived";
  } catch {
    return false;
  }
}
