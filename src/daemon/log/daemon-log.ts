/**
 * Where the daemon's own lines go, chosen by the process that starts all others and handed down in the environment:
 * standard error (`evenkeel run`), or as keepalived does it: syslog by /dev/log, the console, a file a process.
 *
 * A line that nobody takes is lost; logging never waits.
 */

import { appendFileSync } from "node:fs";
import { openUnixDatagram, type UnixDatagram } from "../../sys/unix-datagram.ts";
import { asctime, type Log, SEVERITY, standardErrorLog } from "./log.ts";

export type LogProcess = "parent" | "vrrp" | "director" | "proxy";

export interface LogPlan {
  readonly console: boolean;
  /** Undefined: no syslog. */
  readonly facility: number | undefined;
  /** `/var/log/keepalived.log`; children put their suffix before the extension. */
  readonly file: string | undefined;
  /** `net_namespace` and `instance`, appended to the identity: `_NAME`. */
  readonly suffix: string;
}

const VARIABLE = "EVENKEEL_LOG";
const DEV_LOG = "/dev/log";

const IDENTITIES: Readonly<Record<LogProcess, readonly [ident: string, fileSuffix: string]>> = {
  parent: ["Keepalived", ""],
  vrrp: ["Keepalived_vrrp", "_vrrp"],
  director: ["Keepalived_healthcheckers", "_healthcheckers"],
  proxy: ["Keepalived_proxy", "_proxy"],
};

/** What children are to find in their environment. */
export const logEnvironment = (plan: LogPlan): Record<string, string> => ({ [VARIABLE]: JSON.stringify(plan) });

/** The log of this process. */
export function daemonLog(which: LogProcess, environment: NodeJS.ProcessEnv = process.env): Log {
  const planned = environment[VARIABLE];
  const onStandardError = standardErrorLog(environment, process.stderr.isTTY === true);
  return planned === undefined ? onStandardError : plannedLog(JSON.parse(planned) as LogPlan, which, onStandardError);
}

export function plannedLog(plan: LogPlan, which: LogProcess, onStandardError: Log): Log {
  const [ident, fileSuffix] = IDENTITIES[which];
  const file = plan.file === undefined ? undefined : fileFor(plan.file, fileSuffix);
  let socket: UnixDatagram | undefined;
  return {
    write(level, text) {
      const now = new Date();
      if (plan.console) onStandardError.write(level, text);
      if (file !== undefined) append(file, `${asctime(now)}: ${text}\n`);
      if (plan.facility === undefined) return;
      socket ??= openUnixDatagram(DEV_LOG);
      const [, month, day, clock] = asctime(now).match(/^\S+ (\S+) (..) (\S+)/) ?? [];
      const priority = plan.facility * 8 + SEVERITY[level];
      socket.send(`<${priority}>${month} ${day} ${clock} ${ident}${plan.suffix}[${process.pid}]: ${text}`);
    },
  };
}

/** `/var/log/k.log` with `_vrrp` is `/var/log/k_vrrp.log`. */
export const fileFor = (path: string, suffix: string): string => path.replace(/(\.[^./]*)?$/, `${suffix}$1`);

function append(path: string, line: string): void {
  try {
    appendFileSync(path, line, { mode: 0o644 });
  } catch {
    // A full disk must not stop a VRRP router.
  }
}
