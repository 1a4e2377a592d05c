/**
 * Runs a program over a packet without a wire: BPF_PROG_TEST_RUN (Documentation/bpf/bpf_prog_run.rst of Linux). For tests.
 *
 * The kernel takes the packet's first 14 bytes for its Ethernet header, and gives the program what follows as it would come
 * from a device of this network namespace.
 */

import type { Descriptor } from "./addon.ts";

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

/** @throws SystemError */
export function testRun(program: Descriptor, run: TestRun): TestRunResult {
  throw new Error(`not yet ${program} ${run.packet.length}`);
}
