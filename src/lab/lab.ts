/**
 * A running lab, for the command line, the demo and the tests.
 *
 * `Lab.up` brings a topology up or throws `LabError` and leaves nothing behind; `Lab.attach` finds one that somebody else
 * brought up. Every lab hangs on one process (the first of a pid namespace that holds all others): when that ends, for
 * whatever reason, all of the lab ends. Builds nothing itself: script.ts says what to do, holder.ts has it done.
 */

import { LabError } from "./error.ts";
import { readTopology } from "./file.ts";
import { buildNodes, end, type Holder, mayMakeNamespaces, nameNamespaces, unnameNamespaces } from "./holder.ts";
import { LabNode } from "./node.ts";
import { nodePaths } from "./paths.ts";
import { type BoundPort, bindPorts, forwardPort } from "./ports.ts";
import type { LabProcess } from "./process.ts";
import { type ProcessIdentity, readProcess } from "./processes.ts";
import { switchNames } from "./script.ts";
import { bootId, knownLabs, type LabState, liveHolder, StateFolder, stateRootForWriting } from "./state.ts";
import type { NodeSpec, Topology } from "./topology.ts";

export { LabError };

/** A program that ends with an error within this time after the last one was started fails `up`. */
const SETTLE_MS = 250;

export interface UpOptions {
  /** Instead of the topology's own name. */
  readonly name?: string;
  /**
   * True: the lab ends with this process, also when it is killed (tests, demo). False: it stays until `down`
   * (`evenkeel lab up`), and its nodes have names for ip-netns(8). Default true.
   */
  readonly tied?: boolean;
  /** False: nodes come up, but neither `exec` nor programs nor published ports are started. Default true. */
  readonly programs?: boolean;
  /** Told what is being done, one short line each. */
  readonly progress?: (line: string) => void;
  readonly abort?: AbortSignal;
}

export class Lab {
  readonly name: string;
  readonly topology: Topology;
  readonly rootless: boolean;
  /** What the nodes took to come up, without their programs. */
  readonly nodesUpMs: number;
  readonly #state: LabState;
  readonly #on: StateFolder;
  readonly #holder: ProcessIdentity;
  readonly #nodes: ReadonlyMap<string, LabNode>;

  private constructor(on: StateFolder, state: LabState, running: Running) {
    this.name = on.name;
    this.topology = state.topology;
    this.rootless = state.rootless;
    this.nodesUpMs = running.nodesUpMs;
    this.#state = state;
    this.#on = on;
    this.#holder = running.holder;
    const names = switchNames(state.topology);
    this.#nodes = new Map(
      state.topology.nodes.flatMap((spec) => {
        const init = running.nodes[spec.name];
        if (init === undefined) return [];
        const place = {
          lab: on.name,
          stateFolder: on.folder,
          rootless: state.rootless,
          holder: running.holder,
          init,
          paths: nodePaths(state.topology.folder, spec.binds),
          port: (interfaceName: string) => names.port(spec.name, interfaceName),
        };
        return [[spec.name, new LabNode(spec, place)]];
      }),
    );
  }

  /** `file` is a `*.lab.yml` or a `docker-compose.yml`. Throws `LabError`; mistakes in the file are in its `details`. */
  static async up(file: string | Topology, options: UpOptions = {}): Promise<Lab> {
    const { tied = true, programs = true, progress = () => {}, abort } = options;
    const read = typeof file === "string" ? readTopology(file) : file;
    const topology = options.name === undefined ? read : { ...read, name: options.name };
    const ports = programs ? await bindPorts(topology) : [];
    let on: StateFolder | undefined;
    let names: readonly string[] = [];
    try {
      const rootless = !mayMakeNamespaces();
      const namespaceNames = tied || rootless ? [] : topology.nodes.map((node) => `lab-${topology.name}-${node.name}`);
      const claimed = claim(topology, rootless, namespaceNames, progress);
      on = claimed.on;
      progress(`${topology.nodes.length} nodes on ${topology.segments.length} segments`);
      const began = performance.now();
      const bindsOf = new Map(topology.nodes.map((node) => [node.name, node.binds]));
      const paths = (node: string) => nodePaths(topology.folder, bindsOf.get(node) ?? []);
      const holder = await buildNodes(topology, on.folder, rootless, paths, abort);
      const nodesUpMs = Math.round(performance.now() - began);
      const running = { holder: holder.identity, nodes: holder.nodes, nodesUpMs };
      const state = { ...claimed.state, running };
      on.save(state);
      names = namespaceNames;
      if (names.length > 0) nameNamespaces(identities(topology, holder));
      const lab = new Lab(on, state, running);
      progress(`nodes up in ${nodesUpMs} ms`);
      // Ends whatever is being waited for as well.
      abort?.addEventListener("abort", () => void end(holder.identity), { once: true });
      if (programs) await lab.#start(ports, progress, abort);
      if (abort?.aborted === true) throw new LabError("interrupted");
      if (!tied) holder.letGo();
      return lab;
    } catch (error) {
      if (on !== undefined) await removeLab(on, names);
      throw abort?.aborted === true ? new LabError("interrupted; nothing was left behind") : error;
    } finally {
      for (const port of ports) port.close();
    }
  }

  /** The lab called `name`, or the only one that is running. Throws `LabError` when there is none or more than one. */
  static async attach(name?: string): Promise<Lab> {
    const running = knownLabs().flatMap((on) => {
      const state = on.load();
      return state?.running !== undefined && liveHolder(state, on) !== undefined
        ? [{ on, state, at: state.running }]
        : [];
    });
    const [first, ...others] = name === undefined ? running : running.filter(({ on }) => on.name === name);
    if (first === undefined)
      throw new LabError(name === undefined ? "no lab is running" : `no lab "${name}" is running`);
    if (others.length > 0) {
      const names = running.map(({ on }) => on.name).join(", ");
      throw new LabError(`several labs are running (${names}): name one with --lab`);
    }
    return new Lab(first.on, first.state, first.at);
  }

  /** Names of the labs that run, and of those that a crash left something of. */
  static known(): readonly { readonly name: string; readonly running: boolean }[] {
    return knownLabs().map((on) => ({ name: on.name, running: liveHolder(on.load(), on) !== undefined }));
  }

  /** Removes what there is of a lab, running or not. False when there was nothing. */
  static async remove(name: string): Promise<boolean> {
    const found = knownLabs().filter((on) => on.name === name);
    for (const on of found) await removeLab(on, on.load()?.namespaceNames ?? []);
    return found.length > 0;
  }

  /** Throws `LabError` when there is no such node. */
  node(name: string): LabNode {
    const node = this.#nodes.get(name);
    if (node !== undefined) return node;
    throw new LabError(`lab "${this.name}" has no node "${name}" (it has ${[...this.#nodes.keys()].join(", ")})`);
  }

  nodes(): readonly LabNode[] {
    return [...this.#nodes.values()];
  }

  /** The processes that hold the lab and its nodes, on the host. */
  inits(): readonly ProcessIdentity[] {
    return [this.#holder, ...Object.values(this.#state.running?.nodes ?? {})];
  }

  get stateFolder(): string {
    return this.#on.folder;
  }

  /** Ends every process of the lab and removes all of it. Safe to call twice. */
  async down(): Promise<void> {
    await end(this.#holder);
    await removeLab(this.#on, this.#state.namespaceNames);
  }

  async #start(ports: readonly BoundPort[], progress: (line: string) => void, abort?: AbortSignal): Promise<void> {
    for (const node of this.nodes()) {
      for (const argv of node.spec.exec) {
        const { status, stdout, stderr } = await node.exec(argv);
        if (status === 0) continue;
        throw new LabError(
          `node ${node.name}: "${argv.join(" ")}" ended with status ${status}`,
          `${stdout}${stderr}`.trim(),
        );
      }
    }
    const started: { readonly spec: NodeSpec; readonly process: LabProcess }[] = [];
    for (const node of this.nodes()) {
      if (abort?.aborted === true) throw new LabError("interrupted");
      for (const port of ports.filter((one) => one.node === node.name)) {
        started.push({ spec: node.spec, process: await forwardPort(node, port) });
        progress(`${node.name}: http://${port.published.hostAddress}:${port.published.hostPort}/`);
      }
      for (const { name, command } of node.spec.programs) {
        started.push({ spec: node.spec, process: await node.spawn(command, { name }) });
        progress(`${node.name}: ${command.join(" ")}`);
      }
    }
    if (started.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    for (const { spec, process } of started) {
      if (process.status === undefined || process.status === 0) continue;
      throw new LabError(
        `node ${spec.name}: "${process.name}" ended at once with status ${process.status}`,
        process.lastLines() || `${process.logFile} is empty`,
      );
    }
  }
}

type Running = NonNullable<LabState["running"]>;

/** Takes the name, also from a lab of which only remains are left. */
function claim(
  topology: Topology,
  rootless: boolean,
  namespaceNames: readonly string[],
  progress: (line: string) => void,
): { on: StateFolder; state: LabState } {
  const creator = readProcess(process.pid) ?? { pid: process.pid, startTicks: 0 };
  const state: LabState = {
    version: 1,
    topology,
    rootless,
    boot: bootId(),
    creator: { pid: creator.pid, startTicks: creator.startTicks },
    namespaceNames,
  };
  const on = new StateFolder(stateRootForWriting(), topology.name);
  if (on.claim(state)) return { on, state };
  if (on.isInUse()) {
    throw new LabError(`a lab called "${on.name}" is running already: evenkeel lab down ${on.name}, or use --name`);
  }
  progress(`clearing away what was left of an earlier lab "${on.name}"`);
  unnameNamespaces(on.load()?.namespaceNames ?? []);
  on.remove();
  if (!on.claim(state)) throw new LabError(`a lab called "${on.name}" is being started by somebody else`);
  return { on, state };
}

async function removeLab(on: StateFolder, namespaceNames: readonly string[]): Promise<void> {
  const holder = liveHolder(on.load(), on);
  if (holder !== undefined) await end(holder);
  unnameNamespaces(namespaceNames);
  on.remove();
}

function identities(topology: Topology, holder: Holder): { name: string; pid: number }[] {
  return topology.nodes.flatMap((node) => {
    const pid = holder.nodes[node.name]?.pid;
    return pid === undefined ? [] : [{ name: `lab-${topology.name}-${node.name}`, pid }];
  });
}
