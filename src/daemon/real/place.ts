/** Where `evenkeel real` of this network namespace keeps its pins. */

import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureBpffs } from "../../sys/bpffs.ts";
import type { RealPlace } from "./agent.ts";

const object = fileURLToPath(new URL("../../../build/real.bpf.o", import.meta.url));

/** @throws SystemError EPERM: not root; ENODEV: a kernel without bpffs */
export function realPlace(): RealPlace {
  const run = process.env.EVENKEEL_RUN ?? "/run/evenkeel";
  const { ino } = statSync("/proc/self/ns/net");
  return { folder: join(ensureBpffs(join(run, "bpf")), String(ino), "real"), object };
}
