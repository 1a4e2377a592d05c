/**
 * Reads configuration files whatever their language: tells each one's kind from its content, loads it, and answers one
 * model with everything there is to say about the text. What `evenkeel check`, `run` and a reload start from.
 *
 * Pure: files, host name and environment variables are arguments. Never throws on what a file holds. It judges nothing
 * about exit codes and prints nothing.
 */

import type { Configuration } from "./model/configuration.ts";
import type { Diagnostic } from "./text/diagnostic.ts";
import type { ConfigurationFiles } from "./text/files.ts";
import type { Source } from "./text/source.ts";

/** What a configuration may ask of the machine that it is read on. */
export interface LoadEnvironment {
  readonly files: ConfigurationFiles;
  /** Of this machine; up to its first dot it is keepalived's configuration id for `@id` lines. */
  readonly hostname: string;
  /** Overrides the one from the host name (keepalived `-i`). */
  readonly configId?: string;
  /** Environment variables of the process: `${_ENV NAME}` in keepalived.conf, `"$NAME"` in haproxy.cfg. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** In [0, 1): for keepalived's `${_RANDOM}`. */
  random(): number;
}

export interface Loaded {
  readonly configuration: Configuration;
  /** Sorted by file, in the order in which files were read, then by position. An error among them: do not run this. */
  readonly diagnostics: readonly Diagnostic[];
  /** How many more there were than could be kept. */
  readonly dropped: number;
  /** Every file that was read, includes too, in the order in which they were read. */
  readonly sources: readonly Source[];
}

/** Loads `paths` in their order; files of one kind make up one configuration. */
export declare function load(paths: readonly string[], environment: LoadEnvironment): Loaded;
