/**
 * What a scheduler needs beside the list: tables of sh, dh and mh, figures of the weights.
 *
 * bpf/structs.h, `ek_service`; which change asks for a new table is ip_vs_sh.c's, ip_vs_dh.c's and ip_vs_mh.c's. Pure.
 */

import { destinationHashTable, NOBODY, sourceHashTable } from "../balance/ipvs/hash-tables.ts";
import { MAGLEV_TABLE_SIZE, maglevTable } from "../balance/ipvs/maglev.ts";
import { ipToBytes } from "../base/ip.ts";
import type { ServerRow } from "./encoding.ts";
import { PlaneError, type SchedulerName } from "./plane.ts";

/** Server numbers by bucket; undefined: this scheduler has no table. @throws PlaneError ENOMEM: too many for mh */
export function schedulerTable(scheduler: SchedulerName, servers: readonly ServerRow[]): Uint32Array | undefined {
  const positions = positionTable(scheduler, servers);
  return positions?.map((position) => (position === NOBODY ? NOBODY : (servers[position]?.number ?? NOBODY)));
}

function positionTable(scheduler: SchedulerName, servers: readonly ServerRow[]): Uint32Array | undefined {
  switch (scheduler) {
    case "sh":
      return sourceHashTable(servers.map(({ settings }) => settings));
    case "dh":
      return destinationHashTable(servers.length);
    case "mh":
      if (servers.length > MAGLEV_TABLE_SIZE) {
        throw new PlaneError(
          "ENOMEM",
          `mh has room for ${MAGLEV_TABLE_SIZE} servers a service; another scheduler has more`,
        );
      }
      return maglevTable(
        servers.map(({ key, lastWeight }) => ({ address: ipToBytes(key.address), port: key.port, lastWeight })),
      );
    default:
      return undefined;
  }
}

/** What the table hangs on besides who is in the list. Equal texts: the table may stay. */
export function tableInputs(scheduler: SchedulerName, servers: readonly ServerRow[]): string {
  if (scheduler === "sh") return `sh ${servers.map(({ settings }) => settings.weight)}`;
  if (scheduler === "mh") return `mh ${servers.map(({ lastWeight }) => lastWeight)}`;
  return scheduler === "dh" ? "dh" : "";
}
