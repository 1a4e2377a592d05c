/** One holder at a time, flock(2): a lock that ends with its process, however that ends. */

import { closeSync, openSync } from "node:fs";
import { addon, attempt } from "./addon.ts";

/**
 * The lock, or undefined when somebody else has it. The file is made, and stays.
 * @throws node's error when the file cannot be made
 */
export function tryLockFile(path: string): Disposable | undefined {
  return take(path, false);
}

/** As `tryLockFile`, but waits until it is free. Blocks this thread. */
export function lockFile(path: string): Disposable {
  const lock = take(path, true);
  if (lock === undefined) throw new Error(`${path} was not locked`);
  return lock;
}

function take(path: string, wait: boolean): Disposable | undefined {
  // Close-on-exec, as all that Node opens.
  const fd = openSync(path, "a", 0o600);
  let mine = false;
  try {
    mine = attempt(`lock ${path}`, () => addon.flock(fd, wait));
  } finally {
    if (!mine) closeSync(fd);
  }
  if (!mine) return undefined;
  let open = true;
  return {
    [Symbol.dispose]() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}
