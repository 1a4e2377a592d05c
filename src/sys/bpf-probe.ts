/**
 * What this kernel lets this process do with BPF, tried out and not guessed from its version. Leaves nothing behind.
 */

export type BpfFeatureName =
  | "bpf" // the system call, and the right to load a program of this kind
  | "btf" // type information for maps: Linux 4.18
  | "timer" // bpf_timer: 5.15
  | "loop" // bpf_loop: 5.17
  | "redirect_neigh" // 5.10
  | "clsact"
  | "tcx" // 6.6
  | "bpffs";

export interface BpfFeature {
  readonly name: BpfFeatureName;
  readonly present: boolean;
  /** Layer 4 cannot do without it. */
  readonly needed: boolean;
  /** For people: what is there, or what is missing and what it would take. */
  readonly says: string;
}

/** In the order in which one would look. */
export function probeBpf(): readonly BpfFeature[] {
  throw new Error("not yet");
}

/** Why layer 4 cannot work here, in one sentence; undefined when it can. */
export function bpfProblem(features: readonly BpfFeature[] = probeBpf()): string | undefined {
  throw new Error(`not yet ${features.length}`);
}
