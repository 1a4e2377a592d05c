/**
 * Runs vrrp_script and notify commands as the user that the configuration names, without a shell.
 *
 * keepalived.conf(5): `script_user`; without one, `keepalived_script` if that user exists, else root. With
 * `enable_script_security` a command for root is refused when somebody else could have changed it: the message names the
 * path part, its owner and its mode.
 */

import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Duration } from "../../base/time.ts";
import type { ScriptCommand, ScriptUser, VrrpGlobal } from "../../config/model/vrrp.ts";
import { lookupGroup, lookupUser } from "../../sys/privileges.ts";
import { runCommand } from "../../sys/run-command.ts";
import type { ScriptOutcome } from "../../vrrp/messages.ts";

const DEFAULT_USER = "keepalived_script";
const WRITABLE_BY_OTHERS = 0o022;

export class ScriptRunner {
  global: VrrpGlobal;

  constructor(global: VrrpGlobal) {
    this.global = global;
  }

  async run(command: ScriptCommand, timeout: Duration): Promise<ScriptOutcome> {
    const who = identity(command.user ?? this.global.scriptUser);
    if ("error" in who) return { type: "error", message: who.error };
    const [program = ""] = command.argv;
    if (this.global.enableScriptSecurity && (who.uid ?? process.getuid?.()) === 0) {
      const unsafe = unsafePart(program);
      if (unsafe !== undefined) return { type: "error", message: unsafe };
    }
    return runCommand({ argv: command.argv, timeout, ...who });
  }
}

/** Whom to run as; empty when that is this process's own user. */
function identity(user: ScriptUser | undefined): { uid?: number; gid?: number } | { error: string } {
  if (process.getuid?.() !== 0) return {};
  const found = lookupUser(user?.user ?? DEFAULT_USER);
  if (found === undefined) return user === undefined ? {} : { error: `script user ${user.user} does not exist` };
  const gid = user?.group === undefined ? found.gid : lookupGroup(user.group);
  if (gid === undefined) return { error: `script group ${user?.group} does not exist` };
  return found.uid === 0 && gid === 0 ? {} : { uid: found.uid, gid };
}

/** Why a script must not run as root: the first part of its path that somebody other than root may change. */
export function unsafePart(program: string): string | undefined {
  let part: string;
  try {
    part = realpathSync(program);
  } catch {
    return undefined;
  }
  for (;;) {
    const status = statSync(part);
    const stickyFolder = status.isDirectory() && (status.mode & 0o1000) !== 0;
    if (status.uid !== 0 || ((status.mode & WRITABLE_BY_OTHERS) !== 0 && !stickyFolder)) {
      const mode = (status.mode & 0o7777).toString(8).padStart(4, "0");
      return `unsafe permissions for script ${program}: ${part} belongs to uid ${status.uid} with mode ${mode}; it must belong to root and be writable by root only`;
    }
    if (part === "/") return undefined;
    part = dirname(part);
  }
}
