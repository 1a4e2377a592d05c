/**
 * Runs check scripts and notify commands as the user that the configuration names, without a shell.
 *
 * keepalived.conf(5): `script_user`; without one, `keepalived_script` if that user exists, else root. With
 * `enable_script_security` nobody is root by default, and a command for root is refused when somebody else could have
 * changed it: the message names the path part, its owner and its mode.
 */

import type { Duration } from "../../base/time.ts";
import type { ScriptCommand } from "../../config/model/vrrp.ts";
import type { Identity } from "../../sys/privileges.ts";
import { runCommand } from "../../sys/run-command.ts";
import type { ScriptOutcome } from "../../vrrp/messages.ts";
import { identity, programOf, type ScriptRules, unsafePart } from "./obstacle.ts";

export class ScriptRunner {
  global: ScriptRules;
  readonly #stop = new AbortController();

  constructor(global: ScriptRules) {
    this.global = global;
  }

  /** `untilItEnds`: the answer comes when the script is gone, also after its time-out. `stop` ends this one. */
  async run(
    command: ScriptCommand,
    timeout: Duration | undefined,
    options: { readonly untilItEnds?: boolean; readonly stop?: AbortSignal; readonly ended?: () => void } = {},
  ): Promise<ScriptOutcome> {
    const { untilItEnds = false, stop, ended } = options;
    const who = identity(command, this.global);
    const refused = "message" in who ? who.message : this.#insecurity(command, who);
    if ("message" in who || refused !== undefined) {
      ended?.();
      return { type: "error", message: refused ?? "" };
    }
    const own = who.uid === process.getuid?.() && who.gid === process.getgid?.();
    const ends = stop === undefined ? this.#stop.signal : AbortSignal.any([this.#stop.signal, stop]);
    return runCommand({ argv: command.argv, timeout, untilItEnds, ended, stop: ends, ...(own ? {} : who) });
  }

  #insecurity(command: ScriptCommand, who: Identity): string | undefined {
    return this.global.enableScriptSecurity && who.uid === 0 ? unsafePart(programOf(command)) : undefined;
  }

  /** Whom commands without a user run as, and who owns what is made for them. */
  get defaultIdentity(): Identity | { readonly message: string } {
    return identity({ argv: [], user: undefined }, this.global);
  }

  /** Nothing is started any more. */
  get ended(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Asks everything that runs to end (SIGTERM); nothing is started any more. */
  end(): void {
    this.#stop.abort();
  }
}
