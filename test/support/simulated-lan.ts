/**
 * A LAN in memory: hosts that run the VRRP machine, segments between them, and a clock that jumps from event to event.
 *
 * It does for the machine what `daemon/vrrp` does, kernel included: packets arrive after a delay or are lost, addresses
 * have lifetimes, changes of addresses are reported a moment later, a frozen host finds everything at once when it wakes.
 * The same seed gives the same run. Hosts' interfaces of the same name are on the same segment.
 */

import type { IpAddress } from "../../src/base/ip.ts";
import { type Duration, type Instant, instantAt } from "../../src/base/time.ts";
import type { VirtualAddress, VrrpConfiguration } from "../../src/config/model/vrrp.ts";
import {
  DEFAULT_HOST_PARAMETERS,
  type HostState,
  initialState,
  nextDeadline,
  snapshot,
  transition,
} from "../../src/vrrp/host.ts";
import type { Input, InstanceSnapshot, Output, ScriptOutcome } from "../../src/vrrp/messages.ts";
import { isMulticast } from "../../src/vrrp/receive.ts";

export interface Happening {
  readonly at: Instant;
  readonly host: string;
  readonly output: Output;
}

export interface Recorded {
  readonly at: Instant;
  readonly input: Input;
}

export interface LanOptions {
  readonly seed?: number;
  /** Of each copy of a packet, 0..1. */
  loss?: number;
  /** Longest way of a packet; the shortest is a tenth of a millisecond. */
  delay?: Duration;
}

interface Holding {
  readonly instance: string;
  /** The kernel removes it then. */
  expiresAt: number;
}

interface Host {
  readonly name: string;
  configuration: VrrpConfiguration;
  readonly own: Readonly<Record<string, readonly IpAddress[]>>;
  /** Addresses by `interface address`. */
  readonly table: Map<string, Holding>;
  readonly down: Set<string>;
  process: HostState | undefined;
  frozen: boolean;
  /** What has come while it was frozen; a socket buffer is not endless either. */
  readonly waiting: Input[];
  readonly recorded: Recorded[];
  runs: number;
}

const SHORTEST_WAY = 100;
const NETLINK_DELAY = 200;
const MOST_WAITING = 200;

export class SimulatedLan {
  now = instantAt(0);
  readonly happenings: Happening[] = [];
  /** What a kernel lost though no process removed it, an address or a route; `before` is the place in `happenings`. */
  readonly lost: { readonly at: Instant; readonly host: string; readonly what: string; readonly before: number }[] = [];
  loss: number;
  delay: number;
  /** The longest way that any packet has had. */
  slowest = 0;
  /** Answers what a script does; success when absent. */
  scriptOutcome: (host: string, script: string) => ScriptOutcome = () => ({ type: "exited", status: 0 });
  /** How long it runs, when it is not ended. */
  scriptTakes: (host: string, script: string) => number = () => NETLINK_DELAY;
  readonly #hosts = new Map<string, Host>();
  readonly #cut = new Set<string>();
  readonly #events: { readonly at: number; readonly run: () => void }[] = [];
  #random: number;

  constructor(options: LanOptions = {}) {
    this.#random = options.seed ?? 1;
    this.loss = options.loss ?? 0;
    this.delay = options.delay ?? 1_000;
  }

  /** `own` names the host's addresses on each interface. The process is not started yet. */
  add(
    name: string,
    configuration: VrrpConfiguration,
    own: Readonly<Record<string, IpAddress | readonly IpAddress[]>>,
  ): void {
    this.#hosts.set(name, {
      name,
      configuration,
      own: Object.fromEntries(Object.entries(own).map(([at, address]) => [at, [address].flat()])),
      table: new Map(),
      down: new Set(),
      process: undefined,
      frozen: false,
      waiting: [],
      recorded: [],
      runs: 0,
    });
  }

  /** `reports`: what trackers know before the start. */
  start(name: string, reports: readonly Input[] = []): void {
    const host = this.#host(name);
    if (host.process !== undefined) return;
    host.process = initialState(host.configuration);
    host.runs += 1;
    host.recorded.length = 0;
    const interfaces = Object.entries(host.own).map(([at, addresses]) => ({
      name: at,
      up: !host.down.has(at),
      addresses: [...addresses, ...this.#tableOn(host, at)],
    }));
    for (const report of reports) this.#input(host, report);
    this.#input(host, { type: "start", interfaces });
  }

  /** SIGTERM; the process is gone when it says so. */
  stop(name: string): void {
    this.#deliver(this.#host(name), { type: "stop" });
  }

  reconfigure(name: string, configuration: VrrpConfiguration): void {
    const host = this.#host(name);
    host.configuration = configuration;
    this.#deliver(host, { type: "reconfigure", configuration });
  }

  /** SIGKILL: nothing is tidied, what it held runs out. */
  kill(name: string): void {
    const host = this.#host(name);
    host.process = undefined;
    host.frozen = false;
    host.waiting.length = 0;
  }

  freeze(name: string): void {
    this.#host(name).frozen = true;
  }

  thaw(name: string): void {
    const host = this.#host(name);
    if (!host.frozen) return;
    host.frozen = false;
    // An event loop looks at its timers first.
    const deadline = host.process && nextDeadline(host.process);
    if (deadline !== undefined && deadline <= this.now) this.#input(host, { type: "timer" });
    for (const input of host.waiting.splice(0)) this.#input(host, input);
  }

  setLink(name: string, at: string, up: boolean): void {
    const host = this.#host(name);
    if (up) host.down.delete(at);
    else host.down.add(at);
    this.#deliver(host, { type: "link", interface: at, up });
  }

  /** Somebody else takes an address away. */
  takeAddress(name: string, at: string, address: IpAddress): void {
    const host = this.#host(name);
    if (host.table.delete(`${at} ${address}`)) this.#noteLost(host, address);
    this.#deliver(host, { type: "address", interface: at, address, present: false });
  }

  /** Nothing passes between the two groups, either way. */
  cut(one: readonly string[], other: readonly string[]): void {
    for (const a of one) for (const b of other) this.#cut.add(`${a} ${b}`).add(`${b} ${a}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** Somebody else removes a virtual route, `written` as in the configuration. */
  takeRoute(name: string, instance: string, written: string): void {
    const host = this.#host(name);
    this.#noteLost(host, written);
    this.#deliver(host, { type: "route-lost", instance, what: written });
  }

  /** What else may come to a host: reports of trackers, of addresses and routes. */
  report(name: string, input: Input): void {
    this.#deliver(this.#host(name), input);
  }

  /** Hands bytes to a host as if they had come by wire. */
  inject(name: string, at: string, packet: string): void {
    this.#deliver(this.#host(name), { type: "packet", interface: at, packet });
  }

  run(span: Duration): void {
    const end = this.now + span;
    for (;;) {
      const event = this.#events[0];
      const due = this.#nextTimer();
      const at = Math.min(event?.at ?? Number.POSITIVE_INFINITY, due?.at ?? Number.POSITIVE_INFINITY);
      if (at > end) break;
      this.now = instantAt(Math.max(this.now, at));
      this.#expireAddresses();
      if (event !== undefined && event.at <= at) this.#events.shift()?.run();
      else if (due !== undefined) this.#input(due.host, { type: "timer" });
    }
    this.now = instantAt(end);
    this.#expireAddresses();
  }

  names(): string[] {
    return [...this.#hosts.keys()];
  }

  isRunning(name: string): boolean {
    const host = this.#host(name);
    return host.process !== undefined && !host.frozen;
  }

  state(name: string): HostState | undefined {
    return this.#host(name).process;
  }

  instance(name: string, instance: string): InstanceSnapshot {
    const process = this.#host(name).process;
    const found = process && snapshot(process).instances.find((candidate) => candidate.name === instance);
    if (found === undefined) throw new Error(`${name} runs no ${instance}`);
    return found;
  }

  /** Hosts whose process says MASTER and is not leaving. */
  masters(instance: string): string[] {
    return this.names().filter((name) => {
      const process = this.#host(name).process;
      const routers = process === undefined ? [] : snapshot(process).instances;
      return routers.some((router) => router.name === instance && router.state === "MASTER" && !router.leaving);
    });
  }

  /** Hosts whose kernel answers for the address. */
  holders(address: string): string[] {
    return this.names().filter((name) => [...this.#host(name).table.keys()].some((key) => key.endsWith(` ${address}`)));
  }

  /** Addresses that the kernel of a host has, and for which instance. */
  held(name: string): { readonly address: string; readonly instance: string }[] {
    return [...this.#host(name).table].map(([key, { instance }]) => ({ address: key.split(" ")[1] ?? "", instance }));
  }

  log(name: string): string[] {
    return this.happenings.flatMap(({ host, output }) => (host === name && output.type === "log" ? [output.line] : []));
  }

  outputs<T extends Output["type"]>(name: string, type: T): { at: Instant; output: Extract<Output, { type: T }> }[] {
    return this.happenings.flatMap(({ at, host, output }) =>
      host === name && output.type === type ? [{ at, output: output as Extract<Output, { type: T }> }] : [],
    );
  }

  /** Inputs of the process that runs now, or ran last. */
  recorded(name: string): readonly Recorded[] {
    return this.#host(name).recorded;
  }

  configuration(name: string): VrrpConfiguration {
    return this.#host(name).configuration;
  }

  // ---- one host

  #deliver(host: Host, input: Input): void {
    if (host.process === undefined) return;
    if (!host.frozen) this.#input(host, input);
    else if (host.waiting.length < MOST_WAITING) host.waiting.push(input);
  }

  #input(host: Host, input: Input): void {
    if (host.process === undefined) return;
    host.recorded.push({ at: this.now, input });
    const { state, outputs } = transition(DEFAULT_HOST_PARAMETERS, host.process, input, this.now);
    host.process = state;
    for (const output of outputs) {
      this.happenings.push({ at: this.now, host: host.name, output });
      this.#perform(host, output);
    }
  }

  #perform(host: Host, output: Output): void {
    switch (output.type) {
      case "send-advert":
        this.#send(host, output);
        break;
      case "add-address":
        this.#hold(host, output.instance, output.address);
        break;
      case "refresh-addresses":
        for (const address of output.addresses) this.#hold(host, output.instance, address);
        break;
      case "remove-address":
        if (host.table.delete(keyOf(output.address))) this.#report(host, output.address, false);
        break;
      case "run-script": {
        const { script } = output;
        const takes = this.scriptTakes(host.name, script);
        const outcome: ScriptOutcome =
          takes > output.timeout ? { type: "timeout" } : this.scriptOutcome(host.name, script);
        this.#toProcess(host, Math.min(takes, output.timeout), { type: "script-result", script, outcome });
        break;
      }
      case "stopped":
        host.process = undefined;
        break;
      case "gratuitous-arp":
      case "neighbour-advertisement":
      case "add-route":
      case "remove-route":
      case "add-rule":
      case "remove-rule":
      case "virtual-address-lost":
      case "conflict-ended":
      case "priority":
      case "script-state":
      case "state":
      case "group-state":
      case "notify":
      case "log":
        break;
      default:
        output satisfies never;
    }
  }

  #hold(host: Host, instance: string, address: VirtualAddress): void {
    const key = keyOf(address);
    const before = host.table.has(key);
    host.table.set(key, { instance, expiresAt: this.now + DEFAULT_HOST_PARAMETERS.addressLifetime });
    if (!before) this.#report(host, address, true);
  }

  #report(host: Host, { interface: at, address }: VirtualAddress, present: boolean): void {
    this.#toProcess(host, NETLINK_DELAY, { type: "address", interface: at, address, present });
  }

  /** To the process that runs now, and to no later one. */
  #toProcess(host: Host, delay: number, input: Input): void {
    const { runs } = host;
    this.#later(delay, () => {
      if (host.runs === runs) this.#deliver(host, input);
    });
  }

  #tableOn(host: Host, at: string): IpAddress[] {
    return [...host.table.keys()].flatMap((key) => {
      const [on, address] = key.split(" ");
      return on === at ? [address as IpAddress] : [];
    });
  }

  #noteLost({ name }: Host, what: string, at: number = this.now): void {
    this.lost.push({ at: instantAt(at), host: name, what, before: this.happenings.length });
  }

  #expireAddresses(): void {
    for (const host of this.#hosts.values()) {
      for (const [key, { expiresAt }] of host.table) {
        if (expiresAt > this.now) continue;
        host.table.delete(key);
        const [at = "", address = ""] = key.split(" ");
        this.#noteLost(host, address, expiresAt);
        this.#deliver(host, { type: "address", interface: at, address: address as IpAddress, present: false });
      }
    }
  }

  // ---- between hosts

  /** Multicast to all of the segment, unicast to the host that has the address. */
  #send(from: Host, { interface: at, destination, packet }: Extract<Output, { type: "send-advert" }>): void {
    if (from.down.has(at)) return;
    const isFor = (to: Host) => isMulticast(destination) || to.own[at]?.includes(destination) === true;
    for (const to of this.#hosts.values()) {
      if (to === from || !(at in to.own) || !isFor(to) || this.#cut.has(`${from.name} ${to.name}`)) continue;
      if (this.#chance() < this.loss) continue;
      const way = SHORTEST_WAY + Math.floor(this.#chance() * Math.max(0, this.delay - SHORTEST_WAY));
      this.slowest = Math.max(this.slowest, way);
      this.#later(way, () => {
        if (!to.down.has(at)) this.#deliver(to, { type: "packet", interface: at, packet });
      });
    }
  }

  #later(delay: number, run: () => void): void {
    const at = this.now + delay;
    const before = this.#events.findLastIndex((event) => event.at <= at);
    this.#events.splice(before + 1, 0, { at, run });
  }

  #nextTimer(): { at: number; host: Host } | undefined {
    let next: { at: number; host: Host } | undefined;
    for (const host of this.#hosts.values()) {
      if (host.process === undefined || host.frozen) continue;
      const deadline = nextDeadline(host.process);
      if (deadline === undefined || (next !== undefined && next.at <= deadline)) continue;
      next = { at: Math.max(deadline, this.now), host };
    }
    return next;
  }

  /** mulberry32. */
  #chance(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }
}

const keyOf = (address: VirtualAddress): string => `${address.interface} ${address.address}`;
