/**
 * A proxy process: takes the listening sockets that the supervisor opened, drops to an unprivileged user before the first
 * byte of a stranger is read, and runs the engine.
 */

import { hostname } from "node:os";
import type { ProxyGlobal } from "../../config/model/proxy.ts";
import { ProxyEngine } from "../../proxy/engine.ts";
import type { ProxyStatistics } from "../../proxy/statistics.ts";
import { SystemError } from "../../sys/addon.ts";
import { monotonicNow } from "../../sys/clock.ts";
import { NetTransport } from "../../sys/net-transport.ts";
import { dropTo } from "../../sys/privileges.ts";
import { serveSupervisor, tellSupervisor } from "../child.ts";
import { daemonLog } from "../log/daemon-log.ts";
import { TargetLog } from "../log/targets.ts";
import type { StartMessage, StopOrder, ToChild } from "../messages.ts";
import { descriptorLimit, maxconnOf } from "./descriptor-limit.ts";
import { proxyIdentity } from "./identity.ts";

const log = daemonLog("proxy");
const collecting = new Map<number, (statistics: ProxyStatistics) => void>();
let nextCollection = 1;
let engine: ProxyEngine | undefined;
let traffic: TargetLog | undefined;

/** Longest wait for the other proxies' figures, milliseconds. */
const COLLECT_WITHIN_MS = 3_000;

serveSupervisor(
  {
    async start(message: StartMessage) {
      if (message.child !== "proxy") throw new Error(`a proxy was started as ${message.child}`);
      const { configuration, pid } = message;
      const host = configuration.global.node ?? hostname();
      traffic = new TargetLog({ tag: configuration.global.logTag, pid });
      engine = new ProxyEngine({
        configuration,
        transport: new NetTransport(),
        clock: { now: monotonicNow, wallClockMs: Date.now },
        log: traffic,
        random: Math.random,
        collect,
        hostname: host,
        pid: process.pid,
        version: message.version,
        processes: configuration.global.nbthread,
        defaultMaxconn: maxconnOf(descriptorLimit()),
      });
      for (const { backend, server, status } of message.statuses) engine.setServerStatus(backend, server, status);
      dropPrivileges(configuration.global);
      for (const { frontend, bind, fd } of message.listeners) engine.listen(frontend, bind, fd);
    },
    message(message: Exclude<ToChild, StartMessage>) {
      if (message.type === "server-status") {
        const { backend, server, status } = message.report;
        engine?.setServerStatus(backend, server, status);
      } else if (message.type === "collected") {
        collecting.get(message.id)?.(message.statistics);
      }
    },
    async stop({ hardAfterMs, replaced }: StopOrder) {
      if (engine === undefined) return;
      const running = engine;
      const timer = hardAfterMs === undefined ? undefined : setTimeout(() => running.hardStop(), hardAfterMs);
      await running.softStop(replaced ? "keep" : "close");
      clearTimeout(timer);
      await traffic?.close();
    },
    snapshot: () => engine?.statistics(),
  },
  log,
);

/** The sum over all proxy processes; without a supervisor that answers, this one's figures. */
function collect(): Promise<ProxyStatistics> {
  return new Promise((resolve, reject) => {
    if (engine === undefined) return reject(new Error("not started"));
    const own = engine;
    if (!process.connected) return resolve(own.statistics());
    const id = nextCollection++;
    const timer = setTimeout(() => finish(own.statistics()), COLLECT_WITHIN_MS);
    const finish = (statistics: ProxyStatistics) => {
      clearTimeout(timer);
      collecting.delete(id);
      resolve(statistics);
    };
    collecting.set(id, finish);
    tellSupervisor({ type: "collect", id });
  });
}

function dropPrivileges(global: ProxyGlobal): void {
  if (process.getuid?.() !== 0) return;
  const identity = proxyIdentity(global);
  if (identity.uid === 0) return;
  try {
    dropTo(identity);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log.write(
      "warning",
      `proxy stays user 0: changing to user ${identity.uid} failed (${error.code}); inside a user namespace that maps one user only, this is as expected`,
    );
  }
}
