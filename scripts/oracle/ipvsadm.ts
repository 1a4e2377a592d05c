/**
 * Gives the command lines of test/fixtures/ipvsadm/commands.json to the real ipvsadm and compares, or writes down, what it
 * answers. Root, on a kernel with ip_vs, in a world of its own: it changes /etc/hosts and the tables.
 *
 *   node scripts/oracle/ipvsadm.ts [--write]
 */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  blocksSorted,
  type CapturedCase,
  capturedHosts,
  capturedSections,
  wordsOf,
} from "../../test/support/ipvsadm-captures.ts";

const FIXTURE = new URL("../../test/fixtures/ipvsadm/commands.json", import.meta.url);

/** Names come from a file alone: no name server is asked. */
function knowOnlyOurHosts(): void {
  const folder = mkdtempSync(join(tmpdir(), "hosts-"));
  const lines = Object.entries(capturedHosts()).map(([name, address]) => `${address} ${name}\n`);
  writeFileSync(join(folder, "hosts"), lines.join(""));
  writeFileSync(join(folder, "resolv.conf"), "");
  for (const name of ["hosts", "resolv.conf"]) execFileSync("mount", ["--bind", join(folder, name), `/etc/${name}`]);
}

const ipvsadm = (words: readonly string[], input = "") =>
  spawnSync("ipvsadm", words, { encoding: "utf8", input, timeout: 20_000 });

function play({ command, stdin }: CapturedCase): CapturedCase {
  const { status, signal, stdout, stderr } = ipvsadm(wordsOf(command), stdin);
  // The text of the help is ipvsadm's own; that it comes is what counts.
  const text = stdout.includes("Usage:") ? `${stdout.split("\n")[0]}\n…\n` : stdout;
  return {
    command,
    ...(stdin === undefined ? {} : { stdin }),
    exit: status ?? (signal === "SIGSEGV" ? 139 : 255),
    ...(text === "" ? {} : { stdout: text }),
    ...(stderr === "" ? {} : { stderr }),
  };
}

/** IPVS lists services in the order of a hash, so `--nosort` may differ. */
const ordered = (one: CapturedCase): CapturedCase =>
  one.command.includes("--nosort") ? { ...one, stdout: blocksSorted(one.stdout ?? "") } : one;

const indented = (indent: string, values: readonly string[]): string => values.map((one) => indent + one).join(",\n");

knowOnlyOurHosts();
let different = 0;
const sections = capturedSections().map(({ title, cases }) => {
  ipvsadm(["-C"]);
  ipvsadm(["--set", "900", "120", "300"]);
  ipvsadm(["--stop-daemon", "master"]);
  const played = cases.map((one) => {
    const answer = play(one);
    if (!isDeepStrictEqual(ordered(answer), ordered(one))) {
      different++;
      process.stdout.write(`${title}\n- ${JSON.stringify(one)}\n+ ${JSON.stringify(answer)}\n`);
    }
    return JSON.stringify(answer);
  });
  const text = indented("        ", played);
  return `    {\n      "title": ${JSON.stringify(title)},\n      "cases": [\n${text}\n      ]\n    }`;
});
ipvsadm(["-C"]);
if (process.argv.includes("--write")) {
  const head = { ipvsadm: "1.31", kernel: release(), hosts: capturedHosts() };
  const fields = Object.entries(head).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  writeFileSync(FIXTURE, `{\n${indented("  ", fields)},\n  "sections": [\n${sections.join(",\n")}\n  ]\n}\n`);
}
process.stdout.write(`${different} answers are different\n`);
process.exitCode = different === 0 ? 0 : 1;
