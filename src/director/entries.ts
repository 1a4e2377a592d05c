/** Puts together what listings show of services and servers: settings, connections, counters, rates. Only reads. */

import type { ServerRow } from "./encoding.ts";
import { NOTHING, plus, rounded, since } from "./figures.ts";
import type { Inventory, ServiceRow } from "./inventory.ts";
import { keyNumber, numberKey } from "./layouts.ts";
import type { ServerEntry, ServiceEntry } from "./plane.ts";
import type { Store } from "./store.ts";

export function readEntries(
  { set, layouts, figures }: Store,
  inventory: Inventory,
  rows: readonly ServiceRow[],
): readonly ServiceEntry[] {
  const { maps } = set;
  const goneByService = Map.groupBy(inventory.gone.values(), ({ service }) => service);
  const numbers = rows
    .flatMap((row) => [...row.servers, ...(goneByService.get(row.number) ?? [])])
    .map((row) => row.number);
  const { counted, smoothed } = figures.all(numbers);
  const zeros = new Map(
    Array.from(maps.server_records.entries(), ([key, value]) => [
      keyNumber(key),
      layouts.serverRecord.decode(value).zero,
    ]),
  );

  const serverEntry = (row: ServerRow): ServerEntry => {
    const state = maps.server_states.lookup(numberKey(row.number));
    const { active, inactive, persistent } =
      state === undefined ? { active: 0, inactive: 0, persistent: 0 } : layouts.serverState.decode(state);
    return {
      key: row.key,
      settings: row.settings,
      active,
      inactive,
      persistent,
      counters: since(zeros.get(row.number) ?? NOTHING, counted(row.number)),
      rates: rounded(smoothed(row.number)),
    };
  };

  return rows.map((row) => {
    const record = inventory.records.get(row.number);
    // Servers that went have counted for their service too; it has one estimator, and sums of averages are that.
    const all = [...row.servers, ...(goneByService.get(row.number) ?? [])];
    const sum = all.reduce((total, { number }) => plus(total, counted(number)), record?.removed ?? NOTHING);
    const rates = all.reduce((total, { number }) => plus(total, smoothed(number)), NOTHING);
    const state = maps.service_states.lookup(numberKey(row.number));
    return {
      key: row.key,
      settings: row.settings,
      servers: row.servers.map(serverEntry),
      counters: since(record?.zero ?? NOTHING, sum),
      rates: rounded(rates),
      noDestination: state === undefined ? 0n : layouts.serviceState.decode(state).no_destination,
    };
  });
}
