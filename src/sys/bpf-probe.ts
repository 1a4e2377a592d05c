/**
 * What this kernel lets this process do with BPF, tried out and not guessed from its version. Leaves nothing behind.
 */

import { readFileSync } from "node:fs";
import { release } from "node:os";
import { addon, type Descriptor, SystemError } from "./addon.ts";
import { loadPassProgram, preferredMethod, SCHEDULER_PROGRAM } from "./bpf-attach.ts";

export type BpfFeatureName =
  /** The system call, and the right to load a program. */
  | "bpf"
  /** The library that loads objects. */
  | "libbpf"
  /** bpf_timer. */
  | "timer"
  | "redirect_neigh"
  /** bpf_loop. */
  | "loop"
  | "tcx"
  | "clsact"
  | "bpffs";

export interface BpfFeature {
  readonly name: BpfFeatureName;
  readonly present: boolean;
  /** Layer 4 cannot do without it. */
  readonly needed: boolean;
  /** For people: what is there, or what is missing and what it would take. */
  readonly says: string;
}

/** linux/bpf.h: BPF_FUNC_*, with what Linux brought them. */
const HELPERS = [
  { name: "timer", helper: 169, needed: true, words: "BPF timers", since: "5.15" },
  { name: "redirect_neigh", helper: 152, needed: true, words: "bpf_redirect_neigh", since: "5.10" },
  { name: "loop", helper: 181, needed: false, words: "bpf_loop", since: "5.17" },
] as const;

const LOOPBACK = 1;
/** Of the trial filter: nobody's. */
const TRIAL = { priority: 0xffff, handle: 0x454c } as const;

/** In the order in which one would look. What cannot be tried, for want of another, is absent for that reason. */
export function probeBpf(): readonly BpfFeature[] {
  const linux = `Linux ${release().split("-")[0]}`;
  const bpffs = probeBpffs(linux);
  let program: Descriptor;
  try {
    program = loadPassProgram();
  } catch (error) {
    return [{ name: "bpf", present: false, needed: true, says: whyNoBpf(error, linux) }, bpffs];
  }
  try {
    const bpf = { name: "bpf", present: true, needed: true, says: "BPF programs can be loaded" } as const;
    let clsact: BpfFeature;
    let helpers: BpfFeature[];
    try {
      helpers = judgeHelpers(linux, (helper) => addon.bpfProbeHelper(SCHEDULER_PROGRAM, helper));
      clsact = probeClsact(program);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOLIBBPF")) throw error;
      const says = "libbpf.so.1 is missing; apt install libbpf1";
      return [bpf, { name: "libbpf", present: false, needed: true, says }, bpffs];
    }
    const libbpf = { name: "libbpf", present: true, needed: true, says: "libbpf is there" } as const;
    const hasTcx = preferredMethod() === "tcx";
    const tcx: BpfFeature = {
      name: "tcx",
      present: hasTcx,
      needed: false,
      says: hasTcx ? `${linux} has tcx` : `${linux} has no tcx, which came with 6.6; clsact is used`,
    };
    return [bpf, libbpf, ...helpers, tcx, { ...clsact, needed: !hasTcx }, bpffs];
  } finally {
    addon.close(program);
  }
}

/** @param linux with its release, for people. @param has the helper with this number */
export function judgeHelpers(linux: string, has: (helper: number) => boolean): BpfFeature[] {
  return HELPERS.map(({ name, helper, needed, words, since }) => {
    const present = has(helper);
    const lack = `${linux} has no ${words}; ${needed ? `layer 4 needs Linux ${since} or later` : `Linux ${since} has`}`;
    return { name, present, needed, says: present ? `${linux} has ${words}` : lack };
  });
}

/** Why layer 4 cannot work here, in one sentence; undefined when it can. */
export function bpfProblem(features: readonly BpfFeature[] = probeBpf()): string | undefined {
  return features.find(({ present, needed }) => needed && !present)?.says;
}

/** EPERM is also what root of a user namespace hears; ENOSYS a kernel without, or a sandbox that hides it. */
function whyNoBpf(error: unknown, linux: string): string {
  if (!(error instanceof SystemError)) throw error;
  if (error.code === "ENOSYS") return `${linux} here has no BPF (CONFIG_BPF_SYSCALL), or a sandbox hides it`;
  if (error.code !== "EPERM") return `BPF programs cannot be loaded: ${error.message}`;
  if (process.getuid?.() !== 0) return "BPF needs root (CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)";
  return isInitialUserNamespace()
    ? "the kernel refuses BPF to this process: CAP_BPF and CAP_NET_ADMIN are missing, or a sandbox forbids it"
    : "the kernel refuses BPF to the root of a user namespace or of an unprivileged container; it takes the machine's root";
}

function isInitialUserNamespace(): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
}

/** A filter that lets everything pass, for a moment, on the loopback interface. */
function probeClsact(program: Descriptor): BpfFeature {
  let made = false;
  try {
    made = addon.clsactCreate(LOOPBACK, true);
    addon.clsactReplace(LOOPBACK, true, TRIAL.priority, TRIAL.handle, program);
    addon.clsactDelete(LOOPBACK, true, TRIAL.priority, TRIAL.handle);
    return { name: "clsact", present: true, needed: true, says: "clsact takes BPF filters" };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "ENOLIBBPF") throw error;
    const says =
      code === "EPERM"
        ? "filters may not be set in this network namespace: CAP_NET_ADMIN is missing"
        : `the kernel has no clsact with BPF filters (CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF): ${code}`;
    return { name: "clsact", present: false, needed: true, says };
  } finally {
    if (made) addon.clsactDestroy(LOOPBACK, true);
  }
}

function probeBpffs(linux: string): BpfFeature {
  const present = /\tbpf$/m.test(readFileSync("/proc/filesystems", "utf8"));
  const says = present ? `${linux} has bpffs` : `${linux} has no bpffs (CONFIG_BPF_SYSCALL)`;
  return { name: "bpffs", present, needed: true, says };
}
