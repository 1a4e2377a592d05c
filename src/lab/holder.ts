/**
 * Has the switch's shell build the lab and waits for it (script.ts has what it does).
 *
 * As root the lab's namespaces belong to the machine; anybody else's are inside a user namespace in which that user is
 * root. Knows nothing of programs.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { LabError } from "./error.ts";
import { type NodePaths, toolPath } from "./paths.ts";
import { isAlive, type ProcessIdentity, processTable, sendSignal } from "./processes.ts";
import { nodeScript, switchScript } from "./script.ts";
import type { Topology } from "./topology.ts";

/** Nothing here takes long; only a hang meets this. */
const BUILD_TIMEOUT_MS = 30_000;

export interface Holder {
  readonly identity: ProcessIdentity;
  readonly nodes: Readonly<Record<string, ProcessIdentity>>;
  /** From now on the lab outlives this process. */
  letGo(): void;
}

/** CAP_NET_ADMIN and CAP_SYS_ADMIN, capabilities(7). */
export function mayMakeNamespaces(): boolean {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const needed = (1n << 12n) | (1n << 21n);
  return (BigInt(`0x${effective}`) & needed) === needed;
}

/** Throws `LabError` with everything already ended again. */
export async function buildNodes(
  topology: Topology,
  folder: string,
  rootless: boolean,
  pathsOf: (node: string) => NodePaths,
  abort: AbortSignal | undefined,
): Promise<Holder> {
  writeFileSync(join(folder, "switch.sh"), switchScript(topology));
  for (const node of topology.nodes) {
    writeFileSync(join(folder, "nodes", node.name, "init.sh"), nodeScript(topology, node, pathsOf(node.name)));
  }
  const namespaces = ["--net", "--mount", "--pid", "--uts", "--fork", "--kill-child"];
  const argv = [...(rootless ? ["--user", "--map-root-user"] : []), ...namespaces, "sh", "switch.sh"];
  const child = spawn("unshare", argv, {
    cwd: folder,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, PATH: toolPath() },
  });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (complaints.length < 16_384) complaints += text;
  });
  child.stdin.on("error", () => {});
  let identity: ProcessIdentity | undefined;
  const give = () => child.kill("SIGKILL");
  abort?.addEventListener("abort", give);
  const timer = setTimeout(give, BUILD_TIMEOUT_MS);
  try {
    const nodes: Record<string, ProcessIdentity> = {};
    const lines = createInterface({ input: child.stdout });
    for await (const line of lines) {
      const [word, ...rest] = line.split(" ");
      if (word === "holder") identity = identityFrom(rest);
      if (word === "ready") nodes[rest[0] ?? ""] = identityFrom(rest.slice(1));
      if (word === "failed") throw new LabError(`node ${rest[0]} could not be made`);
      if ((word === "ready" || word === "holder") && Object.keys(nodes).length === topology.nodes.length) {
        child.stdin.write("attach\n");
      }
      if (word === "attached" && identity !== undefined) {
        release(child);
        return { identity, nodes, letGo: () => child.stdin.end("go\n") };
      }
    }
    throw new LabError(whyNot(abort, child));
  } catch (error) {
    child.kill("SIGKILL");
    if (identity !== undefined) await end(identity);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const message = error instanceof Error ? error.message : String(error);
    throw new LabError(message, explain(complaints.trim(), rootless));
  } finally {
    clearTimeout(timer);
    abort?.removeEventListener("abort", give);
  }
}

/** SIGKILL to the process that the lab hangs on, and waits until the kernel has ended all the others with it. */
export async function end(holder: ProcessIdentity): Promise<void> {
  if (!isAlive(holder)) return;
  sendSignal(holder.pid, "SIGKILL");
  for (let waited = 0; isAlive(holder); waited += 2) {
    if (waited > 10_000) throw new LabError(`process ${holder.pid} does not end`);
    // The namespace ends when everybody in it has been waited for, which a stopped nsenter outside does not do.
    if (waited % 100 === 98) continueStopped();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Those whose child has ended while they were stopped. */
function continueStopped(): void {
  const table = processTable();
  const waitedFor = new Set(table.filter((entry) => entry.state === "Z").map((entry) => entry.parent));
  for (const { pid, name, state } of table) {
    if (name === "nsenter" && state === "T" && waitedFor.has(pid)) sendSignal(pid, "SIGCONT");
  }
}

/** The pipes may stay open without keeping this process from ending. */
function release(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
  child.unref();
  const pipe = child.stdin as unknown as { unref?: () => void } | null;
  pipe?.unref?.();
}

function identityFrom(words: readonly string[]): ProcessIdentity {
  return { pid: Number(words[0]), startTicks: Number(words[1]) };
}

function whyNot(abort: AbortSignal | undefined, child: ChildProcess): string {
  if (abort?.aborted === true) return "interrupted";
  return child.pid === undefined
    ? "unshare cannot be run; it is in the package util-linux"
    : "the lab could not be made";
}

function explain(complaints: string, rootless: boolean): string {
  if (!rootless || !/unshare/.test(complaints)) return complaints;
  return `${complaints}
This machine does not let you make user namespaces. Run as root, or allow them:
  sudo sysctl -w user.max_user_namespaces=10000
  sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0     (Ubuntu)`;
}

/** Names the nodes' network namespaces for ip-netns(8): a bind of each in /run/netns. */
export function nameNamespaces(names: readonly { readonly name: string; readonly pid: number }[]): void {
  const lines = names.map(
    ({ name, pid }) => `: >/run/netns/${name}; mount --bind /proc/${pid}/ns/net /run/netns/${name}`,
  );
  shell(["set -e", "mkdir -p /run/netns", ...lines]);
}

export function unnameNamespaces(names: readonly string[]): void {
  if (names.length === 0) return;
  shell(names.map((name) => `umount /run/netns/${name} 2>/dev/null; rm -f /run/netns/${name}`));
}

function shell(lines: readonly string[]): void {
  const { status, stderr } = spawnSync("sh", ["-c", lines.join("\n")], {
    encoding: "utf8",
    env: { ...process.env, PATH: toolPath() },
  });
  if (status !== 0) throw new LabError("the nodes could not be named for ip netns", stderr.trim());
}
