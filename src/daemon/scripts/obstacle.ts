/**
 * What stands between a configuration and a script that runs: a user that does not exist, a file that is missing, of the wrong
 * type or not executable for that user, a path that somebody else may change (keepalived.conf(5) `enable_script_security`).
 *
 * The beginnings of the lines are keepalived 2.2.7's; after them come the part of the path that is meant, whose it is, its
 * mode, and the cure.
 */

import { accessSync, constants, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { ScriptCommand, ScriptUser } from "../../config/model/vrrp.ts";
import { type Identity, lookupGroup, lookupUser } from "../../sys/privileges.ts";

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

/** What is in the way of `command` now; undefined when it can be started. */
export function obstacle(command: ScriptCommand, global: ScriptRules): Obstacle | undefined {
  const who = identity(command, global);
  if ("message" in who) return { kind: "user", ...who };
  const program = programOf(command);
  let status: Stats;
  try {
    status = statSync(program);
  } catch (error) {
    return { kind: "missing", message: `Script ${program} cannot be accessed - ${whyMissing(program, error)}` };
  }
  // keepalived counts it among the insecure ones.
  if (!status.isFile()) {
    const message = `Wrong file type found in script path '${program}'${status.isDirectory() ? ": it is a directory" : ""}`;
    return { kind: "insecure", message };
  }
  const closed = closedPart(program, who);
  if (closed !== undefined) {
    const user = `uid:gid ${who.uid}:${who.gid}`;
    const cure = `chmod ${closed === program ? "" : "a"}+x ${closed}`;
    const message = `WARNING - script '${program}' is not executable for ${user} - disabling: ${owned(closed)}; cure: ${cure}`;
    return { kind: "not-executable", message };
  }
  if (!global.enableScriptSecurity || who.uid !== 0) return undefined;
  const insecure = unsafePart(program);
  return insecure === undefined ? undefined : { kind: "insecure", message: insecure };
}

function whyMissing(program: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== "ENOENT") return message;
  let part = program;
  while (part.includes("/") && dirname(part) !== part && !exists(dirname(part))) part = dirname(part);
  return part === program ? "No such file or directory" : `No such file or directory: there is no ${part}`;
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

/** Whom to run as. Only root can choose. */
export function identity(command: ScriptCommand, global: ScriptRules): Identity | { readonly message: string } {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  if (own.uid !== 0) return own;
  const user = command.user ?? global.scriptUser;
  const found = lookupUser(user?.user ?? DEFAULT_USER);
  if (found === undefined) {
    if (user === undefined && !global.enableScriptSecurity) return own;
    const cure = user === undefined ? `; cure: useradd -r ${DEFAULT_USER}, or name a user by script_user` : "";
    return { message: `Script user '${user?.user ?? DEFAULT_USER}' does not exist${cure}` };
  }
  const gid = user?.group === undefined ? found.gid : lookupGroup(user.group);
  if (gid === undefined) return { message: `Script group '${user?.group}' does not exist` };
  return { uid: found.uid, gid };
}

/** A name without a slash is looked for in PATH, as it is when it is started. */
export function programOf({ argv: [program = ""] }: ScriptCommand): string {
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

/** The script itself, or the folder on the way to it that does not let this user through. */
function closedPart(program: string, who: Identity): string | undefined {
  if (!mayExecute(statSync(program), who)) return program;
  if (who.uid === 0 || !program.startsWith("/")) return undefined;
  for (let part = dirname(realpathSync(program)); part !== "/"; part = dirname(part)) {
    if (!mayExecute(statSync(part), who)) return part;
  }
  return undefined;
}

/**
 * Why a script must not run as root: the first part of its path that somebody other than root may change. A path that is
 * not there is not unsafe; starting it will say so.
 */
export function unsafePart(program: string): string | undefined {
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
      const cure = `chown root:root ${part} && chmod go-w ${part}`;
      return `Unsafe permissions found for script '${program}' - disabling: ${owned(part)}, so that others than root may change what root runs; cure: ${cure}`;
    }
    if (part === "/") return undefined;
  }
}

/** `/srv/chk belongs to www-data (uid 33) with mode 0775`. */
function owned(part: string): string {
  const { uid, gid, mode } = statSync(part);
  const digits = (mode & 0o7777).toString(8).padStart(4, "0");
  const [user, group] = [nameIn("/etc/passwd", uid), nameIn("/etc/group", gid)];
  return `${part} belongs to ${user ?? "nobody known"} (uid ${uid}), group ${group ?? gid}, with mode ${digits}`;
}

function nameIn(file: string, id: number): string | undefined {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.map((line) => line.split(":")).find(([, , number]) => Number(number) === id)?.[0];
  } catch {
    return undefined;
  }
}
