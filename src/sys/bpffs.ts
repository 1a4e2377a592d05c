/**
 * A file system for pins, bpffs, at a place of our own: /sys/fs/bpf is hidden by every `ip netns exec` (l4.md §4 row 16).
 */

/**
 * Makes sure that a bpffs is mounted at `path`; where it can be reached by this process, which is `path` itself save in a
 * mount namespace that shares the folder with process 1's and will end before it (`ip netns exec`): there the mount is made in
 * process 1's namespace, so that it stays, and may have to be reached through /proc/1/root.
 * @throws SystemError EPERM: not root; ENODEV: a kernel without bpffs
 */
export function ensureBpffs(path: string): string {
  throw new Error(`not yet ${path}`);
}
