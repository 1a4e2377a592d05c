/**
 * What is on disk about a lab: `NAME.json`, and a folder `NAME/` with the shells' texts and the programs' logs.
 *
 * Written before anything is made, so that what a crash leaves can be found and removed. Root's labs are in
 * /run/evenkeel/labs; a user's in XDG_RUNTIME_DIR, ~/.cache or /tmp, in a folder that only that user may enter.
 */

import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { isAlive, type ProcessIdentity } from "./processes.ts";
import type { NodeSpec, Topology } from "./topology.ts";

export interface LabState {
  readonly version: 1;
  readonly topology: Topology;
  /** True when the lab lives in a user namespace. */
  readonly rootless: boolean;
  /** Numbers of processes mean nothing after a restart of the machine. */
  readonly boot: string;
  readonly creator: ProcessIdentity;
  /** Names in /run/netns that are to be removed with the lab. */
  readonly namespaceNames: readonly string[];
  /** Once the nodes are up. */
  readonly running?: {
    readonly holder: ProcessIdentity;
    readonly nodes: Readonly<Record<string, ProcessIdentity>>;
    readonly nodesUpMs: number;
  };
}

export class StateFolder {
  readonly name: string;
  readonly file: string;
  readonly folder: string;
  readonly #root: string;

  constructor(root: string, name: string) {
    this.#root = root;
    this.name = name;
    this.file = join(root, `${name}.json`);
    this.folder = join(root, name);
  }

  /** False when there is a lab of this name already. */
  claim(state: LabState): boolean {
    try {
      // Somebody who removed the last lab may just have taken the folder away.
      mkdirSync(this.#root, { recursive: true, mode: 0o700 });
      writeFileSync(this.file, serialize(state), { flag: "wx", mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
    try {
      mkdirSync(join(this.folder, "logs"), { recursive: true, mode: 0o700 });
      for (const node of state.topology.nodes) {
        mkdirSync(join(this.folder, "nodes", node.name, "stage"), { recursive: true });
      }
    } catch (error) {
      this.remove();
      throw error;
    }
    return true;
  }

  save(state: LabState): void {
    writeFileSync(`${this.file}.new`, serialize(state), { mode: 0o600 });
    renameSync(`${this.file}.new`, this.file);
  }

  /** Undefined when there is none, or a file that is not ours to understand. */
  load(): LabState | undefined {
    try {
      return deserialize(readFileSync(this.file, "utf8"));
    } catch {
      return undefined;
    }
  }

  /** The process that the lab hangs on, as it wrote itself down before it made anything. */
  holder(): ProcessIdentity | undefined {
    try {
      const [pid, startTicks] = readFileSync(join(this.folder, "holder"), "utf8").trim().split(" ").map(Number);
      return pid !== undefined && startTicks !== undefined && pid > 1 ? { pid, startTicks } : undefined;
    } catch {
      return undefined;
    }
  }

  /** True when the lab runs, or when the process that is making it does. */
  isInUse(): boolean {
    const state = this.load();
    if (liveHolder(state, this) !== undefined) return true;
    return state !== undefined && state.boot === bootId() && isAlive(state.creator) && state.running === undefined;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(`${this.file}.new`, { force: true });
    rmSync(this.file, { force: true });
    for (const folder of [this.#root, dirname(this.#root)]) {
      try {
        rmdirSync(folder);
      } catch {
        return; // Others have something in it.
      }
    }
  }
}

/** Undefined when nothing of this lab runs: what is left on disk came from a crash or another boot. */
export function liveHolder(state: LabState | undefined, on: StateFolder): ProcessIdentity | undefined {
  if (state !== undefined && state.boot !== bootId()) return undefined;
  const holder = on.holder() ?? state?.running?.holder;
  return holder !== undefined && isAlive(holder) ? holder : undefined;
}

/** Every lab with a state file that this user can reach. */
export function knownLabs(): StateFolder[] {
  return stateRoots().flatMap((root) => {
    try {
      return readdirSync(root)
        .filter((name) => name.endsWith(".json"))
        .sort()
        .map((name) => new StateFolder(root, name.slice(0, -".json".length)));
    } catch {
      return [];
    }
  });
}

/** The first place that can be written. Throws what the last one answered. */
export function stateRootForWriting(): string {
  let problem: unknown;
  for (const root of stateRoots()) {
    try {
      mkdirSync(root, { recursive: true, mode: 0o700 });
      const { uid, mode } = lstatSync(root);
      // Somebody else's folder in /tmp must not decide what is run in our name.
      if (uid !== process.getuid?.() || (mode & 0o022) !== 0)
        throw new Error(`${root} belongs to or is open to others`);
      writeFileSync(join(root, `.probe-${process.pid}`), "");
      rmSync(join(root, `.probe-${process.pid}`));
      return root;
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}

function stateRoots(): string[] {
  const uid = process.getuid?.() ?? 0;
  const runtime = process.env.XDG_RUNTIME_DIR;
  const roots = uid === 0 ? ["/run/evenkeel/labs"] : [];
  if (runtime?.startsWith("/")) roots.push(join(runtime, "evenkeel/labs"));
  roots.push(join(homedir(), ".cache/evenkeel/labs"), `/tmp/evenkeel-${uid}/labs`);
  return roots;
}

export const bootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

type StoredNode = Omit<NodeSpec, "sysctls" | "environment"> & {
  readonly sysctls: readonly (readonly [string, string])[];
  readonly environment: readonly (readonly [string, string])[];
};

function serialize(state: LabState): string {
  const plain = (_key: string, value: unknown) => (value instanceof Map ? [...value] : value);
  return `${JSON.stringify(state, plain, 2)}\n`;
}

function deserialize(text: string): LabState | undefined {
  const state = JSON.parse(text) as LabState;
  if (state.version !== 1) return undefined;
  const nodes = (state.topology.nodes as unknown as readonly StoredNode[]).map((node) => ({
    ...node,
    sysctls: new Map(node.sysctls),
    environment: new Map(node.environment),
  }));
  return { ...state, topology: { ...state.topology, nodes } };
}
