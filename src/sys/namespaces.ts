/** Entering namespaces, namespaces(7), setns(2). Concerns the calling thread and what it starts. */

import { closeSync, openSync } from "node:fs";
import { addon, attempt, constants } from "./addon.ts";

export type NamespaceKind = "net" | "mnt" | "uts";

const cloneFlag = (kind: NamespaceKind): number => {
  switch (kind) {
    case "net":
      return constants.CLONE_NEWNET;
    case "mnt":
      return constants.CLONE_NEWNS;
    case "uts":
      return constants.CLONE_NEWUTS;
    default:
      return kind satisfies never;
  }
};

/**
 * Enters the namespace that a file stands for (`/run/netns/NAME`, `/proc/PID/ns/net`). Sockets opened before stay where they
 * were. Node's worker threads are not moved: files read asynchronously still come from the old mount namespace.
 * @throws SystemError EPERM, EINVAL (another kind of namespace); node's error when the file cannot be opened
 */
export function enterNamespace(path: string, kind: NamespaceKind): void {
  const fd = openSync(path, "r");
  try {
    attempt(`enter the ${kind} namespace ${path}`, () => {
      // setns(2): a thread that shares its root and working directory with others may not change its mounts.
      if (kind === "mnt") addon.unshare(constants.CLONE_FS);
      addon.setns(fd, cloneFlag(kind));
    });
  } finally {
    closeSync(fd);
  }
}

/** The kernel's number of this thread's network namespace, never given out twice: SO_NETNS_COOKIE, Linux 5.14. */
export function networkNamespaceCookie(): bigint {
  return attempt("ask for the number of the network namespace", () => {
    const fd = addon.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0);
    try {
      const bytes = addon.getsockopt(fd, constants.SOL_SOCKET, constants.SO_NETNS_COOKIE, 8);
      return new DataView(bytes.buffer).getBigUint64(0, true);
    } finally {
      addon.close(fd);
    }
  });
}
