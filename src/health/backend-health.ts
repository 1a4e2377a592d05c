/**
 * Which servers of a backend are usable, and what HAProxy 2.6 writes to the log when that changes.
 *
 * Pure: a change of one server in, the next state and the log lines out. Sessions are the proxies' business: the director
 * knows none, and its lines say 0.
 */

import type { HealthChange } from "./server-health.ts";

export interface BackendParameters {
  readonly name: string;
  /** With it the check's own line gives the reason, and the server's line does not. */
  readonly logHealthChecks: boolean;
  readonly servers: readonly BackendServer[];
}

export interface BackendServer {
  readonly name: string;
  readonly backup: boolean;
  /** 0: never usable for load balancing. */
  readonly weight: number;
}

/** Names of the servers that are up. JSON. */
export interface BackendHealth {
  readonly up: readonly string[];
}

export interface BackendLine {
  readonly level: "emerg" | "alert" | "notice";
  readonly line: string;
}

export function serverChanged(
  parameters: BackendParameters,
  state: BackendHealth,
  server: string,
  change: HealthChange,
): { readonly state: BackendHealth; readonly lines: readonly BackendLine[] } {
  const others = state.up.filter((name) => name !== server);
  const next: BackendHealth = { up: change.up ? [...others, server] : others };
  const counts = usable(parameters, next);
  const backup = parameters.servers.find(({ name }) => name === server)?.backup === true;
  const who = `${backup ? "Backup " : ""}Server ${parameters.name}/${server}`;
  const lines: BackendLine[] = [
    change.up
      ? { level: "notice", line: upLine(parameters, who, change, counts) }
      : { level: "alert", line: downLine(parameters, who, change, counts) },
  ];
  if (isEmpty(counts) && !isEmpty(usable(parameters, state))) lines.push(noServer(parameters));
  return { state: next, lines };
}

interface Counts {
  readonly active: number;
  readonly backup: number;
}

function usable(parameters: BackendParameters, state: BackendHealth): Counts {
  const up = new Set(state.up);
  let active = 0;
  let backup = 0;
  for (const server of parameters.servers) {
    if (server.weight === 0 || !up.has(server.name)) continue;
    if (server.backup) backup++;
    else active++;
  }
  return { active, backup };
}

const isEmpty = ({ active, backup }: Counts): boolean => active === 0 && backup === 0;

const noServer = ({ name }: BackendParameters): BackendLine => ({
  level: "emerg",
  line: `backend ${name} has no server available!`,
});

function downLine(parameters: BackendParameters, who: string, change: HealthChange, counts: Counts): string {
  const what = change.by === "maintenance" ? "is going DOWN for maintenance" : `is DOWN${reason(parameters, change)}`;
  return `${who} ${what}. ${left(counts, "left")} 0 sessions active, 0 requeued, 0 remaining in queue.`;
}

function upLine(parameters: BackendParameters, who: string, change: HealthChange, counts: Counts): string {
  if (change.by === "maintenance") return `${who} is UP/READY (leaving forced maintenance).`;
  return `${who} is UP${reason(parameters, change)}. ${left(counts, "online")} 0 sessions requeued, 0 total in queue.`;
}

const reason = (parameters: BackendParameters, change: Extract<HealthChange, { by: "check" }>): string =>
  parameters.logHealthChecks ? "" : `, reason: ${change.cause}, check duration: ${change.durationMs}ms`;

function left({ active, backup }: Counts, word: "left" | "online"): string {
  const onBackup = active === 0 && backup > 0 ? " Running on backup." : "";
  return `${active} active and ${backup} backup servers ${word}.${onBackup}`;
}
