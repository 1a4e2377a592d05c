/** Command lines that the real ipvsadm was given (test/fixtures/ipvsadm/): what it says about those it does not understand. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommandLine } from "../../../../src/config/ipvsadm/parse.ts";
import { capturedSections, DIFFERENT, namesOf, wordsOf } from "../../../support/ipvsadm-captures.ts";

/** By its words and status: the program refused it, not the kernel. */
const isMistakeOfGrammar = (exit: number, stderr: string): boolean =>
  exit === 2 || /^Try `|: (missing argument|unknown option|option does not take an argument)\n$/.test(stderr);

for (const { title, cases } of capturedSections().filter((one) => one.title !== DIFFERENT)) {
  test(`ipvsadm's grammar: ${title}`, () => {
    for (const { command, stdin, exit, stderr = "" } of cases) {
      if (stdin !== undefined) continue;
      const parsed = parseCommandLine(wordsOf(command), namesOf);
      const said = parsed.kind === "wrong" ? { exit: parsed.exit, stderr: parsed.text } : "understood";
      assert.deepEqual(said, isMistakeOfGrammar(exit, stderr) ? { exit, stderr } : "understood", command);
    }
  });
}
