/** Programs that are kept in a bpffs under a name, so that a later process attaches them without loading them again. */

import { addon, attempt, type Descriptor } from "./addon.ts";

/** @throws SystemError EEXIST; EPERM: no bpffs, or a name with a dot */
export function pinProgram(program: Descriptor, path: string): void {
  attempt(`pin a program at ${path}`, () => addon.bpfPin(program, path));
}

/** To be closed with `closeProgram`. @throws SystemError ENOENT */
export function openPinnedProgram(path: string): Descriptor {
  return attempt(`open the pinned program ${path}`, () => addon.bpfOpenPinned(path));
}

export const closeProgram = (program: Descriptor): void => addon.close(program);
