/** One server's health, driven: one timer, at most one check under way. The decisions are health/server-health.ts's. */

import { between, type Duration, inMilliseconds } from "../../base/time.ts";
import type { Backend, ProxyConfiguration, Server } from "../../config/model/proxy.ts";
import {
  type HealthChange,
  type HealthInput,
  type HealthParameters,
  isUp,
  type Moment,
  nextDeadline,
  type ServerHealth,
  statusOf,
  transition,
} from "../../health/server-health.ts";
import type { ServerStatus } from "../../health/status.ts";
import { type CheckPlan, startCheck } from "./checker.ts";

export interface WatchSurroundings {
  readonly now: () => Moment;
  readonly random: () => number;
  readonly log: (level: "notice", line: string) => void;
  /** After everything that may have changed the status; `change` when the server became usable or ceased to be. */
  readonly moved: (status: ServerStatus, change: HealthChange | undefined) => void;
}

export class ServerWatch {
  readonly #parameters: HealthParameters;
  readonly #plan: CheckPlan | undefined;
  readonly #surroundings: WatchSurroundings;
  #state: ServerHealth;
  #timer: NodeJS.Timeout | undefined;
  #abort: (() => void) | undefined;

  constructor(
    parameters: HealthParameters,
    plan: CheckPlan | undefined,
    state: ServerHealth,
    surroundings: WatchSurroundings,
  ) {
    this.#parameters = parameters;
    this.#plan = plan;
    this.#state = state;
    this.#surroundings = surroundings;
  }

  get state(): ServerHealth {
    return this.#state;
  }

  get status(): ServerStatus {
    return statusOf(this.#parameters, this.#state);
  }

  get up(): boolean {
    return isUp(this.#parameters, this.#state);
  }

  start(): void {
    this.#arm();
  }

  /** Gives up a check that is under way; nothing is reported any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#abort?.();
    this.#abort = undefined;
  }

  receive(input: HealthInput): void {
    const { state, outputs } = transition(this.#parameters, this.#state, input, this.#surroundings.now());
    this.#state = state;
    let change: HealthChange | undefined;
    for (const output of outputs) {
      switch (output.kind) {
        case "run-check":
          this.#check();
          break;
        case "abort-check":
          this.#abort?.();
          this.#abort = undefined;
          break;
        case "log":
          this.#surroundings.log(output.level, output.line);
          break;
        case "change":
          change = output.change;
          break;
        default:
          output satisfies never;
      }
    }
    this.#arm();
    if (input.kind !== "due") this.#surroundings.moved(this.status, change);
  }

  #check(): void {
    if (this.#plan === undefined) return;
    const { now, random } = this.#surroundings;
    this.#abort = startCheck(
      this.#plan,
      () => now().at,
      (result) => {
        this.#abort = undefined;
        this.receive({ kind: "result", result, random: random() });
      },
    );
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const deadline = nextDeadline(this.#state);
    if (deadline === undefined) return;
    const wait = Math.max(0, Math.ceil(inMilliseconds(between(this.#surroundings.now().at, deadline))));
    this.#timer = setTimeout(() => this.receive({ kind: "due" }), wait);
  }
}

export function healthParameters(
  configuration: ProxyConfiguration,
  backend: Backend,
  server: Server,
): HealthParameters {
  return {
    name: `${backend.name}/${server.name}`,
    backup: server.backup,
    logHealthChecks: backend.logHealthChecks,
    spreadChecks: configuration.global.spreadChecks,
    check: server.check,
  };
}

/** HAProxy's time-outs: without `timeout check` the whole check ends within `inter`. */
export function checkPlan(configuration: ProxyConfiguration, backend: Backend, server: Server): CheckPlan | undefined {
  const { check } = server;
  if (check === undefined) return undefined;
  const reply = backend.timeouts.check;
  const connect = backend.timeouts.connect;
  const shorter = reply === undefined || connect === undefined ? check.inter : Math.min(connect, check.inter);
  const elsewhere = check.address !== server.address || check.port !== server.port;
  return {
    address: check.address,
    port: check.port,
    method: backend.check,
    sendProxy: elsewhere ? undefined : server.sendProxy,
    timeout: shorter as Duration,
    reply,
    bufsize: configuration.global.bufsize,
  };
}
