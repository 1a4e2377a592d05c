/**
 * Drives the machine of one virtual server: one timer, its probes, and every output performed in order on the plane, the log,
 * the scripts and the FIFOs. Decides nothing: that is health/virtual-server.ts's.
 *
 * Somebody may change the table behind our back (`ipvsadm -C`). What then is refused is answered by putting the whole of what
 * should be there in its place.
 */

import { isDeepStrictEqual } from "node:util";
import { between, type Instant, inMilliseconds } from "../../base/time.ts";
import type { VirtualServer } from "../../config/model/virtual-server.ts";
import { type Plane, PlaneError, type ServerKey, type ServiceKey, type ServiceSettings } from "../../director/plane.ts";
import type { AlertMail } from "../../health/alert-mail.ts";
import type { ProbeResult } from "../../health/checker.ts";
import { serverName } from "../../health/checker-lines.ts";
import { IDLE, nextDeadline, reconfigure, transition, type VirtualServerRules } from "../../health/virtual-server.ts";
import type {
  PoolMember,
  VirtualServerInput,
  VirtualServerOutput,
  VirtualServerState,
} from "../../health/virtual-server-messages.ts";
import { sameKey } from "../../health/virtual-server-pool.ts";
import type { EventBody } from "../events.ts";
import type { Log } from "../log/log.ts";
import type { NotifyQueue } from "../scripts/notify-queue.ts";

export interface VirtualServerSurroundings {
  readonly plane: Plane;
  readonly log: Log;
  readonly notify: NotifyQueue;
  readonly publish: (event: EventBody) => void;
  readonly fifo: (line: string) => void;
  readonly mail: (mail: AlertMail) => void;
  readonly now: () => Instant;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Begins a probe; the function that comes back gives it up. */
  readonly probe: (
    virtual: VirtualServer,
    server: number,
    checker: number,
    step: number,
    report: (result: ProbeResult) => void,
  ) => () => void;
}

/** setTimeout takes no more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class VirtualServerDriver {
  readonly #surroundings: VirtualServerSurroundings;
  readonly #probes = new Map<string, () => void>();
  readonly #inputs: VirtualServerInput[] = [];
  #parameters: VirtualServer;
  #rules: VirtualServerRules;
  #services: readonly ServiceKey[] = [];
  #state: VirtualServerState = IDLE;
  #timer: NodeJS.Timeout | undefined;
  #busy = false;

  constructor(parameters: VirtualServer, rules: VirtualServerRules, surroundings: VirtualServerSurroundings) {
    this.#parameters = parameters;
    this.#rules = rules;
    this.#surroundings = surroundings;
  }

  get parameters(): VirtualServer {
    return this.#parameters;
  }
  get state(): VirtualServerState {
    return this.#state;
  }

  /** Takes over what a daemon before this one left in the table. */
  start(): void {
    const { plane, random } = this.#surroundings;
    const [first] = this.#parameters.services;
    const there = first === undefined ? undefined : plane.service(first);
    const left = there?.settings.owner === "daemon" ? there : undefined;
    this.#announce();
    this.handle({
      type: "start",
      present: left?.servers.map(({ key, settings }) => ({ key: this.#configured(key), settings })),
      random: random(),
    });
    // What was made by hand under the same name is the daemon's from now on.
    if (there !== undefined && left === undefined) this.#putRight();
  }

  reconfigure(next: VirtualServer, rules: VirtualServerRules): void {
    const before = this.#parameters;
    if (JSON.stringify(before) === JSON.stringify(next) && isDeepStrictEqual(this.#rules, rules)) return;
    this.#abortProbes();
    const step = reconfigure(before, this.#state, next, this.#surroundings.random(), this.#surroundings.now(), rules);
    this.#parameters = next;
    this.#rules = rules;
    this.#state = step.state;
    for (const output of step.outputs) this.#perform(output);
    this.#arm();
  }

  /** Inputs that come while outputs are performed wait their turn. */
  handle(input: VirtualServerInput): void {
    this.#inputs.push(input);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        const step = transition(this.#parameters, this.#state, next, this.#surroundings.now(), this.#rules);
        this.#state = step.state;
        for (const output of step.outputs) this.#perform(output);
      }
    } finally {
      this.#busy = false;
    }
    this.#arm();
  }

  /** No timer and no probe any more; the table stays as it is. */
  abandon(): void {
    clearTimeout(this.#timer);
    this.#abortProbes();
    this.#state = { ...this.#state, running: false };
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const deadline = this.#state.running ? nextDeadline(this.#state) : undefined;
    if (deadline === undefined) return;
    const wait = Math.max(0, Math.ceil(inMilliseconds(between(this.#surroundings.now(), deadline))));
    this.#timer = setTimeout(() => this.handle({ type: "timer" }), Math.min(wait, LONGEST_TIMER_MS));
  }

  #perform(output: VirtualServerOutput): void {
    const { plane, log, notify, publish, fifo, mail } = this.#surroundings;
    switch (output.type) {
      case "add-services":
      case "edit-services":
        this.#putServices();
        break;
      case "delete-services":
        for (const key of this.#services) this.#ignoringAbsence(() => plane.deleteService(key));
        this.#services = [];
        break;
      case "add-server":
        this.#each((key) => plane.addServer(key, keyIn(key, output.member.key), output.member.settings));
        break;
      case "edit-server":
        this.#each((key) => plane.editServer(key, keyIn(key, output.member.key), output.member.settings));
        break;
      case "delete-server":
        this.#each((key) => plane.deleteServer(key, keyIn(key, output.key)));
        break;
      case "replace-servers":
        this.#each((key) => this.#replace(key, output.members));
        break;
      case "reset-connections":
        this.#each((key) => this.#reset(key, memberIn(key, output.member)));
        break;
      case "probe":
        this.#probe(output.server, output.checker, output.step);
        break;
      case "abort-probes":
        this.#abortProbes();
        break;
      case "log":
        log.write(output.level, output.line);
        break;
      case "notify":
        notify.add(`virtual server ${this.#parameters.name}`, output.commands);
        break;
      case "fifo":
        fifo(output.line);
        break;
      case "mail":
        mail(output.mail);
        break;
      case "event":
        publish(output.event);
        break;
      default:
        output satisfies never;
    }
  }

  #probe(server: number, checker: number, step: number): void {
    const name = `${server} ${checker}`;
    const abort = this.#surroundings.probe(this.#parameters, server, checker, step, (result) => {
      this.#probes.delete(name);
      this.handle({ type: "result", server, checker, result });
    });
    this.#probes.set(name, abort);
  }

  #abortProbes(): void {
    for (const abort of this.#probes.values()) abort();
    this.#probes.clear();
  }

  #announce(): void {
    const { name, realServers } = this.#parameters;
    for (const server of realServers) {
      const what = serverName(this.#parameters, server.key);
      for (const _ of server.checkers)
        this.#surroundings.log.write("info", `Activating healthchecker for service ${what} for VS ${name}`);
    }
  }

  /** The services that the configuration names, and no others of ours, with its settings. */
  #putServices(): void {
    const { plane } = this.#surroundings;
    const settings = this.#settings();
    const wanted = new Set(this.#parameters.services.map(nameOf));
    for (const key of this.#services)
      if (!wanted.has(nameOf(key))) this.#ignoringAbsence(() => plane.deleteService(key));
    this.#services = this.#parameters.services;
    this.#attempt(() => {
      for (const key of this.#services) {
        const there = plane.service(key)?.settings;
        if (there === undefined) plane.addService(key, settings);
        else if (!sameSettings(there, settings)) plane.editService(key, settings);
      }
    });
  }

  #replace(service: ServiceKey, members: readonly PoolMember[]): void {
    const placed = members.map((member) => memberIn(service, member));
    this.#surroundings.plane.replaceServers(service, placed);
  }

  /** As the configuration calls a server that the table has: with port 0 where it leaves the port to the service. */
  #configured(key: ServerKey): ServerKey {
    const { realServers, sorryServer } = this.#parameters;
    const known = [...realServers, ...(sorryServer === undefined ? [] : [sorryServer])].map((one) => one.key);
    return known.some((one) => sameKey(one, key))
      ? key
      : (known.find((one) => one.port === 0 && one.address === key.address) ?? key);
  }

  #settings(): ServiceSettings {
    const { scheduler, persistence, netmaskBits, onePacket, flags, onServerDown } = this.#parameters;
    return { scheduler, persistence, netmaskBits, onePacket, flags, onServerDown, owner: "daemon" };
  }

  /** Deleting a server under `reset` is what cuts its connections off; then it is there again, without new ones. */
  #reset(key: ServiceKey, { key: server, settings }: PoolMember): void {
    const { plane } = this.#surroundings;
    plane.editService(key, { ...this.#settings(), onServerDown: "reset" });
    plane.deleteServer(key, server);
    plane.addServer(key, server, settings);
    plane.editService(key, this.#settings());
  }

  #each(work: (key: ServiceKey) => void): void {
    try {
      for (const key of this.#services) work(key);
    } catch (error) {
      if (!(error instanceof PlaneError)) throw error;
      this.#surroundings.log.write(
        "warning",
        `VS ${this.#parameters.name}: ${error.message}; putting the whole table right`,
      );
      this.#putRight();
    }
  }

  #putRight(): void {
    this.#putServices();
    this.#attempt(() => {
      for (const key of this.#services) this.#replace(key, this.#state.pool);
    });
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof PlaneError)) throw error;
      this.#surroundings.log.write("err", `VS ${this.#parameters.name}: ${error.message}`);
    }
  }

  #ignoringAbsence(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof PlaneError) || error.code !== "ESRCH") throw error;
    }
  }
}

/** A server of this service: port 0 stands for the service's own. */
export const keyIn = (service: ServiceKey, key: ServerKey): ServerKey =>
  key.port === 0 && service.kind === "address" ? { ...key, port: service.port } : key;
const memberIn = (service: ServiceKey, { key, settings }: PoolMember): PoolMember => ({
  key: keyIn(service, key),
  settings,
});

const sameSettings = (a: ServiceSettings, b: ServiceSettings): boolean => isDeepStrictEqual({ ...a }, { ...b });
export const nameOf = (key: ServiceKey): string => JSON.stringify(key, Object.keys(key).sort());
