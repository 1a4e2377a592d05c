/**
 * `startup_script` and `shutdown_script` (keepalived.conf(5)): run once, before the children start and after they have
 * ended. What fails or takes too long is logged, in keepalived 2.2.7's words, and nothing else comes of it.
 */

import { inSeconds } from "../../base/time.ts";
import type { VrrpGlobal } from "../../config/model/vrrp.ts";
import type { Log } from "../log/log.ts";
import { inWords } from "../scripts/outcome.ts";
import { ScriptRunner } from "../scripts/script-runner.ts";

export class OnceScripts {
  readonly #log: Log;
  #running: ScriptRunner | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  startup(global: VrrpGlobal | undefined): Promise<void> {
    return this.#run("startup", global);
  }

  shutdown(global: VrrpGlobal | undefined): Promise<void> {
    return this.#run("shutdown", global);
  }

  /** Asks the one that runs to end: whoever waits for it has no time for it any more. */
  end(): void {
    this.#running?.end();
  }

  async #run(which: "startup" | "shutdown", global: VrrpGlobal | undefined): Promise<void> {
    const timed = which === "startup" ? global?.startupScript : global?.shutdownScript;
    if (global === undefined || timed === undefined) return;
    const runner = new ScriptRunner(global);
    this.#running = runner;
    const outcome = await runner.run(timed.command, timed.timeout, { untilItEnds: true });
    if (outcome.type === "timeout")
      this.#log.write("warning", `${which} script timed out after ${inSeconds(timed.timeout)} s`);
    else if (outcome.type === "exited" && outcome.status !== 0)
      this.#log.write("warning", `${which} script script failed, status ${outcome.status}`);
    else if (outcome.type !== "exited") this.#log.write("warning", `${which} script failed: ${inWords(outcome)}`);
  }
}
