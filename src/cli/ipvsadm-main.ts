/**
 * Entry for `ipvsadm`, `ipvsadm-save` and `ipvsadm-restore`, called by those names or as `evenkeel ipvsadm`. Loads
 * little, because scripts call it often: the data plane only when there is something to ask of it.
 */

import type { OpenedPlane } from "../daemon/plane/open.ts";
import { ipvsadm, ipvsadmRestore, ipvsadmSave, type Surroundings } from "./ipvsadm.ts";
import { systemResolver } from "./ipvsadm-names.ts";

/** As a shell shows a program that SIGPIPE ended. */
const BROKEN_PIPE = 141;

/** Leaves the exit status in the process. */
export async function main(name: string, words: readonly string[]): Promise<void> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(BROKEN_PIPE);
  });
  let opened: OpenedPlane | undefined;
  const surroundings: Surroundings = {
    paper: {
      out: (text) => void process.stdout.write(text),
      err: (text) => void process.stderr.write(text),
      terminal: process.stdout.isTTY === true,
    },
    resolver: systemResolver(),
    input: readInput,
    explain: process.stderr.isTTY === true,
    plane: async () => {
      const { openPlane, PlaneUnavailable } = await import("../daemon/plane/open.ts");
      const { SystemError } = await import("../sys/addon.ts");
      const { BpfLoadError } = await import("../sys/bpf.ts");
      try {
        opened ??= openPlane({ role: "command", say: (text) => process.stderr.write(`${text}\n`) });
        return opened;
      } catch (error) {
        if (error instanceof PlaneUnavailable && error.reason === "permission" && process.getuid?.() !== 0)
          return "Permission denied (you must be root)";
        const expected = [PlaneUnavailable, SystemError, BpfLoadError].some((kind) => error instanceof kind);
        if (!expected || !(error instanceof Error)) throw error;
        return error.message;
      }
    },
  };
  try {
    process.exitCode = await run(name, words, surroundings);
  } finally {
    opened?.close();
  }
}

function run(name: string, words: readonly string[], surroundings: Surroundings): Promise<number> {
  if (name === "ipvsadm-save") return ipvsadmSave(words, surroundings);
  if (name === "ipvsadm-restore") return ipvsadmRestore(surroundings);
  return ipvsadm(words, surroundings);
}

async function readInput(): Promise<string> {
  process.stdin.setEncoding("utf8");
  let text = "";
  for await (const piece of process.stdin) text += piece;
  return text;
}

if (import.meta.main) {
  const [name = "ipvsadm", ...words] = process.argv.slice(2);
  await main(name, words);
}
