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
import { dropTo, lookupGroup, lookupUser } from "../../sys/privileges.ts";
import { serveSupervisor, tellSupervisor } from "../child.ts";
import { standardErrorLog } from "../log/log.ts";
import { TargetLog } from "../log/targets.ts";
import type { StartMessage, ToChild } from "../messages.ts";

const log = standardErrorLog(process.env, process.stderr.isTTY === true);
const collecting = new Map<number, (statistics: ProxyStatistics) => void>();
let nextCollection = 1;
let engine: ProxyEngine | undefined;

serveSupervisor(
  {
    async start(message: StartMessage) {
      if (message.child !== "proxy") throw new Error(`a proxy was started as ${message.child}`);
      const { configuration, pid } = message;
      const host = configuration.global.node ?? hostname();
      engine = new ProxyEngine({
        configuration,
        transport: new NetTransport(),
        clock: { now: monotonicNow, wallClockMs: Date.now },
        log: new TargetLog({ hostname: host, tag: configuration.global.logTag, pid }),
        random: Math.random,
        collect,
        hostname: host,
        pid,
        version: message.version,
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
        collecting.delete(message.id);
      }
    },
    async stop(hardAfterMs: number | undefined) {
      if (engine === undefined) return;
      const running = engine;
      const timer = hardAfterMs === undefined ? undefined : setTimeout(() => running.hardStop(), hardAfterMs);
      await running.softStop();
      clearTimeout(timer);
    },
    snapshot: () => engine?.statistics(),
  },
  log,
);

/** The sum over all proxy processes; without a supervisor to ask, this one's figures. */
function collect(): Promise<ProxyStatistics> {
  return new Promise((resolve, reject) => {
    if (engine === undefined) return reject(new Error("not started"));
    if (!process.connected) return resolve(engine.statistics());
    const id = nextCollection++;
    collecting.set(id, resolve);
    tellSupervisor({ type: "collect", id });
  });
}

/** `user`, `group`, `uid`, `gid` of `global`; without any of them root becomes nobody. */
function dropPrivileges(global: ProxyGlobal): void {
  if (process.getuid?.() !== 0) return;
  const user = global.user === undefined ? undefined : lookupUser(global.user);
  if (global.user !== undefined && user === undefined) throw new Error(`user ${global.user} does not exist`);
  const named = global.uid ?? user?.uid;
  const fallback = lookupUser("nobody");
  const uid = named ?? fallback?.uid ?? 65534;
  const gid =
    global.gid ??
    (global.group === undefined ? undefined : lookupGroup(global.group)) ??
    user?.gid ??
    fallback?.gid ??
    65534;
  if (uid === 0) return;
  try {
    dropTo({ uid, gid });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log.write(
      "warning",
      `proxy stays user 0: changing to user ${uid} failed (${error.code}); inside a user namespace that maps one user only, this is as expected`,
    );
  }
}
