/**
 * Asks Debian's keepalived the cases of test/conformance/vrrp, in network namespaces: it must do as they say but where a
 * remark says that it does not. `npm run conformance:keepalived`; words choose the cases whose titles contain them.
 */

import { runForReal } from "../../test/support/vrrp-case-real.ts";
import { differences, visible } from "../../test/support/vrrp-case-seen.ts";
import { type Case, readCases } from "../../test/support/vrrp-cases.ts";

const AT_ONCE = 12;
const RUNS = 4;
/** Milliseconds; it counts its timers from a moment before it says that it has started. */
const EARLY = 250;
const LATE = 3_000;
const MARGIN = 200;

const words = process.argv.slice(2);
const cases = readCases(new URL("../../test/conformance/vrrp/", import.meta.url)).filter(
  ({ simulatedOnly, title }) =>
    simulatedOnly === undefined && (words.length === 0 || words.some((word) => title.includes(word))),
);

/** What it does otherwise, in the end; a run in which this process was late counts only when it is as expected. */
async function ask(one: Case): Promise<string[]> {
  for (let run = 1; ; run++) {
    const { happened, late } = await runForReal(one, "keepalived", LATE);
    const found = differences(visible(one), happened, { early: EARLY + late, late: LATE, apart: 300 });
    const settled = late <= MARGIN || (found.length === 0 && one.keepalived === undefined);
    if (settled || run === RUNS) return found;
  }
}

let [agree, known, wrong] = [0, 0, 0];
const queue = [...cases];
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const found = await ask(one);
      const name = `${one.file}: ${one.title}`;
      if (found.length === 0 && one.keepalived === undefined) agree += 1;
      else if (found.length > 0 && one.keepalived !== undefined) {
        known += 1;
        console.log(`differs   ${name}\n          ${one.keepalived}`);
      } else {
        wrong += 1;
        const why = one.keepalived === undefined ? found.join("\n          ") : `agrees, though: ${one.keepalived}`;
        console.log(`UNEXPECTED ${name}\n          ${why}`);
      }
    }
  }),
);
console.log(`${agree} cases agree, ${known} differ as they say, ${wrong} are not as they say`);
process.exitCode = wrong === 0 ? 0 : 1;
