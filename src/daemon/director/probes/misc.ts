/** MISC_CHECK: a command's exit status. 0 is up and 1 down; with `misc_dynamic` 2..255 are up with that weight less 2. */

import type { MiscCheck } from "../../../config/model/virtual-server.ts";
import type { ScriptRunner } from "../../scripts/script-runner.ts";
import { type Abort, begin, type Report } from "./attempt.ts";

/** A command that is given up is left to its own time limit; a reload may give up many, and none of them is harmful. */
export function probeMisc(check: MiscCheck, scripts: ScriptRunner, report: Report): Abort {
  return begin(report, async (attempt) => {
    const outcome = await scripts.run(check.command, check.timeout);
    switch (outcome.type) {
      case "exited": {
        const { status } = outcome;
        const detail = `exited with status ${status}`;
        if (status === 0) attempt.pass(detail);
        else if (check.dynamic && status >= 2) attempt.pass(detail, status - 2);
        else attempt.fail(detail);
        break;
      }
      case "signal":
        attempt.fail(`due to signal ${outcome.signal}`);
        break;
      case "timeout":
        attempt.fail("timed out");
        break;
      case "error":
        attempt.fail(outcome.message);
        break;
      default:
        outcome satisfies never;
    }
  });
}
