/** What `evenkeel status` says of virtual servers. JSON: counters are numbers here. */

import type { Instant } from "../../base/time.ts";
import type { VirtualServer } from "../../config/model/virtual-server.ts";
import type { ServerEntry, ServerKey, ServiceEntry, ServiceKey, TableStatus } from "../../director/plane.ts";
import { checkerName, serverName } from "../../health/checker-lines.ts";
import type { DrainState, VirtualServerState } from "../../health/virtual-server-messages.ts";
import { liveWeight, sameKey, weightOf } from "../../health/virtual-server-pool.ts";
import { keyIn } from "./virtual-server-driver.ts";

/** A service as the plane has it. */
export type FindService = (key: ServiceKey) => ServiceEntry | undefined;

export interface DirectorReport {
  readonly virtualServers: readonly VirtualServerReport[];
  readonly table: TableReport;
}

export interface TableReport {
  /** Entries that each of the two tables holds. */
  readonly capacity: number;
  readonly connections: number;
  readonly connectionsIpv4: number;
  readonly connectionsIpv6: number;
  readonly halfOpen: number;
  readonly refusedFull: number;
  /** Packets that were dropped or refused, by reason; those above zero. */
  readonly reasons: Readonly<Record<string, number>>;
}

export interface VirtualServerReport {
  readonly name: string;
  readonly services: readonly string[];
  readonly scheduler: string;
  readonly quorum: number;
  readonly quorumUp: boolean;
  /** Of all live servers together. */
  readonly weight: number;
  /** `ha_suspend`: no checks now. */
  readonly suspended: boolean;
  readonly sorryServer: { readonly name: string; readonly serving: boolean } | undefined;
  readonly servers: readonly RealServerReport[];
}

export interface RealServerReport {
  readonly name: string;
  readonly method: string;
  readonly state: "UP" | "DOWN" | "DRAIN";
  /** In the table; undefined when it is not there. */
  readonly weight: number | undefined;
  readonly configuredWeight: number;
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
  readonly connections: number;
  readonly since: Instant;
  readonly cause: string;
  readonly drain: DrainState | undefined;
  readonly checks: readonly CheckReport[];
}

export interface CheckReport {
  readonly name: string;
  readonly state: "passed" | "failed" | "waiting";
  /** Of the last probe; `retries` says how many failures were forgiven so far. */
  readonly detail: string;
  readonly at: Instant | undefined;
  readonly retries: number;
}

export function virtualServerReport(
  virtual: VirtualServer,
  state: VirtualServerState,
  find: FindService,
): VirtualServerReport {
  const { sorryServer } = virtual;
  return {
    name: virtual.name,
    services: virtual.services.map(serviceName),
    scheduler: virtual.scheduler,
    quorum: virtual.quorum,
    quorumUp: state.quorumUp,
    weight: liveWeight(virtual, state.servers),
    suspended: state.suspended,
    sorryServer:
      sorryServer === undefined
        ? undefined
        : {
            name: serverName(virtual, sorryServer.key),
            serving: state.pool.some(({ key, settings }) => sameKey(key, sorryServer.key) && settings.weight > 0),
          },
    servers: virtual.realServers.flatMap((server, index) => {
      const one = state.servers[index];
      if (one === undefined) return [];
      const pooled = state.pool.find(({ key }) => sameKey(key, server.key));
      const counted = entriesOf(virtual, server.key, find);
      const sum = (count: (entry: ServerEntry) => number) => counted.reduce((total, entry) => total + count(entry), 0);
      return [
        {
          name: serverName(virtual, server.key),
          method: server.settings.method,
          state: one.drain !== undefined ? ("DRAIN" as const) : one.alive ? ("UP" as const) : ("DOWN" as const),
          weight: pooled?.settings.weight,
          configuredWeight: weightOf(server, one),
          active: sum(({ active }) => active),
          inactive: sum(({ inactive }) => inactive),
          persistent: sum(({ persistent }) => persistent),
          connections: sum(({ counters }) => Number(counters.connections)),
          since: one.since,
          cause: one.cause,
          drain: one.drain,
          checks: server.checkers.flatMap((checker, place) => {
            const check = one.checkers[place];
            if (check === undefined) return [];
            const { last, retries, up } = check;
            return [
              {
                name: checkerName(checker),
                state: last === undefined ? ("waiting" as const) : up ? ("passed" as const) : ("failed" as const),
                detail: last?.detail ?? "not asked yet",
                at: last?.at,
                retries,
              },
            ];
          }),
        },
      ];
    }),
  };
}

export function tableReport({ refusedFull, reasons, ...table }: TableStatus): TableReport {
  const counted = Object.entries(reasons).flatMap(([name, count]) =>
    count > 0n ? [[name, Number(count)] as const] : [],
  );
  return { ...table, refusedFull: Number(refusedFull), reasons: Object.fromEntries(counted) };
}

/** A server as the table has it, in each of the services. */
export const entriesOf = (virtual: VirtualServer, key: ServerKey, find: FindService): ServerEntry[] =>
  virtual.services.flatMap(
    (service) => find(service)?.servers.filter((one) => sameKey(one.key, keyIn(service, key))) ?? [],
  );

/** `TCP 10.0.0.1:80`, `FWM 3`. */
function serviceName(key: ServiceKey): string {
  if (key.kind === "mark") return `FWM ${key.mark}${key.family === 6 ? " IPv6" : ""}`;
  const address = key.address.includes(":") ? `[${key.address}]` : key.address;
  return `${key.protocol.toUpperCase()} ${address}:${key.port}`;
}
