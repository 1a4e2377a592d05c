/** Where `evenkeel real` of this network namespace keeps its pins: beside those of the balancer's data plane. */

import { existsSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
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
export function alone<T>(change: () => T): T {
  mkdirSync(runFolder(), { recursive: true, mode: 0o755 });
  const lock = lockFile(join(runFolder(), "real.lock"));
  try {
    return change();
  } finally {
    lock[Symbol.dispose]();
  }
}

/** All of them, also those of interfaces that have gone. */
export function removePins({ folder }: RealPlace): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) unlinkSync(join(folder, name));
  rmdirSync(folder);
  // The network namespace's own folder, unless the balancer's data plane is in it.
  if (readdirSync(dirname(folder)).length === 0) rmdirSync(dirname(folder));
}
