/**
 * Runs a program over a packet without a wire: BPF_PROG_TEST_RUN (Documentation/bpf/bpf_prog_run.rst of Linux). For tests,
 * and for programs that nothing but user space runs.
 *
 * The kernel takes the packet's first 14 bytes for its Ethernet header, and gives the program what follows as it would come
 * from a device of this network namespace.
 */

import { addon, attempt, type Descriptor } from "./addon.ts";

export interface TestRun {
  /** Ethernet frame, 14 bytes at least. */
  readonly packet: Uint8Array;
  /** `skb->ingress_ifindex`; 0 when missing. */
  readonly ingressInterface?: number | undefined;
  /** `skb->ifindex`; the loopback interface when missing. */
  readonly interface?: number | undefined;
  readonly mark?: number | undefined;
  /** Bytes of payload a segment, for a packet that stands for several; `gsoSegments` with it. */
  readonly gsoSize?: number | undefined;
  readonly gsoSegments?: number | undefined;
  /** 20 bytes of `skb->cb`. */
  readonly cb?: Uint8Array | undefined;
  /** How often it runs over the same packet, changes and all; once when missing. */
  readonly repeat?: number | undefined;
}

export interface TestRunResult {
  /** What the program returned. */
  readonly verdict: number;
  /** As the program left it. */
  readonly packet: Uint8Array;
  readonly mark: number;
  readonly cb: Uint8Array;
  /** Of one run, on average. */
  readonly nanoseconds: number;
}

/** linux/bpf.h: struct __sk_buff, which only grows at the end. */
const CONTEXT_BYTES = 184;
const AT = { mark: 8, ingressInterface: 36, interface: 40, cb: 48, gsoSegments: 164, gsoSize: 176 } as const;
const CB_BYTES = 20;

/** @throws SystemError EINVAL: too short a packet, no such interface */
export function testRun(program: Descriptor, run: TestRun): TestRunResult {
  const given = new Uint8Array(CONTEXT_BYTES);
  const view = new DataView(given.buffer);
  view.setUint32(AT.mark, run.mark ?? 0, true);
  view.setUint32(AT.ingressInterface, run.ingressInterface ?? 0, true);
  view.setUint32(AT.interface, run.interface ?? 0, true);
  view.setUint32(AT.gsoSegments, run.gsoSegments ?? 0, true);
  view.setUint32(AT.gsoSize, run.gsoSize ?? 0, true);
  given.set((run.cb ?? new Uint8Array()).subarray(0, CB_BYTES), AT.cb);
  const { verdict, nanoseconds, packet, context } = attempt("run a BPF program", () =>
    addon.bpfTestRun(program, run.packet, given, run.repeat ?? 1),
  );
  const after = new DataView(context.buffer, context.byteOffset, context.byteLength);
  return {
    verdict,
    nanoseconds,
    packet,
    mark: after.getUint32(AT.mark, true),
    cb: context.slice(AT.cb, AT.cb + CB_BYTES),
  };
}

export interface LiveRun {
  /** What the XDP program gets to work on; memory comes round again as the stack left it. */
  readonly frame: Uint8Array;
  /** Where the frames seem to have come in. */
  readonly interfaceIndex: number;
  /** Number of frames. */
  readonly frames: number;
  /** Frames that the stack gets at once, 1 to 256; a driver's poll has 64. */
  readonly batch: number;
}

/**
 * Runs an XDP program over frames that, where it passes them, go into the stack: a source of packets inside the kernel, for
 * benches. Returns when all have been sent.
 * @throws SystemError EINVAL: before Linux 5.18
 */
export function runLive(program: Descriptor, { frame, interfaceIndex, frames, batch }: LiveRun): void {
  attempt("send frames by a BPF program", () => addon.bpfRunLive(program, frame, interfaceIndex, frames, batch));
}
