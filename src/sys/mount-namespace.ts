/**
 * With whom the mount namespace of this process ends, and with it whatever is mounted in it (mount_namespaces(7)): `ip netns
 * exec` makes one for each command. What /proc does not show is taken for nothing to worry about.
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * This process, and those of its ancestors that are in its mount namespace, when nobody else is in it and nothing else holds
 * it: a new mount below `folder` is gone when they have ended. undefined: it stays.
 */
export function endsWith(folder: string): readonly number[] | undefined {
  const namespace = namespaceOf("self");
  if (namespace === undefined || isShared(folder)) return undefined;
  const line: number[] = [];
  let outside: number | undefined = process.pid;
  while (outside !== undefined && namespaceOf(outside) === namespace) {
    line.push(outside);
    outside = parentOf(outside);
  }
  // Then it is the machine's, or the container's.
  if (process.pid !== 1 && line.includes(1)) return undefined;
  const inside = processes().filter((pid) => namespaceOf(pid) === namespace);
  if (inside.some((pid) => !line.includes(pid))) return undefined;
  // nsfs, as `unshare --mount=FILE` binds it.
  const isBound = outside !== undefined && (read(`/proc/${outside}/mountinfo`) ?? "").includes(` ${namespace} `);
  return isBound ? undefined : line;
}

const processes = (): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

function namespaceOf(pid: number | "self"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

/** proc(5): the name, in parentheses, may have any characters. */
function parentOf(pid: number): number | undefined {
  const parent = Number(/^.*\) \S (\d+) /s.exec(read(`/proc/${pid}/stat`) ?? "")?.[1] ?? 0);
  return parent > 0 ? parent : undefined;
}

/** A mount in it appears in other namespaces too. */
function isShared(folder: string): boolean {
  let best = { point: "", shared: false };
  for (const line of (read("/proc/self/mountinfo") ?? "").split("\n")) {
    const words = line.split(" ");
    const point = words[4];
    if (point === undefined || !(folder === point || `${folder}/`.startsWith(point === "/" ? "/" : `${point}/`)))
      continue;
    // The last of those on one point is on top.
    if (point.length >= best.point.length) best = { point, shared: words.some((word) => /^shared:\d+$/.test(word)) };
  }
  return best.shared;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
