/**
 * What a process may do: users, groups, no_new_privs. credentials(7), prctl(2).
 */

import { readFileSync } from "node:fs";
import { addon, attempt } from "./addon.ts";

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

export interface User extends Identity {
  readonly name: string;
}

/**
 * Becomes this user for good: no supplementary groups, real, effective and saved identities all the same, and nothing that
 * is executed later can gain privileges.
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
