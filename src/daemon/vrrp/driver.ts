/**
 * Drives the host's VRRP machine against the real network: hands in what the kernel says, performs what the machine
 * answers, in order, and keeps the one timer.
 *
 * Decides nothing: who is master and what follows from it is `vrrp/`'s. One input is handled to its end before the next.
 */

import { between, type Instant, milliseconds } from "../../base/time.ts";
import type { VrrpConfiguration } from "../../config/model/vrrp.ts";
import { monotonicNow } from "../../sys/clock.ts";
import { PreciseTimer } from "../../sys/precise-timer.ts";
import {
  DEFAULT_HOST_PARAMETERS,
  type HostState,
  initialState,
  isSilenceOver,
  nextDeadline,
  snapshot,
  transition,
} from "../../vrrp/host.ts";
import type { Input, InterfaceReport, LinkLack, Output } from "../../vrrp/messages.ts";
import type { EventBody } from "../events.ts";
import type { Log } from "../log/log.ts";
import { ScriptRunner } from "../scripts/script-runner.ts";
import { Lateness } from "./lateness.ts";
import type { HostNetwork } from "./network.ts";
import type { Recorder } from "./recorder.ts";
import type { VrrpReport } from "./report.ts";
import { Telling } from "./telling.ts";
import { ScriptChecks } from "./trackers/script-checks.ts";

/**
 * A timer that is later than that waits for what has come in: a backup that did not get the processor for a while must not
 * miss adverts that lie in its socket, which may come after the timer.
 */
const LATE_FOR_PACKETS = milliseconds(2);

/**
 * Scripts that still run so long after the order to stop are asked to end. The process that waits for this one gives it
 * 5 s, as keepalived does (`child_wait_time`); what has not ended by then is killed with this process.
 */
const LONGEST_STOP_MS = 4_000;
const GRACE_MS = 500;

const LACKING: Readonly<Record<LinkLack, string>> = {
  interface: "removed",
  up: "set down",
  carrier: "without a carrier",
};

export interface DriverOptions {
  readonly configuration: VrrpConfiguration;
  readonly network: HostNetwork;
  readonly log: Log;
  readonly publish: (event: EventBody) => void;
  /** Lines that keepalived writes with `-D` only. */
  readonly detail: boolean;
  readonly record?: Recorder["record"] | undefined;
}

export class VrrpDriver {
  readonly #network: HostNetwork;
  readonly #log: Log;
  readonly #publish: (event: EventBody) => void;
  readonly #detail: boolean;
  readonly #record: Recorder["record"] | undefined;
  readonly #scripts: ScriptRunner;
  readonly #checks: ScriptChecks;
  readonly #telling: Telling;
  readonly #lateness = { adverts: new Lateness(), eventLoop: new Lateness() };
  readonly #inputs: Input[] = [];
  /** The machine has let go of everything and the notify scripts have ended. */
  readonly stopped: Promise<void>;
  #state: HostState;
  readonly #timer = new PreciseTimer(() => this.#expired());
  /** What the timer is set to. */
  #deadline: Instant | undefined;
  #patience: NodeJS.Timeout | undefined;
  #busy = false;
  #done: () => void = () => undefined;

  constructor(options: DriverOptions) {
    this.#network = options.network;
    this.#log = options.log;
    this.#publish = options.publish;
    this.#detail = options.detail;
    this.#record = options.record;
    this.#scripts = new ScriptRunner(options.configuration.global);
    this.#checks = new ScriptChecks(this.#scripts);
    this.#telling = new Telling(options.configuration, this.#scripts, options.log, options.publish);
    this.#state = initialState(options.configuration);
    this.stopped = new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  start(interfaces: readonly InterfaceReport[]): void {
    this.handle({ type: "start", interfaces });
  }

  /** Hands over and tells the notify scripts; resolves when that is done, or cut short. May be called again. */
  stop(): Promise<void> {
    this.handle({ type: "stop" });
    if (this.#patience === undefined) {
      this.#patience = setTimeout(() => {
        void this.#telling.close();
        this.#scripts.end();
        this.#patience = setTimeout(this.#done, GRACE_MS);
      }, LONGEST_STOP_MS);
    }
    return this.stopped;
  }

  reconfigure(configuration: VrrpConfiguration): void {
    this.#scripts.global = configuration.global;
    this.#telling.prepare(configuration);
    this.handle({ type: "reconfigure", configuration });
    this.#telling.settle(snapshot(this.#state));
  }

  snapshot(): Omit<VrrpReport, "findings" | "disabledScripts"> {
    const { adverts, eventLoop } = this.#lateness;
    const timeliness = { adverts: adverts.report(), eventLoop: eventLoop.report() };
    return { ...snapshot(this.#state), timeliness, ...this.#telling.reports() };
  }

  /** Inputs that come while outputs are performed wait their turn. */
  handle(input: Input): void {
    this.#inputs.push(input);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#step(next);
    } finally {
      this.#busy = false;
    }
    this.#arm();
  }

  #step(input: Input): void {
    if (input.type === "link") {
      const { interface: name, up, lack } = input;
      const cause = up ? "up, with a carrier" : lack === undefined ? "down" : LACKING[lack];
      this.#publish({ kind: "link-state", interface: name, up, cause });
    }
    const now = monotonicNow();
    const { state, outputs } = transition(DEFAULT_HOST_PARAMETERS, this.#state, input, now);
    this.#record?.(this.#state, input, outputs, now);
    this.#state = state;
    for (const output of outputs) this.#perform(output);
  }

  #arm(): void {
    const deadline = nextDeadline(this.#state);
    this.#deadline = deadline;
    if (deadline === undefined) this.#timer.clear();
    else this.#timer.set(deadline);
  }

  #expired(): void {
    if (this.#deadline === undefined) return;
    const late = between(this.#deadline, monotonicNow());
    this.#lateness.eventLoop.add(late, Date.now());
    if (late < LATE_FOR_PACKETS) this.#passTime();
    else setImmediate(() => this.#passTime());
  }

  /** What has come in first: a master whose advert lies unread in a socket is not silent. */
  #passTime(): void {
    if (isSilenceOver(this.#state, monotonicNow())) this.#network.readAdverts();
    this.handle({ type: "timer" });
  }

  async #told(): Promise<void> {
    await this.#telling.idle();
    await this.#telling.close();
  }

  #perform(output: Output): void {
    switch (output.type) {
      case "send-advert":
        this.#network.sendAdvert(output.interface, output.destination, Uint8Array.fromHex(output.packet));
        if (output.due !== null) this.#lateness.adverts.add(between(output.due, monotonicNow()), Date.now());
        break;
      case "add-address":
        this.#network.holdAddress(output.address, DEFAULT_HOST_PARAMETERS.addressLifetime);
        break;
      case "refresh-addresses":
        for (const address of output.addresses)
          this.#network.renewAddress(address, DEFAULT_HOST_PARAMETERS.addressLifetime);
        break;
      case "remove-address":
        this.#network.dropAddress(output.address);
        break;
      case "gratuitous-arp":
        this.#network.sendGratuitousArp(output.interface, output.address);
        break;
      case "neighbour-advertisement":
        this.#network.sendNeighbourAdvertisement(output.interface, output.address);
        break;
      case "add-route":
        this.#network.addRoute(output.instance, output.route);
        break;
      case "remove-route":
        this.#network.removeRoute(output.instance, output.route);
        break;
      case "add-rule":
        this.#network.addRule(output.instance, output.rule);
        break;
      case "remove-rule":
        this.#network.removeRule(output.instance, output.rule);
        break;
      case "virtual-address-lost": {
        const { instance, what, by, reaction } = output;
        this.#publish({ kind: "virtual-address-lost", instance, what, by, reaction });
        break;
      }
      case "conflict-ended":
        this.#publish({ kind: "conflict-ended", instance: output.instance, with: output.with, lasted: output.lasted });
        break;
      case "priority": {
        const { instance, from, to, cause } = output;
        this.#publish({ kind: "vrrp-priority", instance, from, to, cause });
        break;
      }
      case "run-script":
        void this.#checks
          .run(output.script, output.command, output.timeout)
          .then((outcome) => this.handle({ type: "script-result", script: output.script, outcome }));
        break;
      case "state": {
        const { instance, from, to, priority, cause } = output;
        this.#publish({ kind: "vrrp-state", instance, from, to, priority, cause });
        break;
      }
      case "group-state": {
        const { group, from, to, cause } = output;
        this.#publish({ kind: "vrrp-group-state", group, from, to, cause });
        break;
      }
      case "script-state": {
        const { script, ok, cause } = output;
        this.#publish({ kind: "script-state", script, ok, cause });
        break;
      }
      case "notify":
        this.#telling.notify(output);
        break;
      case "log":
        if (output.level === "info" || this.#detail) this.#log.write("info", output.line);
        break;
      case "stopped":
        this.#timer.close();
        void this.#told().then(this.#done);
        break;
      default:
        output satisfies never;
    }
  }
}
