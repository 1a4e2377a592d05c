/** A thread that feeds a loaded data plane with packets, on whatever processor the kernel gives it. */

import { workerData } from "node:worker_threads";
import { testRun } from "../../src/sys/bpf-test-run.ts";
import { enterNamespace } from "../../src/sys/namespaces.ts";
import { drawFrom, MARK, randomFrame } from "./random-packets.ts";

export interface PacketWork {
  readonly namespace: string;
  readonly program: number;
  readonly interface: number;
  readonly hardware: Uint8Array;
  readonly seed: number;
  readonly packets: number;
  /** To draw from; missing: all kinds. */
  readonly frames?: readonly Uint8Array[] | undefined;
}

const work = workerData as PacketWork;
const draw = drawFrom(work.seed);
enterNamespace(work.namespace, "net");
for (let n = 0; n < work.packets; n++) {
  const packet = work.frames?.[draw(work.frames.length)] ?? randomFrame(draw);
  packet.set(work.hardware);
  testRun(work.program, { packet, interface: work.interface, mark: draw(6) === 0 ? MARK : 0 });
}
