/**
 * Where a node sees the project and the lab's files.
 *
 * Nodes share the machine's file system except for /run, /tmp and what is bound into them; a folder that lies below one
 * of those would be hidden, and is shown below /run/lab instead. Also where programs are looked for. Makes nothing.
 */

import { fileURLToPath } from "node:url";
import type { Bind } from "./topology.ts";

/** The folder of the project, on this machine. */
export const PROJECT_FOLDER = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** iproute2 and mount are in sbin, which is not on every user's PATH. */
export const toolPath = (): string => `${process.env.PATH ?? "/usr/bin:/bin"}:/usr/local/sbin:/usr/sbin:/sbin`;

export interface NodePaths {
  readonly project: string;
  readonly lab: string;
  /** Folders of this machine that the node sees elsewhere. */
  readonly moved: readonly { readonly from: string; readonly to: string }[];
}

export function nodePaths(labFolder: string, binds: readonly Bind[], projectFolder = PROJECT_FOLDER): NodePaths {
  const covered = ["/run", "/var/run", "/tmp", ...binds.map((bind) => bind.target)];
  const moved: { from: string; to: string }[] = [];
  const seen = (folder: string, to: string): string => {
    if (!covered.some((cover) => folder === cover || folder.startsWith(`${cover.replace(/\/$/, "")}/`))) return folder;
    moved.push({ from: folder, to });
    return to;
  };
  return { project: seen(projectFolder, "/run/lab/project"), lab: seen(labFolder, "/run/lab/files"), moved };
}

/** What a process in a node is started with. `marker` names the program that it belongs to. */
export function nodeEnvironment(
  paths: NodePaths,
  given: ReadonlyMap<string, string>,
  more: Readonly<Record<string, string>>,
): Record<string, string> {
  const own: Record<string, string> = {};
  for (const [key, value] of Object.entries(process.env)) if (value !== undefined) own[key] = value;
  // They name places and a terminal of the world outside.
  for (const key of ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "NODE_TEST_CONTEXT", "NODE_CHANNEL_FD"])
    delete own[key];
  return {
    ...own,
    // Peers that the machine does not have come last (scripts/peers).
    PATH: `${paths.project}/bin:${paths.project}/node_modules/.bin:${toolPath()}:${paths.project}/.cache/peers/bin`,
    TMPDIR: "/tmp",
    EVENKEEL_PROJECT: paths.project,
    ...Object.fromEntries(given),
    ...more,
  };
}
