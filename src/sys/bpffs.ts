/**
 * A file system for pins, bpffs, at a place of our own: /sys/fs/bpf is hidden by every `ip netns exec` (l4.md §4 row 16).
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, readlinkSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { addon, attempt } from "./addon.ts";
import { endsWith } from "./mount-namespace.ts";

/** linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11;

/**
 * Makes sure that a bpffs is mounted at `path`; where it can be reached by this process, which is `path` itself save in a
 * mount namespace that shares the folder with process 1's and will end before it (`ip netns exec`): there the mount is made in
 * process 1's namespace, so that it stays, and may have to be reached through /proc/1/root.
 * Two that do this at once may mount two, so callers hold a lock.
 * @throws SystemError EPERM: not root; ENODEV: a kernel without bpffs; node's error when the folder cannot be made
 */
export function ensureBpffs(path: string): string {
  const found = findBpffs(path);
  if (found !== undefined) return found;
  mkdirSync(path, { recursive: true, mode: 0o755 });
  if (isTemporaryView(path)) {
    besideProcess1(`mount a bpffs at ${path}`, "mount", "-t", "bpf", "-o", "nosuid,nodev,noexec,mode=700", "bpf", path);
  } else {
    attempt(`mount a bpffs at ${path}`, () => addon.mount("bpf", path, "mode=700"));
  }
  const made = findBpffs(path);
  if (made === undefined) throw new Error(`the bpffs that was mounted at ${path} cannot be reached`);
  return made;
}

/** With whom a bpffs ends that `ensureBpffs` would mount here: processes, this one first. undefined: it is there, or stays. */
export function passingBpffs(path: string): readonly number[] | undefined {
  return findBpffs(path) !== undefined || isTemporaryView(path) ? undefined : endsWith(path);
}

/** Where the bpffs that belongs to `path` is reached; undefined when none is mounted there. */
export function findBpffs(path: string): string | undefined {
  if (isBpffs(path)) return path;
  const outside = join("/proc/1/root", path);
  return isTemporaryView(path) && isBpffs(outside) ? outside : undefined;
}

/** Takes it away, with everything that is pinned in it and that nobody else holds. False: there was none. */
export function removeBpffs(path: string): boolean {
  let removed = false;
  if (isTemporaryView(path) && isBpffs(join("/proc/1/root", path))) {
    besideProcess1(`unmount ${path}`, "umount", "-l", path);
    removed = true;
  }
  // The unmounting may have been propagated to here.
  if (isBpffs(path)) {
    attempt(`unmount ${path}`, () => addon.umount(path));
    removed = true;
  }
  return removed;
}

/** setns(2) would move this whole process; a command moves alone. */
function besideProcess1(tried: string, ...command: readonly string[]): void {
  const { status, error, stderr } = spawnSync(
    "nsenter",
    ["--mount=/proc/1/ns/mnt", "--root=/proc/1/root", ...command],
    {
      encoding: "utf8",
      timeout: 10_000,
    },
  );
  if (status !== 0) throw new Error(`cannot ${tried} beside process 1: ${error?.message ?? stderr.trim()}`);
}

function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC;
  } catch {
    return false;
  }
}

/**
 * Whether this mount namespace is another than process 1's and yet shows the same folder: then it is a short-lived view, as
 * `ip netns exec` makes it, and not a world of its own, as a node of a lab has it.
 */
function isTemporaryView(path: string): boolean {
  try {
    if (readlinkSync("/proc/self/ns/mnt") === readlinkSync("/proc/1/ns/mnt")) return false;
    // The path itself may be a mount point over there.
    for (let folder = join(path, ".."); ; folder = join(folder, "..")) {
      const here = statSync(folder, { throwIfNoEntry: false });
      if (here === undefined) continue;
      const there = statSync(join("/proc/1/root", folder), { throwIfNoEntry: false });
      return there !== undefined && there.dev === here.dev && there.ino === here.ino;
    }
  } catch {
    // /proc/1 may not be looked at: then it is none of ours.
    return false;
  }
}
