/** How a configuration language reads files: an argument, so that languages stay pure and tests need no disk. */

import type { Result } from "../../base/result.ts";

export interface ConfigurationFiles {
  /** The bytes of a file, or why not (`ENOENT`, `EACCES`, `EISDIR` …). */
  read(path: string): Result<Uint8Array, string>;
  /** Paths that match a shell pattern (`*`, `?`, `[…]`, `{a,b}`), sorted; empty when none does. */
  glob(pattern: string): readonly string[];
  /** `path` resolved against the folder of `from`, when it is relative. */
  resolve(from: string, path: string): string;
}
