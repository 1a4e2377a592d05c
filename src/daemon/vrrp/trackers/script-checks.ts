/**
 * Runs `vrrp_script`s, never two of one name at once: a run that timed out has failed, but until it has ended (SIGTERM, two
 * seconds later SIGKILL) the next one waits.
 */

import type { Duration } from "../../../base/time.ts";
import type { ScriptCommand } from "../../../config/model/vrrp.ts";
import type { ScriptOutcome } from "../../../vrrp/messages.ts";
import type { ScriptRunner } from "../../scripts/script-runner.ts";

export class ScriptChecks {
  readonly #runner: Pick<ScriptRunner, "run">;
  readonly #running = new Map<string, Promise<void>>();

  constructor(runner: Pick<ScriptRunner, "run">) {
    this.#runner = runner;
  }

  async run(name: string, command: ScriptCommand, timeout: Duration): Promise<ScriptOutcome> {
    const before = this.#running.get(name);
    let ended = (): void => undefined;
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    this.#running.set(name, end);
    await before;
    return this.#runner.run(command, timeout, { ended });
  }
}
