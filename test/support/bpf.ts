/** What tests that load programs into the kernel share. */

import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bpfProblem } from "../../src/sys/bpf-probe.ts";
import { ensureBpffs, removeBpffs } from "../../src/sys/bpffs.ts";

/** `test(name, needsBpf, …)`: skipped, with the reason in words, where BPF is not to be had (no root, an old kernel). */
export const needsBpf: { readonly skip: string | false } = { skip: bpfProblem() ?? false };

/** An object that `scripts/build-bpf` makes, or one of test/fixtures/bpf. */
export const bpfObject = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** A bpffs of its own; with it go the pins and what only they held. `using pins = new PinFolder()` */
export class PinFolder implements Disposable {
  readonly path: string;
  readonly #mount: string;

  constructor() {
    // Names with dots are refused within it; where it is mounted they are not.
    this.#mount = ensureBpffs(mkdtempSync(join(tmpdir(), "bpffs-")));
    this.path = join(this.#mount, "pins");
    mkdirSync(this.path);
  }

  [Symbol.dispose](): void {
    removeBpffs(this.#mount);
  }
}
