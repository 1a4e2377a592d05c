/** Where `evenkeel real` of this network namespace keeps its pins: beside those of the balancer's data plane. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureBpffs, findBpffs } from "../../sys/bpffs.ts";
import { lockFile } from "../../sys/lock-file.ts";
import { networkNamespaceCookie } from "../../sys/namespaces.ts";

/** A folder of a bpffs, which need not be there yet, and the compiled programs. */
export interface RealPlace {
  readonly folder: string;
  readonly object: string;
}

const object = fileURLToPath(new URL("../../../build/real.bpf.o", import.meta.url));
const runFolder = (): string => process.env.EVENKEEL_RUN ?? "/run/evenkeel";
const inBpffs = (mountPoint: string): RealPlace => ({
  folder: join(mountPoint, String(networkNamespaceCookie()), "real"),
  object,
});

/** With a bpffs. @throws SystemError EPERM: not root; ENODEV: a kernel without bpffs */
export const makeRealPlace = (): RealPlace => inBpffs(ensureBpffs(join(runFolder(), "bpf")));

/** As it is: where nothing was ever set up there need not even be a bpffs. */
export function findRealPlace(): RealPlace {
  const path = join(runFolder(), "bpf");
  return inBpffs(findBpffs(path) ?? path);
}

/** One change at a time on this machine. @throws node's error: not root */
export function lockReal(): Disposable {
  mkdirSync(runFolder(), { recursive: true, mode: 0o755 });
  return lockFile(join(runFolder(), "real.lock"));
}
