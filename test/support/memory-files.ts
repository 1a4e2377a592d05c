/** Configuration files that exist only in a test. */

import { posix } from "node:path";
import { fail, ok } from "../../src/base/result.ts";
import type { LoadEnvironment } from "../../src/config/load.ts";
import type { ConfigurationFiles } from "../../src/config/text/files.ts";

export type MemoryFiles = Readonly<Record<string, string | Uint8Array>>;

/** Paths are absolute. A pattern matches as the shell would, with `*`, `?`, `[…]` and `{a,b}`. */
export function memoryFiles(files: MemoryFiles): ConfigurationFiles {
  return {
    read(path) {
      const content = Object.hasOwn(files, path) ? files[path] : undefined;
      if (content === undefined) return fail("ENOENT");
      return ok(typeof content === "string" ? new TextEncoder().encode(content) : content);
    },
    glob: (pattern) =>
      Object.keys(files)
        .filter((path) => posix.matchesGlob(path, pattern))
        .sort(),
    resolve: (from, path) => posix.resolve(posix.dirname(from), path),
  };
}

/** Host `lb1.example`, no variables, a random number that is always 0.5. */
export function memoryEnvironment(files: MemoryFiles, more: Partial<LoadEnvironment> = {}): LoadEnvironment {
  return { files: memoryFiles(files), hostname: "lb1.example", variables: {}, random: () => 0.5, ...more };
}
