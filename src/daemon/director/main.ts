/** The director process: runs the health checks once for all proxies and tells what came of them. */

import type { LogLevel, ProxyConfiguration } from "../../config/model/proxy.ts";
import type { ServerStatus } from "../../health/status.ts";
import { monotonicNow } from "../../sys/clock.ts";
import { serveSupervisor, tellEvent, tellSupervisor } from "../child.ts";
import { SEVERITY, standardErrorLog } from "../log/log.ts";
import { TargetLog } from "../log/targets.ts";
import type { ServerReport, StartMessage, ToChild } from "../messages.ts";
import { Director, type StatusChange, type Statuses } from "./director.ts";

const log = standardErrorLog(process.env, process.stderr.isTTY === true);
const lastTexts = new Map<string, string>();
let director: Director | undefined;
let targets: TargetLog | undefined;
let configuration: ProxyConfiguration | undefined;

serveSupervisor(
  {
    async start(message: StartMessage) {
      if (message.child !== "director") throw new Error(`a director was started as ${message.child}`);
      configuration = message.configuration;
      const { global } = configuration;
      targets = new TargetLog({ tag: global.logTag, pid: process.ppid });
      director = new Director({
        configuration,
        clock: { now: monotonicNow, wallMs: Date.now },
        log: writeLine,
        onStatus,
        random: Math.random,
      });
      director.adopt(statusesOf(message.statuses));
      director.start();
    },
    message(message: Exclude<ToChild, StartMessage>) {
      if (message.type !== "reconfigure" || !("proxy" in message)) return;
      configuration = message.proxy;
      director?.reconfigure(message.proxy);
    },
    async stop() {
      director?.stop();
      await targets?.close();
    },
    snapshot: () => director?.statuses(),
  },
  log,
);

/** To the backend's own log targets, and what needs a person to standard error as well. */
function writeLine(level: LogLevel, line: string, backend: string): void {
  for (const target of configuration?.backends.find((one) => one.name === backend)?.logs ?? [])
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
