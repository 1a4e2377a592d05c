/**
 * Puts a program where it sees an interface's packets: a tcx link where the kernel has them (6.6), else a filter of a
 * clsact qdisc in direct action mode (tc-bpf(8)). Both outlive the process and are found again.
 *
 * A tcx link is pinned; a clsact filter is known by its priority and handle. tcx programs run before clsact's. A qdisc that was
 * made for a filter stays when the filter goes: others may have come to use it.
 */

import { existsSync, unlinkSync } from "node:fs";
import { addon, attempt, type Descriptor } from "./addon.ts";

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

/** linux/bpf.h since 6.6: BPF_TCX_INGRESS, BPF_TCX_EGRESS. */
const TCX = { ingress: 46, egress: 47 } as const;
/** "EK": tells our filters from others of the same priority. */
const CLSACT_HANDLE = 0x454b;

/**
 * Attaches, or replaces what this or an earlier process attached there: no packet passes without a program in between.
 * @param method both kinds work on a kernel that has both; `preferredMethod()` when missing
 * @throws SystemError ENODEV: no such interface; EPERM
 */
export function attach(
  point: AttachPoint,
  program: Descriptor,
  method: AttachMethod = preferredMethod(),
): AttachMethod {
  const tried = `attach to ${point.direction} of interface ${point.interfaceIndex}`;
  if (method === "clsact") attempt(tried, () => attachFilter(point, program));
  else if (!replaceLink(point, program)) attempt(tried, () => createLink(point, program));
  return method;
}

function attachFilter(point: AttachPoint, program: Descriptor): void {
  const { interfaceIndex, priority } = point;
  const egress = point.direction === "egress";
  addon.clsactCreate(interfaceIndex, egress);
  addon.clsactReplace(interfaceIndex, egress, priority, CLSACT_HANDLE, program);
}

/** False: there is no such link, or it is one of an interface that has gone, which is then forgotten. */
function replaceLink(point: AttachPoint, program: Descriptor): boolean {
  const link = openLink(point.pin);
  if (link === undefined) return false;
  try {
    if (!isAt(point, link)) {
      unlinkSync(point.pin);
      return false;
    }
    attempt(`replace the program of ${point.pin}`, () => addon.bpfLinkUpdate(link, program));
    return true;
  } finally {
    addon.close(link);
  }
}

function createLink(point: AttachPoint, program: Descriptor): void {
  const link = addon.bpfLinkCreate(program, point.interfaceIndex, TCX[point.direction]);
  try {
    addon.bpfPin(link, point.pin);
  } finally {
    // Without its pin the link ends here.
    addon.close(link);
  }
}

function openLink(pin: string): Descriptor | undefined {
  if (!existsSync(pin)) return undefined;
  return attempt(`open the pinned link ${pin}`, () => addon.bpfOpenPinned(pin));
}

/** A link outlives its interface, with interface 0. Numbers of interfaces are not given out again soon. */
function isAt(point: AttachPoint, link: Descriptor): boolean {
  const { interface: index, type } = addon.bpfLinkInformation(link);
  return index === point.interfaceIndex && type === TCX[point.direction];
}

/** Whatever the method was. False when nothing was attached. */
export function detach(point: AttachPoint): boolean {
  const { interfaceIndex, priority } = point;
  const egress = point.direction === "egress";
  let detached = false;
  const link = openLink(point.pin);
  if (link !== undefined) {
    try {
      // Others may hold the link open.
      detached = isAt(point, link);
      if (detached) attempt(`detach ${point.pin}`, () => addon.bpfLinkDetach(link));
    } finally {
      addon.close(link);
    }
    unlinkSync(point.pin);
  }
  if (addon.clsactQuery(interfaceIndex, egress, priority, CLSACT_HANDLE) !== undefined) {
    attempt(`remove the filter of interface ${interfaceIndex}`, () =>
      addon.clsactDelete(interfaceIndex, egress, priority, CLSACT_HANDLE),
    );
    detached = true;
  }
  return detached;
}

/** Interface of a pinned tcx link; 0: it has gone. @throws SystemError ENOENT */
export function linkedInterface(pin: string): number {
  const link = attempt(`open the pinned link ${pin}`, () => addon.bpfOpenPinned(pin));
  try {
    return addon.bpfLinkInformation(link).interface;
  } finally {
    addon.close(link);
  }
}

export interface Attached {
  readonly method: AttachMethod;
  /** The kernel's number of the program. */
  readonly program: number;
}

/** What is attached there now; undefined: nothing, also when the interface has gone and its link with it. */
export function attached(point: AttachPoint): Attached | undefined {
  const link = openLink(point.pin);
  if (link !== undefined) {
    try {
      if (isAt(point, link)) return { method: "tcx", program: addon.bpfLinkInformation(link).program };
    } finally {
      addon.close(link);
    }
  }
  const program = addon.clsactQuery(point.interfaceIndex, point.direction === "egress", point.priority, CLSACT_HANDLE);
  return program === undefined ? undefined : { method: "clsact", program };
}

/** BPF_PROG_TYPE_SCHED_CLS. */
export const SCHEDULER_PROGRAM = 3;
/** `return TC_ACT_UNSPEC;`: the packet goes on as if there were no program. */
const PASS_PROGRAM = Uint8Array.of(0xb7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x95, 0, 0, 0, 0, 0, 0, 0);

/** A program that does nothing, for trying things out. To be closed. @throws SystemError */
export function loadPassProgram(): Descriptor {
  return attempt("load a BPF program", () => addon.bpfProgramLoad(SCHEDULER_PROGRAM, PASS_PROGRAM));
}

/** tcx where the kernel has it. @throws SystemError: no program can be loaded at all */
export function preferredMethod(): AttachMethod {
  const program = loadPassProgram();
  try {
    addon.close(addon.bpfLinkCreate(program, NO_INTERFACE, TCX.ingress));
    return "tcx";
  } catch (error) {
    // A kernel without tcx refuses the attach type before it looks for the interface.
    return error instanceof Error && "code" in error && error.code === "ENODEV" ? "tcx" : "clsact";
  } finally {
    addon.close(program);
  }
}

const NO_INTERFACE = 0x7fff_ffff;
