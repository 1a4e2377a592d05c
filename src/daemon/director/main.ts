/**
 * The director process: the health checks of haproxy.cfg's servers, once for all proxies, and the virtual servers of
 * keepalived.conf in the data plane.
 */

import type { LogLevel, ProxyConfiguration } from "../../config/model/proxy.ts";
import type { DirectorConfiguration } from "../../config/model/virtual-server.ts";
import type { ServerStatus } from "../../health/status.ts";
import { monotonicNow } from "../../sys/clock.ts";
import { chain } from "../../vrrp/verdict.ts";
import { serveSupervisor, tellEvent, tellSupervisor } from "../child.ts";
import type { EventBody } from "../events.ts";
import { daemonLog } from "../log/daemon-log.ts";
import { SEVERITY } from "../log/log.ts";
import { TargetLog } from "../log/targets.ts";
import type { ServerReport, StartMessage, StopOrder, ToChild } from "../messages.ts";
import { Director, type StatusChange, type Statuses } from "./director.ts";
import { LayerFour } from "./layer-four.ts";

const log = daemonLog("director");
const lastTexts = new Map<string, string>();
let director: Director | undefined;
let targets: TargetLog | undefined;
let proxy: ProxyConfiguration | undefined;
let layerFour: LayerFour | undefined;
/** Told by the director before, until one runs here. */
let adopted: Statuses = {};

serveSupervisor(
  {
    async start(message: StartMessage) {
      if (message.child !== "director") throw new Error(`a director was started as ${message.child}`);
      adopted = statusesOf(message.statuses);
      if (message.virtualServers !== undefined) layerFour = await startLayerFour(message.virtualServers, message.flush);
      tellQuorums();
      if (message.proxy !== undefined) startProxyChecks(message.proxy);
    },
    message(message: Exclude<ToChild, StartMessage>) {
      if (message.type === "drain") order(message);
      if (message.type !== "reconfigure") return;
      if ("proxy" in message) reconfigureProxy(message.proxy);
      else if ("virtualServers" in message) void reconfigureVirtualServers(message.virtualServers);
    },
    async stop(how: StopOrder) {
      director?.stop();
      await Promise.all([targets?.close(), layerFour?.stop(how.orphaned === true)]);
    },
    passesSignals: true,
    snapshot: () => layerFour?.report(),
  },
  log,
);

function startProxyChecks(configuration: ProxyConfiguration): void {
  proxy = configuration;
  targets ??= new TargetLog({ tag: configuration.global.logTag, pid: process.ppid });
  director = new Director({
    configuration,
    clock: { now: monotonicNow, wallMs: Date.now },
    log: writeLine,
    onStatus,
    random: Math.random,
  });
  director.adopt(adopted);
  director.start();
}

function reconfigureProxy(configuration: ProxyConfiguration | null): void {
  if (configuration === null) {
    director?.stop();
    director = undefined;
    proxy = undefined;
  } else if (director === undefined) startProxyChecks(configuration);
  else {
    proxy = configuration;
    director.reconfigure(configuration);
  }
}

const startLayerFour = (configuration: DirectorConfiguration, flush: boolean): Promise<LayerFour> =>
  LayerFour.start({ configuration, flush, log, publish: tellEventAndQuorum });

/** For those that track virtual servers: how they all stand, and every change. */
function tellQuorums(): void {
  for (const { name, up } of layerFour?.quorums() ?? [])
    tellSupervisor({ type: "virtual-server", name, up, cause: quorumInWords(name, up) });
}

function tellEventAndQuorum(event: EventBody): void {
  tellEvent(event);
  if (event.kind !== "quorum-state") return;
  const { virtualServer: name, up, cause } = event;
  tellSupervisor({ type: "virtual-server", name, up, cause: chain(cause, quorumInWords(name, up)) });
}

const quorumInWords = (name: string, up: boolean): string =>
  up ? `virtual server ${name} has its quorum` : `virtual server ${name} has lost its quorum`;

async function reconfigureVirtualServers(configuration: DirectorConfiguration | null): Promise<void> {
  if (configuration === null) {
    const old = layerFour;
    layerFour = undefined;
    await old?.stop(false);
  } else if (layerFour !== undefined) {
    layerFour.reconfigure(configuration);
    tellQuorums();
  } else {
    try {
      layerFour = await startLayerFour(configuration, false);
      tellQuorums();
    } catch (error) {
      log.write("alert", `virtual servers are not run: ${error instanceof Error ? error.message : error}`);
    }
  }
}

function order({ id, order: what }: Extract<ToChild, { type: "drain" }>): void {
  const result = layerFour?.drain(what) ?? { ok: false as const, error: "no virtual server is configured" };
  tellSupervisor({
    type: "done",
    id,
    value: result.ok ? result.value : undefined,
    error: result.ok ? undefined : result.error,
  });
}

/** To the backend's own log targets, and what needs a person to standard error as well. */
function writeLine(level: LogLevel, line: string, backend: string): void {
  for (const target of proxy?.backends.find((one) => one.name === backend)?.logs ?? [])
    targets?.write(target, level, line);
  if (SEVERITY[level] <= SEVERITY.notice) log.write(level, line);
}

function onStatus(backend: string, server: string, status: ServerStatus, change?: StatusChange): void {
  tellSupervisor({ type: "server-status", report: { backend, server, status } });
  const key = JSON.stringify([backend, server]);
  const from = lastTexts.get(key) ?? "INI";
  lastTexts.set(key, status.text);
  if (change !== undefined)
    tellEvent({ kind: "server-state", backend, server, from, to: status.text, cause: change.cause });
}

function statusesOf(reports: readonly ServerReport[]): Statuses {
  const statuses: Record<string, Record<string, ServerStatus>> = {};
  for (const { backend, server, status } of reports) {
    statuses[backend] ??= {};
    statuses[backend][server] = status;
    lastTexts.set(JSON.stringify([backend, server]), status.text);
  }
  return statuses;
}
