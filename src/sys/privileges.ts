/**
 * What a process may do and how it is scheduled: users and groups, no_new_privs, its parent's death, real-time priority.
 * credentials(7), prctl(2), sched(7).
 */

import { readFileSync } from "node:fs";
import { addon, attempt, constants } from "./addon.ts";

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

export interface User extends Identity {
  readonly name: string;
}

/**
 * Becomes this user for good: no supplementary groups, real, effective and saved identities all the same, and nothing that
 * is executed later can gain privileges. The kernel forgets `dieWithParent` here: call that afterwards.
 * @throws SystemError EPERM
 */
export function dropTo(identity: Identity): void {
  const { uid, gid } = identity;
  attempt(`become user ${uid} and group ${gid}`, () => {
    addon.setgroups([]);
    addon.setresgid(gid, gid, gid);
    addon.setresuid(uid, uid, uid);
    addon.setNoNewPrivileges();
  });
}

/**
 * A user of /etc/passwd by name, else by number; a number that nobody has is its own group, as in `chown`.
 * Undefined when there is no such user.
 */
export function lookupUser(name: string, passwd = "/etc/passwd"): User | undefined {
  const users = readRows(passwd).map(([login = "", , uid = "", gid = ""]) => ({ login, uid, gid }));
  const found = users.find(({ login }) => login === name) ?? users.find(({ uid }) => uid === name);
  if (found !== undefined) return { name: found.login, uid: Number(found.uid), gid: Number(found.gid) };
  return isId(name) ? { name, uid: Number(name), gid: Number(name) } : undefined;
}

/** The number of a group of /etc/group, or the number itself. Undefined when there is no such group. */
export function lookupGroup(name: string, group = "/etc/group"): number | undefined {
  const found = readRows(group).find(([title]) => title === name);
  if (found !== undefined) return Number(found[2]);
  return isId(name) ? Number(name) : undefined;
}

/** Rows of at least three fields with a number in the third; a missing file has none. */
function readRows(path: string): string[][] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  return text
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => isId(fields[2] ?? ""));
}

/** 4294967295 is −1: "leave as it is" to setresuid(2), nobody's number. */
const isId = (text: string): boolean => /^[0-9]{1,10}$/.test(text) && Number(text) < 0xffff_ffff;

/**
 * The kernel sends this process the signal when its parent dies. A parent that died before the call is not noticed: compare
 * `process.ppid` afterwards.
 */
export function dieWithParent(signal: number): void {
  attempt("ask for a signal when the parent dies", () => addon.setParentDeathSignal(signal));
}

/**
 * Real-time round robin for this thread, 1..99; what it starts runs normally.
 * @throws SystemError EPERM without CAP_SYS_NICE
 */
export function runInRealTime(priority: number): void {
  const policy = constants.SCHED_RR | constants.SCHED_RESET_ON_FORK;
  attempt(`run with real-time priority ${priority}`, () => addon.setScheduler(0, policy, priority));
}
