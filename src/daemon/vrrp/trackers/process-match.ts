/**
 * Which processes a `vrrp_track_process` means, as keepalived 2.2.7 does: a name alone is compared with the process's name
 * (15 bytes; that of the script for an interpreter), a name with arguments or `full_command` with the command line.
 */

import type { TrackedProcess } from "../../../config/model/vrrp.ts";

/** Nothing else but the name has to be known to decide. */
export const isNameOnly = ({ command, match, fullCommand }: TrackedProcess): boolean =>
  !fullCommand && match === "exact" && command.length === 1;

/** @param argv of the command line; asked for when the name does not decide */
export function matches(tracked: TrackedProcess, name: string, argv: () => readonly string[]): boolean {
  const [program = "", ...parameters] = tracked.command;
  if (isNameOnly(tracked)) return program === name;
  const [itsProgram, ...its] = argv();
  if (itsProgram !== program) return false;
  if (parameters.length === 0) return true;
  switch (tracked.match) {
    case "exact":
      return its.length === parameters.length && parameters.every((word, index) => its[index] === word);
    case "partial":
      return parameters.every((word, index) => its[index] === word);
    case "initial":
      return parameters.every((word, index) =>
        index === parameters.length - 1 ? its[index]?.startsWith(word) === true : its[index] === word,
      );
    default:
      return tracked.match satisfies never;
  }
}
