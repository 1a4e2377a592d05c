/** Configuration files on disk, and what the machine says of itself, for the pure configuration languages. */

import { closeSync, constants, fstatSync, globSync, openSync, readSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { fail, ok, type Result } from "../base/result.ts";
import { type Loaded, load } from "../config/load.ts";
import type { ConfigurationFiles } from "../config/text/files.ts";

/** Larger than any configuration: reading stops there, so that a device file cannot fill the memory. */
const LARGEST_FILE_BYTES = 64 * 1024 * 1024;

const files: ConfigurationFiles = {
  read(path: string): Result<Uint8Array, string> {
    try {
      return readRegularFile(path);
    } catch (error) {
      return fail(describe(error as NodeJS.ErrnoException));
    }
  },
  glob: (pattern) => globSync(pattern).sort(),
  resolve: (from, path) => resolve(dirname(from), path),
};

export interface LoadOptions {
  /** keepalived's `-i`: overrides the host name for `@id` lines. */
  readonly configId?: string | undefined;
}

/** Loads `paths` from disk; a file that is named twice is read once. */
export function loadFromDisk(paths: readonly string[], options: LoadOptions = {}): Loaded {
  const once = [...new Map(paths.map((path) => [resolve(path), path] as const)).values()];
  const environment = { files, hostname: hostname(), variables: process.env, random: Math.random };
  return load(once, options.configId === undefined ? environment : { ...environment, configId: options.configId });
}

/** A named pipe would block and a device never ends: only regular files (and what links to them) are read. */
function readRegularFile(path: string): Result<Uint8Array, string> {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = fstatSync(descriptor);
    if (status.isDirectory()) return fail("it is a directory");
    if (!status.isFile()) return fail("it is not a regular file");
    if (status.size > LARGEST_FILE_BYTES) return fail(`it is larger than ${LARGEST_FILE_BYTES} bytes`);
    const bytes = new Uint8Array(status.size);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got)
      got = readSync(descriptor, bytes, length, bytes.length - length, length);
    return ok(bytes.subarray(0, length));
  } finally {
    closeSync(descriptor);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  ENOTDIR: "a part of its path is not a directory",
  ELOOP: "too many symbolic links",
};

const describe = ({ code = "", message }: NodeJS.ErrnoException): string => WORDS[code] ?? (code || message);
