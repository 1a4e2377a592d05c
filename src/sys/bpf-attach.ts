/**
 * Puts a program where it sees an interface's packets: a tcx link where the kernel has them (6.6), else a filter of a
 * clsact qdisc in direct action mode (tc-bpf(8)). Both outlive the process and are found again.
 *
 * A tcx link is pinned; a clsact filter is known by its priority and handle. tcx programs run before clsact's.
 */

import type { Descriptor } from "./addon.ts";

export type Direction = "ingress" | "egress";
export type AttachMethod = "tcx" | "clsact";

/** Where a program of ours may sit. */
export interface AttachPoint {
  readonly interfaceIndex: number;
  readonly direction: Direction;
  /** Path in a bpffs for a tcx link; names of the parts without dots. */
  readonly pin: string;
  /** clsact's `pref`, 1 to 65535: programs with different ones stand side by side, the lower first. */
  readonly priority: number;
}

/**
 * Attaches, or replaces what this or an earlier process attached there: no packet passes without a program in between.
 * @param method both kinds work on a kernel that has both; `preferredMethod()` when missing
 * @throws SystemError ENODEV: no such interface; EPERM
 */
export function attach(point: AttachPoint, program: Descriptor, method?: AttachMethod): AttachMethod {
  throw new Error(`not yet ${point.pin} ${program} ${method}`);
}

/** Whatever the method was. False when nothing was attached. */
export function detach(point: AttachPoint): boolean {
  throw new Error(`not yet ${point.pin}`);
}

export interface Attached {
  readonly method: AttachMethod;
  /** The kernel's number of the program. */
  readonly program: number;
}

/** What is attached there now; undefined: nothing, also when the interface has gone and its link with it. */
export function attached(point: AttachPoint): Attached | undefined {
  throw new Error(`not yet ${point.pin}`);
}

/** tcx where the kernel has it. */
export function preferredMethod(): AttachMethod {
  throw new Error("not yet");
}
