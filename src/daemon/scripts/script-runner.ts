/**
 * Runs check scripts and notify commands as the user that the configuration names, without a shell.
 *
 * keepalived.conf(5): `script_user`; without one, `keepalived_script` if that user exists, else root. With
 * `enable_script_security` nobody is root by default, and a command for root is refused when somebody else could have
 * changed it: the message names the path part, its owner and its mode.
 */

import { accessSync, constants, realpathSync, type Stats, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { Duration } from "../../base/time.ts";
import type { ScriptCommand, ScriptUser } from "../../config/model/vrrp.ts";
import { type Identity, lookupGroup, lookupUser } from "../../sys/privileges.ts";
import { runCommand } from "../../sys/run-command.ts";
import type { ScriptOutcome } from "../../vrrp/messages.ts";

const DEFAULT_USER = "keepalived_script";
const WRITABLE_BY_OTHERS = 0o022;

/** What global_defs say of all scripts. */
export interface ScriptRules {
  readonly enableScriptSecurity: boolean;
  readonly scriptUser: ScriptUser | undefined;
}

/** Why a command cannot be run. */
export interface Obstacle {
  readonly kind: "user" | "missing" | "not-executable" | "insecure";
  readonly message: string;
}

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

/** What is in the way of `command` now; undefined when it can be started. */
export function obstacle(command: ScriptCommand, global: ScriptRules): Obstacle | undefined {
  const who = identity(command, global);
  if ("message" in who) return { kind: "user", ...who };
  const program = programOf(command);
  let status: Stats;
  try {
    status = statSync(program);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "No such file or directory" : message;
    return { kind: "missing", message: `Script ${program} cannot be accessed - ${why}` };
  }
  if (!status.isFile() || !mayExecute(status, who)) {
    const message = `WARNING - script '${program}' is not executable for uid:gid ${who.uid}:${who.gid} - disabling.`;
    return { kind: "not-executable", message };
  }
  if (!global.enableScriptSecurity || who.uid !== 0) return undefined;
  const insecure = unsafePart(program);
  return insecure === undefined ? undefined : { kind: "insecure", message: insecure };
}

/** Whom to run as. Only root can choose. */
function identity(command: ScriptCommand, global: ScriptRules): Identity | { readonly message: string } {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  if (own.uid !== 0) return own;
  const user = command.user ?? global.scriptUser;
  const found = lookupUser(user?.user ?? DEFAULT_USER);
  if (found === undefined) {
    if (user === undefined && !global.enableScriptSecurity) return own;
    return { message: `Script user '${user?.user ?? DEFAULT_USER}' does not exist` };
  }
  const gid = user?.group === undefined ? found.gid : lookupGroup(user.group);
  if (gid === undefined) return { message: `Script group '${user?.group}' does not exist` };
  return { uid: found.uid, gid };
}

/** A name without a slash is looked for in PATH, as it is when it is started. */
function programOf({ argv: [program = ""] }: ScriptCommand): string {
  if (program.includes("/")) return program;
  const candidates = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, program));
  return candidates.find(isExecutable) ?? program;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** access(2) for somebody else, who has no other groups. */
function mayExecute({ mode, uid, gid }: Stats, who: Identity): boolean {
  if (who.uid === 0) return (mode & 0o111) !== 0;
  if (who.uid === uid) return (mode & 0o100) !== 0;
  return (mode & (who.gid === gid ? 0o010 : 0o001)) !== 0;
}

/**
 * Why a script must not run as root: the first part of its path that somebody other than root may change. A path that is
 * not there is not unsafe; starting it will say so.
 */
function unsafePart(program: string): string | undefined {
  try {
    return firstUnsafe(program, realpathSync(program));
  } catch {
    return undefined;
  }
}

function firstUnsafe(program: string, path: string): string | undefined {
  for (let part = path; ; part = dirname(part)) {
    const status = statSync(part);
    const stickyFolder = status.isDirectory() && (status.mode & 0o1000) !== 0;
    if (status.uid !== 0 || ((status.mode & WRITABLE_BY_OTHERS) !== 0 && !stickyFolder)) {
      const mode = (status.mode & 0o7777).toString(8).padStart(4, "0");
      const culprit = `${part} belongs to uid ${status.uid} with mode ${mode}`;
      return `Unsafe permissions found for script '${program}' - disabling: ${culprit}; it must belong to root and be writable by root only`;
    }
    if (part === "/") return undefined;
  }
}
