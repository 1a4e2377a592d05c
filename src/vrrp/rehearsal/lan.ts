/**
 * A LAN of hosts that run the VRRP machine under a clock that jumps: what `evenkeel explain` tries failures on. Pure.
 *
 * Nothing is lost and every packet takes equally long. A host that dies takes its addresses along. What kernels do besides,
 * lifetimes of addresses and losses, is the tests' simulated LAN's.
 */

import { type Duration, type Instant, instantAt } from "../../base/time.ts";
import { NO_INTERFACE, type VrrpInstance } from "../../config/model/vrrp.ts";
import { DEFAULT_HOST_PARAMETERS, type HostState, initialState, nextDeadline, transition } from "../host.ts";
import { advertInterface } from "../host-state.ts";
import type { Input, Output } from "../messages.ts";
import { isMulticast } from "../receive.ts";
import type { Fault } from "./faults.ts";
import { interfaceReports, isPeer, knownSource, macvlansOf, type RehearsedHost, trackerReports } from "./hosts.ts";

/** Microseconds. */
const WAY = 200;
const SCRIPT_TAKES = 10_000;
/** Adverts every 10 ms on many hosts: longer is not waited for a LAN to come to rest. */
const MOST_STEPS = 300_000;

export type Told =
  | {
      readonly at: Instant;
      readonly host: string;
      readonly output: Extract<Output, { readonly type: "state" | "priority" | "run-script" | "send-advert" }>;
    }
  | { readonly at: Instant; readonly host: string; readonly address: string; readonly held: boolean };

interface Node {
  readonly host: RehearsedHost;
  /** Undefined: it does not run. */
  readonly process: HostState | undefined;
  readonly runs: number;
  readonly held: ReadonlySet<string>;
  readonly down: ReadonlySet<string>;
  readonly failing: ReadonlySet<string>;
}

interface Coming {
  readonly at: number;
  readonly host: string;
  /** Of which run of that host. */
  readonly runs: number;
  readonly input: Input;
}

export class RehearsalLan {
  now: Instant;
  /** Since this LAN, or the one that it is a copy of, began; adverts and runs of scripts only the last ones. */
  readonly told: Told[] = [];
  readonly #hosts: readonly RehearsedHost[];
  readonly #nodes: Map<string, Node>;
  readonly #coming: Coming[];
  #steps = 0;

  constructor(hosts: readonly RehearsedHost[], from?: RehearsalLan) {
    this.#hosts = hosts;
    this.now = from?.now ?? instantAt(0);
    this.#nodes = new Map(from?.nodes());
    this.#coming = [...(from?.coming() ?? [])];
    if (from !== undefined) return;
    for (const host of hosts) {
      this.#put({ host, process: undefined, runs: 0, held: new Set(), down: new Set(), failing: new Set() });
      this.#start(host.name);
    }
  }

  nodes(): ReadonlyMap<string, Node> {
    return this.#nodes;
  }

  coming(): readonly Coming[] {
    return this.#coming;
  }

  copy(): RehearsalLan {
    return new RehearsalLan(this.#hosts, this);
  }

  /** It was stopped because it would not come to rest. */
  get exhausted(): boolean {
    return this.#steps >= MOST_STEPS;
  }

  /** In the order of the hosts. */
  holders(address: string): string[] {
    return [...this.#nodes.values()].filter(({ held }) => held.has(address)).map(({ host }) => host.name);
  }

  /** Until `span` has passed without any change of a state, a priority or a holder. */
  rest(span: Duration): void {
    let quietSince: number = this.now;
    while (this.now < quietSince + span && !this.exhausted) {
      const seen = this.told.length;
      if (!this.#next(quietSince + span)) break;
      if (this.told.slice(seen).some((one) => !("output" in one) || isChange(one.output))) quietSince = this.now;
    }
    this.now = instantAt(Math.max(this.now, quietSince + span));
  }

  /** Until something is told that fits; not longer than `span`. */
  until(span: Duration, fits: (told: Told) => boolean): void {
    const end = this.now + span;
    let seen = this.told.length;
    while (this.#next(end)) {
      if (this.told.slice(seen).some(fits)) return;
      seen = this.told.length;
    }
  }

  fail(fault: Fault): void {
    this.#set(fault, false);
  }

  repair(fault: Fault): void {
    this.#set(fault, true);
  }

  #set(fault: Fault, well: boolean): void {
    const { host } = fault;
    const node = this.#node(host);
    switch (fault.kind) {
      case "stops":
        if (well) this.#start(host);
        else this.#input(host, { type: "stop" });
        break;
      case "dies":
        if (well) this.#start(host);
        else this.#gone(host);
        break;
      case "interface": {
        this.#put({ ...node, down: changed(node.down, fault.name, !well) });
        const macvlans = [...macvlansOf(node.host.configuration.instances)];
        const above = macvlans.flatMap(([name, base]) => (base === fault.name ? [name] : []));
        for (const name of [fault.name, ...above])
          this.#input(host, { type: "link", interface: name, up: well, ...(well ? {} : { lack: "carrier" as const }) });
        break;
      }
      case "script":
        this.#put({ ...node, failing: changed(node.failing, fault.name, !well) });
        break;
      case "process": {
        const tracked = node.host.configuration.trackProcesses.find(({ name }) => name === fault.name);
        this.#input(host, { type: "process-count", process: fault.name, count: well ? (tracked?.quorum ?? 1) : 0 });
        break;
      }
      case "proxy":
      case "service": {
        const { kind, name } = fault;
        const cause = `${kind} ${name} ${well ? "serves" : "does not serve"}`;
        this.#input(host, { type: "service-state", kind, name, up: well, cause });
        break;
      }
      default:
        fault satisfies never;
    }
  }

  #start(name: string): void {
    const { host, runs, down, failing } = this.#node(name);
    const { configuration } = host;
    this.#put({ host, process: initialState(configuration), runs: runs + 1, held: new Set(), down, failing });
    for (const report of trackerReports(configuration)) this.#input(name, report);
    const interfaces = interfaceReports(this.#hosts, host).map((one) => ({ ...one, up: !down.has(one.name) }));
    this.#input(name, { type: "start", interfaces });
  }

  #gone(name: string): void {
    const node = this.#node(name);
    for (const address of node.held) this.told.push({ at: this.now, host: name, address, held: false });
    this.#put({ ...node, process: undefined, runs: node.runs + 1, held: new Set() });
  }

  /** False when nothing happens until `end`, or too much has happened. */
  #next(end: number): boolean {
    if (this.exhausted) return false;
    const [coming] = this.#coming;
    let due: { readonly at: number; readonly host: string } | undefined;
    for (const { host, process } of this.#nodes.values()) {
      const at = process === undefined ? undefined : nextDeadline(process);
      if (at !== undefined && (due === undefined || at < due.at)) due = { at, host: host.name };
    }
    const at = Math.min(coming?.at ?? Number.POSITIVE_INFINITY, due?.at ?? Number.POSITIVE_INFINITY);
    if (at > end) return false;
    this.now = instantAt(Math.max(this.now, at));
    if (coming !== undefined && coming.at <= at) {
      this.#coming.shift();
      if (this.#node(coming.host).runs === coming.runs) this.#input(coming.host, coming.input);
    } else if (due !== undefined) this.#input(due.host, { type: "timer" });
    return true;
  }

  #input(name: string, input: Input): void {
    const { process } = this.#node(name);
    if (process === undefined) return;
    this.#steps += 1;
    const { state, outputs } = transition(DEFAULT_HOST_PARAMETERS, process, input, this.now);
    this.#put({ ...this.#node(name), process: state });
    for (const output of outputs) this.#perform(name, output);
  }

  #perform(name: string, output: Output): void {
    switch (output.type) {
      case "send-advert":
        this.told.push({ at: this.now, host: name, output });
        this.#send(this.#node(name), output);
        break;
      case "add-address":
      case "remove-address":
        this.#hold(name, output.address, output.type === "add-address");
        break;
      case "run-script": {
        this.told.push({ at: this.now, host: name, output });
        const status = this.#node(name).failing.has(output.script) ? 1 : 0;
        const result: Input = { type: "script-result", script: output.script, outcome: { type: "exited", status } };
        this.#later(Math.min(SCRIPT_TAKES, output.timeout), name, result);
        break;
      }
      case "state":
      case "priority":
        this.told.push({ at: this.now, host: name, output });
        break;
      case "stopped":
        this.#gone(name);
        break;
      default:
        // Everything else leaves the LAN as it is.
        break;
    }
  }

  #hold(name: string, { address, interface: at }: { address: string; interface: string }, held: boolean): void {
    const node = this.#node(name);
    if (node.held.has(address) === held) return;
    this.#put({ ...node, held: changed(node.held, address, held) });
    this.told.push({ at: this.now, host: name, address, held });
    this.#later(WAY, name, { type: "address", interface: at, address: address as never, present: held });
  }

  #send(from: Node, { instance: name, destination, packet }: Extract<Output, { type: "send-advert" }>): void {
    const sender = from.host.configuration.instances.find((one) => one.name === name);
    if (sender === undefined || from.down.has(sender.interface)) return;
    for (const { host } of this.#nodes.values()) {
      if (host === from.host) continue;
      const peers = host.configuration.instances.filter((one) => isPeer(one, sender));
      // Files need not call the same LAN by the same name; where they do, that tells LANs apart.
      const same = peers.filter((one) => one.interface === sender.interface);
      for (const peer of same.length > 0 ? same : peers) {
        if (isMulticast(destination) || knownSource(this.#hosts, host, peer) === destination)
          this.#later(WAY, host.name, { type: "packet", interface: receiverOf(peer), packet });
      }
    }
  }

  #later(span: number, host: string, input: Input): void {
    const at = this.now + span;
    const before = this.#coming.findLastIndex((one) => one.at <= at);
    this.#coming.splice(before + 1, 0, { at, host, runs: this.#node(host).runs, input });
  }

  #put(node: Node): void {
    this.#nodes.set(node.host.name, node);
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no host ${name}`);
    return node;
  }
}

const isChange = ({ type }: Output): boolean => type === "state" || type === "priority";

const changed = (set: ReadonlySet<string>, name: string, isIn: boolean): ReadonlySet<string> =>
  isIn ? set.union(new Set([name])) : set.difference(new Set([name]));

const receiverOf = (instance: VrrpInstance): string =>
  instance.interface === NO_INTERFACE ? NO_INTERFACE : advertInterface(instance);
