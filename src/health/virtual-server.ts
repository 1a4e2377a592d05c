/**
 * One virtual server of keepalived.conf: which of its real servers get clients, when the quorum is lost and the sorry server
 * steps in, and what is written, told and run about it, in keepalived's order.
 *
 * The rules are keepalived's (keepalived.conf(5); 2.2.7 measured): log line, change of the table, notify script and FIFO of
 * the real server; then the quorum, with the same of its own. Pure: inputs and the time go in, the next state and ordered
 * outputs come out. Connects to nothing; each checker's rhythm is checker.ts's.
 */

import { after, type Instant } from "../base/time.ts";
import type { RealServer, SorryServer, VirtualServer } from "../config/model/virtual-server.ts";
import { type AlertMail, quorumMail, realServerMail, verdictText } from "./alert-mail.ts";
import { afterProbe, begun, type CheckerState, due, type ProbeResult, resumed, suspended } from "./checker.ts";
import { checkerName, failureLine, serverName, verdictLine } from "./checker-lines.ts";
import { adoptedServer, freshServer, isApologising, keptServer, spread } from "./real-server.ts";
import type {
  PoolMember,
  RealServerState,
  VirtualServerEvent,
  VirtualServerInput,
  VirtualServerOutput,
  VirtualServerState,
} from "./virtual-server-messages.ts";
import { liveWeight, poolChange, sameKey, wantedPool, weightOf } from "./virtual-server-pool.ts";

export interface VirtualServerStep {
  readonly state: VirtualServerState;
  readonly outputs: readonly VirtualServerOutput[];
}

/** `rs_init_notifies` and the like: what of global_defs matters here. */
export interface VirtualServerRules {
  /** notify_up runs for the first success too. */
  readonly initNotifies: boolean;
  /** A mail for every checker that changes, not only when the real server does. */
  readonly mailEveryCheck: boolean;
}

const USUAL: VirtualServerRules = { initNotifies: false, mailEveryCheck: true };

export const IDLE: VirtualServerState = { running: false, quorumUp: false, suspended: false, servers: [], pool: [] };

export function transition(
  parameters: VirtualServer,
  state: VirtualServerState,
  input: VirtualServerInput,
  now: Instant,
  rules: VirtualServerRules = USUAL,
): VirtualServerStep {
  const turn = new Turn(parameters, state, now, rules);
  if (input.type === "start") turn.start(input.present, input.random);
  else if (state.running) turn.take(input);
  return { state: turn.state, outputs: turn.outputs };
}

/** A new configuration: what did not change keeps its health, its weight and its connections. */
export function reconfigure(
  before: VirtualServer,
  state: VirtualServerState,
  next: VirtualServer,
  random: number,
  now: Instant,
  rules: VirtualServerRules = USUAL,
): VirtualServerStep {
  const servers = next.realServers.map((server, index) => {
    const at = before.realServers.findIndex((one) => sameKey(one.key, server.key));
    const [old, oldState] = [before.realServers[at], state.servers[at]];
    const share = spread(random, index);
    return old === undefined || oldState === undefined
      ? freshServer(server, false, share, now, "new in the configuration")
      : keptServer(old, oldState, server, share, now);
  });
  const turn = new Turn(next, { ...state, servers }, now, rules);
  turn.reconfigured(before);
  return { state: turn.state, outputs: turn.outputs };
}

/** When the next `timer` is to be delivered. */
export function nextDeadline(state: VirtualServerState): Instant | undefined {
  const deadlines = state.servers.flatMap(({ drain, checkers }) => [
    ...(drain?.done === false ? [drain.deadline] : []),
    ...checkers.map(({ nextAt }) => nextAt),
  ]);
  return deadlines.reduce(
    (least, one) => (least === undefined || (one !== undefined && one < least) ? one : least),
    undefined,
  );
}

/** One input's worth of changes. */
class Turn {
  readonly #parameters: VirtualServer;
  readonly #rules: VirtualServerRules;
  readonly #now: Instant;
  readonly outputs: VirtualServerOutput[] = [];
  /** keepalived tells of the checker last. */
  #checkMail: AlertMail | undefined;
  state: VirtualServerState;

  constructor(parameters: VirtualServer, state: VirtualServerState, now: Instant, rules: VirtualServerRules) {
    this.#parameters = parameters;
    this.#rules = rules;
    this.#now = now;
    this.state = state;
  }

  start(present: readonly PoolMember[] | undefined, random: number): void {
    const servers = this.#parameters.realServers.map((server, index) =>
      present === undefined
        ? freshServer(server, true, spread(random, index), this.#now, "start")
        : adoptedServer(this.#parameters, server, present, spread(random, index), this.#now),
    );
    const { sorryServer, quorum } = this.#parameters;
    const apologising = present !== undefined && isApologising(this.#parameters, present);
    const quorumUp = present !== undefined && !apologising && liveWeight(this.#parameters, servers) >= quorum;
    this.state = { running: true, quorumUp, suspended: false, servers, pool: present ?? [] };
    this.outputs.push({ type: present === undefined ? "add-services" : "edit-services" });
    this.#judge("start");
    if (!this.state.quorumUp && present === undefined) {
      if (sorryServer !== undefined) this.#apologise(sorryServer);
      this.#mailQuorum(liveWeight(this.#parameters, this.state.servers), true);
    }
    this.#move();
  }

  take(input: Exclude<VirtualServerInput, { type: "start" }>): void {
    switch (input.type) {
      case "timer":
        this.#timer();
        break;
      case "result":
        this.#result(input.server, input.checker, input.result);
        break;
      case "suspend":
        this.#suspend(input.on, input.random);
        break;
      case "drain": {
        const deadline = input.within === undefined ? undefined : after(this.#now, input.within);
        const under = this.state.servers[input.server]?.drain;
        // Asked again: another deadline for the same drain.
        const anew = under === undefined || under.done;
        const { since, active, inactive } = anew ? { since: this.#now, active: 0, inactive: 0 } : under;
        this.#change(input.server, { drain: { since, deadline, active, inactive, done: false } });
        if (anew) this.#drained(input.server, "started", "drain");
        break;
      }
      case "undrain":
        if (this.state.servers[input.server]?.drain === undefined) return;
        this.#drained(input.server, "ended", "undrain");
        this.#change(input.server, { drain: undefined });
        break;
      case "connections":
        this.#connections(input.server, input.active, input.inactive);
        return;
      case "stop":
        this.#stop();
        return;
      default:
        input satisfies never;
    }
    this.#judge(input.type === "drain" || input.type === "undrain" ? input.type : "check");
    this.#move();
    if (this.#checkMail !== undefined) this.outputs.push({ type: "mail", mail: this.#checkMail });
  }

  reconfigured(before: VirtualServer): void {
    const { services } = this.#parameters;
    const same = JSON.stringify(before.services) === JSON.stringify(services);
    // The driver compares keys; services that stay keep what they have.
    this.outputs.push({ type: "edit-services" });
    for (const [index, server] of this.state.servers.entries()) this.#recount(index, server.alive, "reload");
    this.#judge("reload");
    const pool = wantedPool(this.#parameters, this.state);
    if (!same) this.state = { ...this.state, pool };
    if (same) this.#move();
    else this.outputs.push({ type: "replace-servers", members: pool });
  }

  #timer(): void {
    for (const [server, { checkers, drain }] of this.state.servers.entries()) {
      for (const [checker, state] of checkers.entries()) {
        if (!due(state, this.#now)) continue;
        this.#changeChecker(server, checker, begun(state));
        this.outputs.push({ type: "probe", server, checker, step: state.step });
      }
      if (drain?.deadline !== undefined && !drain.done && drain.deadline <= this.#now) this.#cut(server);
    }
  }

  #result(server: number, checker: number, result: ProbeResult): void {
    const configured = this.#parameters.realServers[server];
    const asked = configured?.checkers[checker];
    const before = this.state.servers[server];
    const state = before?.checkers[checker];
    if (configured === undefined || asked === undefined || before === undefined || state === undefined) return;
    if (!state.running && asked.type !== "FILE_CHECK") return;
    const weight = weightOf(configured, before);
    const step = afterProbe(asked, state, result, this.#now);
    this.#changeChecker(server, checker, step.state);
    const current = this.state.servers[server] ?? before;
    const changed = weightOf(configured, current);
    if (changed !== weight) this.#weightChanged(configured, before.alive, weight, changed, result.detail);
    if (step.verdict === undefined) {
      const line = result.ok ? undefined : failureLine(this.#parameters, configured, asked, result);
      if (line !== undefined && asked.logAllFailures && state.up) this.#log(line);
      return;
    }
    const line = verdictLine(this.#parameters, configured, asked, result, step.retried);
    if (line !== undefined) this.#log(line);
    this.#event({
      kind: "check-state",
      virtualServer: this.#parameters.name,
      server: serverName(this.#parameters, configured.key),
      check: checkerName(asked),
      ok: result.ok,
      cause: result.detail,
    });
    this.#recount(server, before.alive, `${checkerName(asked)}: ${result.detail}`, !state.hasRun);
    const text = verdictText(asked, result);
    const { alive } = this.state.servers[server] ?? before;
    // That a server passes which counted as up is news from a MISC_CHECK only.
    const news = this.#rules.mailEveryCheck && (state.hasRun || !result.ok || asked.type === "MISC_CHECK");
    if (configured.smtpAlert && text !== undefined && (alive !== before.alive || news))
      this.#checkMail = realServerMail(this.#parameters, configured, alive, text);
  }

  /** Enters up or down when the checkers say otherwise than before. */
  #recount(index: number, wasAlive: boolean, cause: string, first = false): void {
    const server = this.#parameters.realServers[index];
    const state = this.state.servers[index];
    if (server === undefined || state === undefined) return;
    const alive = state.checkers.every(({ up }) => up);
    if (alive === wasAlive) {
      // keepalived tells the FIFO of the first verdict of a server that starts down.
      if (first && !alive) this.#fifo(`RS ${serverName(this.#parameters, server.key)} ${this.#parameters.name} DOWN`);
      else if (first && alive && this.#rules.initNotifies) this.#notify(server.notifyUp);
      return;
    }
    const name = serverName(this.#parameters, server.key);
    this.#change(index, { alive, since: this.#now, cause });
    const [verb, preposition] = server.inhibitOnFailure
      ? [alive ? "Enabling" : "Disabling", "of"]
      : [alive ? "Adding" : "Removing", alive ? "to" : "from"];
    this.#log(`${verb} service ${name} ${preposition} VS ${this.#parameters.name}`);
    this.#settle();
    this.#notify(alive ? server.notifyUp : server.notifyDown);
    this.#fifo(`RS ${name} ${this.#parameters.name} ${alive ? "UP" : "DOWN"}`);
    const [from, to] = alive ? (["DOWN", "UP"] as const) : (["UP", "DOWN"] as const);
    this.#event({ kind: "real-server-state", virtualServer: this.#parameters.name, server: name, from, to, cause });
  }

  #weightChanged(server: RealServer, alive: boolean, from: number, to: number, cause: string): void {
    const name = serverName(this.#parameters, server.key);
    const virtualServer = this.#parameters.name;
    this.#log(
      `Changing weight from ${from} to ${to} for ${alive ? "" : "in"}active service ${name} of VS ${virtualServer}`,
    );
    this.#event({ kind: "real-server-weight", virtualServer, server: name, from, to, cause });
  }

  /** Gained at quorum + hysteresis, lost below quorum − hysteresis or with nothing left. */
  #judge(cause: string): void {
    const { quorum, hysteresis, name, sorryServer } = this.#parameters;
    const weight = liveWeight(this.#parameters, this.state.servers);
    const up = this.state.quorumUp
      ? weight > 0 && weight >= quorum - hysteresis
      : weight > 0 && weight >= quorum + hysteresis;
    if (up === this.state.quorumUp) return;
    this.state = { ...this.state, quorumUp: up };
    const started = cause === "start" && this.state.pool.length === 0;
    if (up) {
      this.#log(`Gained quorum ${quorum}+${hysteresis}=${quorum + hysteresis} <= ${weight} for VS ${name}`);
      if (sorryServer !== undefined && !started) {
        const sorry = serverName(this.#parameters, sorryServer.key);
        this.#log(`${sorryServer.inhibit ? "Disabling" : "Removing"} sorry server ${sorry} from VS ${name}`);
        this.#log(`Adding alive servers to the pool for VS ${name}`);
      }
    } else {
      this.#log(`Lost quorum ${quorum}-${hysteresis}=${quorum - hysteresis} > ${weight} for VS ${name}`);
      if (sorryServer !== undefined) {
        this.#apologise(sorryServer);
        this.#log(`Removing alive servers from the pool for VS ${name}`);
      }
    }
    this.#move();
    this.#notify(up ? this.#parameters.quorumUp : this.#parameters.quorumDown);
    this.#fifo(`VS ${name} ${up ? "UP" : "DOWN"}`);
    this.#mailQuorum(weight, started);
    this.#event({ kind: "quorum-state", virtualServer: name, up, weight, cause });
  }

  #apologise({ key, inhibit }: SorryServer): void {
    const sorry = serverName(this.#parameters, key);
    this.#log(`${inhibit ? "Enabling" : "Adding"} sorry server ${sorry} to VS ${this.#parameters.name}`);
  }

  /**
   * The change of the table for a server that went up or down. When the quorum changes with it, both are one step: the last
   * server that works never leaves before the sorry server is there.
   */
  #settle(): void {
    const { quorum, hysteresis } = this.#parameters;
    const weight = liveWeight(this.#parameters, this.state.servers);
    const threshold = this.state.quorumUp ? quorum - hysteresis : quorum + hysteresis;
    const quorumUp = weight > 0 && weight >= threshold;
    this.#move(quorumUp);
  }

  /** Brings the table to what it should be. */
  #move(quorumUp = this.state.quorumUp): void {
    const pool = wantedPool(this.#parameters, { quorumUp, servers: this.state.servers });
    this.outputs.push(...poolChange(this.state.pool, pool));
    this.state = { ...this.state, pool };
  }

  #suspend(on: boolean, random: number): void {
    if (on === this.state.suspended) return;
    this.state = { ...this.state, suspended: on };
    for (const [index, { checkers }] of this.state.servers.entries()) {
      const configured = this.#parameters.realServers[index];
      if (configured === undefined) continue;
      const name = serverName(this.#parameters, configured.key);
      for (const [place, state] of checkers.entries()) {
        const checker = configured.checkers[place];
        if (checker === undefined) continue;
        const next = on ? suspended(state) : resumed(checker, state, spread(random, index + place), this.#now);
        this.#changeChecker(index, place, next);
        const verb = on ? "Suspend" : "Activat";
        this.#log(`${verb}ing healthchecker for service ${name} for VS ${this.#parameters.name}`);
      }
    }
    if (on) this.outputs.push({ type: "abort-probes" });
  }

  #connections(index: number, active: number, inactive: number): void {
    const drain = this.state.servers[index]?.drain;
    if (drain === undefined) return;
    const empty = active + inactive === 0;
    this.#change(index, { drain: { ...drain, active, inactive, done: drain.done || empty } });
    if (empty && !drain.done) this.#drained(index, "empty", "no connection left");
  }

  /** The deadline: what is left is cut off. */
  #cut(index: number): void {
    const drain = this.state.servers[index]?.drain;
    const member = this.state.pool.find(({ key }) => sameKey(key, this.#parameters.realServers[index]?.key ?? key));
    if (drain === undefined || member === undefined) return;
    this.outputs.push({ type: "reset-connections", member });
    this.#change(index, { drain: { ...drain, done: true } });
    this.#drained(index, "cut", "deadline");
  }

  #drained(index: number, phase: "started" | "empty" | "cut" | "ended", cause: string): void {
    const server = this.#parameters.realServers[index];
    const drain = this.state.servers[index]?.drain;
    if (server === undefined || drain === undefined) return;
    const name = serverName(this.#parameters, server.key);
    const { active, inactive } = drain;
    const words = { started: "Draining", empty: "Drained", cut: "Cut off what was left of", ended: "Undraining" }[
      phase
    ];
    this.#log(`${words} service ${name} of VS ${this.#parameters.name}`);
    this.#event({ kind: "drain", virtualServer: this.#parameters.name, server: name, phase, active, inactive, cause });
  }

  /** As keepalived leaves: each server is named, the services go; with `omega` the scripts are told. */
  #stop(): void {
    const { name, omega, quorumDown, realServers } = this.#parameters;
    this.outputs.push({ type: "abort-probes" });
    const silent = (state: RealServerState): RealServerState => ({ ...state, checkers: state.checkers.map(suspended) });
    for (const [index, server] of realServers.entries()) {
      const inhibited = server.inhibitOnFailure && this.state.servers[index]?.alive !== true ? "(inhibited) " : "";
      const what = serverName(this.#parameters, server.key);
      this.#log(`Shutting down ${inhibited}service ${what} from VS ${name}`);
      if (!omega || this.state.servers[index]?.alive !== true) continue;
      this.#notify(server.notifyDown);
      this.#fifo(`RS ${what} ${name} DOWN`);
    }
    if (omega) {
      this.#notify(quorumDown);
      this.#fifo(`VS ${name} DOWN`);
    }
    this.outputs.push({ type: "delete-services" });
    this.state = { ...this.state, running: false, servers: this.state.servers.map(silent), pool: [] };
  }

  #change(index: number, change: Partial<RealServerState>): void {
    const servers = this.state.servers.map((one, place) => (place === index ? { ...one, ...change } : one));
    this.state = { ...this.state, servers };
  }

  #changeChecker(server: number, checker: number, next: CheckerState): void {
    const checkers = (this.state.servers[server]?.checkers ?? []).map((one, place) => (place === checker ? next : one));
    this.#change(server, { checkers });
  }

  #log(line: string): void {
    this.outputs.push({ type: "log", level: "info", line });
  }
  #notify(command: RealServer["notifyUp"]): void {
    if (command !== undefined) this.outputs.push({ type: "notify", commands: [command] });
  }
  #fifo(line: string): void {
    this.outputs.push({ type: "fifo", line });
  }
  #mailQuorum(weight: number, starting: boolean): void {
    if (!this.#parameters.smtpAlert) return;
    this.outputs.push({ type: "mail", mail: quorumMail(this.#parameters, this.state.quorumUp, weight, starting) });
  }
  #event(event: VirtualServerEvent): void {
    this.outputs.push({ type: "event", event });
  }
}
