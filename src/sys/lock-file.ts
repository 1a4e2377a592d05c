/** One holder at a time, flock(2): a lock that ends with its process, however that ends. */

/**
 * The lock, or undefined when somebody else has it. The file is made, and stays.
 * @throws node's error when the file cannot be made
 */
export function tryLockFile(path: string): Disposable | undefined {
  throw new Error(`not yet ${path}`);
}

/** As `tryLockFile`, but waits until it is free. Blocks this thread. */
export function lockFile(path: string): Disposable {
  throw new Error(`not yet ${path}`);
}
