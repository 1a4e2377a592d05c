/**
 * Everything that the real ipvsadm was given (test/fixtures/ipvsadm/), given to ours over tables in memory: standard output,
 * standard error and exit status to the byte. test/netns/ipvsadm.test.ts gives it to ours over the kernel.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { capturedSections, DIFFERENT, wordsOf } from "../../support/ipvsadm-captures.ts";
import { machine, type Outcome, playSection } from "../../support/ipvsadm-run.ts";

for (const section of capturedSections().filter(({ title }) => title !== DIFFERENT)) {
  test(`as ipvsadm: ${section.title}`, () => playSection(section, machine()));
}

test("what is answered differently is answered so on purpose", async () => {
  const { run } = machine();
  const section = capturedSections().find((one) => one.title === DIFFERENT);
  const answers: Record<string, Outcome> = {};
  for (const { command, stdin } of section?.cases ?? []) {
    if (command === "-L --owner" || stdin?.includes("\r")) assert.equal((await run(wordsOf(command), stdin)).exit, 0);
    else
      answers[`${command}${stdin === undefined ? "" : ` ${JSON.stringify(stdin)}`}`] = await run(
        wordsOf(command),
        stdin,
      );
  }
  const done = { exit: 0, stdout: "", stderr: "" };
  const refused = (exit: number, text: string) => ({ exit, stdout: "", stderr: `${text}\n` });
  const saved = ["10.0.0.51:http -s twos", ...[1, 2, 9].map((n) => `10.0.0.${n}:http -s wlc`)];
  assert.deepEqual(answers, {
    "-A -t 10.0.0.22:80 -p -M 255.255.0.255": refused(2, "illegal virtual server persistent mask specified"),
    "-A -t 10.0.0.23:80 -p -M 24": refused(2, "illegal virtual server persistent mask specified"),
    "-A --sctp-service 10.0.0.1:80": refused(255, "Protocol not supported"),
    "-A -t 10.0.0.51:80 -s twos": done,
    "-A -t 10.0.0.46:80 -s sh -b ,": refused(2, "invalid scheduler flag `,'"),
    '-R "# whole line\\n-A -t 10.0.0.1:80\\n"': done,
    '-R "# indented\\n-A -t 10.0.0.2:80\\n"': done,
    '-R "#-A -t 10.0.0.3:80\\n"': done,
    '-R "-A -t 10.0.0.1:80\\n# end\\n"': refused(255, "line 1: Service already exists"),
    "-S --nosort": { exit: 0, stdout: saved.map((one) => `-A -t ${one}\n`).join(""), stderr: "" },
    "-S --json": refused(2, "Illegal 'json' option with the 'save' command"),
  });
});
