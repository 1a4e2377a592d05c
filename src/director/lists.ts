/**
 * Writes a service with its list of servers and its scheduler's table, so that packets see the old or the new one.
 *
 * New lists and tables go to free room; the one update of the service switches. l4.md §4 row 19.
 */

import { currentCursor, cursorAfterEdit, encodeCursor, firstCursor } from "../balance/ipvs/cursor.ts";
import { weightFigures } from "../balance/ipvs/weights.ts";
import { schedulerTable, tableInputs } from "./arrangement.ts";
import { type ServerRow, serviceKeyStruct, serviceSettingsStruct } from "./encoding.ts";
import { CHUNK_SLOTS, chunksOf, type Inventory, NO_RUN, type Run, type ServiceRow } from "./inventory.ts";
import { numberKey } from "./layouts.ts";
import { PlaneError, type ServiceSettings } from "./plane.ts";
import type { Store } from "./store.ts";

/** What a service was made of, seen before its servers are edited: an edit may leave list and table where they are. */
export interface Before {
  readonly servers: readonly ServerRow[];
  readonly inputs: string;
}

export const beforeEdit = ({ servers, settings }: ServiceRow): Before => ({
  servers,
  inputs: tableInputs(settings.scheduler, servers),
});

/**
 * @param before of a service that has been written once; its servers may have other settings by now
 * @throws PlaneError ENOMEM: no room; nothing was changed
 */
export function writeService(
  store: Store,
  inventory: Inventory,
  row: ServiceRow,
  change: { readonly servers: readonly ServerRow[]; readonly settings: ServiceSettings },
  before: Before | undefined,
): void {
  const { servers, settings } = change;
  const { layouts } = store;
  const sameList = before?.servers === servers;
  const sameTable = sameList && before.inputs === tableInputs(settings.scheduler, servers);
  const table = sameTable ? undefined : schedulerTable(settings.scheduler, servers);
  const list = sameList
    ? row.list
    : write(
        store,
        inventory,
        Uint32Array.from(servers, ({ number }) => number),
      );
  let newTable = sameTable ? row.table : NO_RUN;
  if (table !== undefined) {
    try {
      newTable = write(store, inventory, table);
    } catch (error) {
      if (!sameList) inventory.room.giveBack(list.first, chunksOf(list));
      throw error;
    }
  }
  const weights = weightFigures(servers.map((server) => server.settings.weight));
  const generation = (row.generation + 1) & 0xffff || 1;
  const cursor = encodeCursor(cursorOf(store, row, change, before), generation);
  const value = layouts.service.encode({
    number: row.number,
    ...serviceSettingsStruct(settings),
    list_first: list.first,
    list_count: list.count,
    table_first: newTable.first,
    table_size: newTable.count,
    weight_max: weights.max,
    weight_gcd: weights.gcd,
    weight_sum: Math.min(weights.sum, 0xffff_ffff),
    generation,
    cursor,
  });
  store.set.maps.services.update(layouts.serviceKey.encode(serviceKeyStruct(row.key)), value);
  if (!sameList) inventory.room.giveBack(row.list.first, chunksOf(row.list));
  if (!sameTable) inventory.room.giveBack(row.table.first, chunksOf(row.table));
  Object.assign(row, { servers, settings, list, table: newTable, generation, cursor });
}

/** Where rr and wrr go on. */
function cursorOf(
  { set, layouts }: Store,
  row: ServiceRow,
  { servers, settings }: { readonly servers: readonly ServerRow[]; readonly settings: ServiceSettings },
  before: Before | undefined,
) {
  const { scheduler } = settings;
  const turns = (rows: readonly ServerRow[]) => rows.map(({ number, settings: { weight } }) => ({ number, weight }));
  if (before === undefined || scheduler !== row.settings.scheduler) return firstCursor(scheduler, turns(servers));
  if (scheduler !== "rr" && scheduler !== "wrr") return { position: 0, weight: 0 };
  const state = set.maps.service_states.lookup(numberKey(row.number));
  const ofState = state === undefined ? 0n : layouts.serviceState.decode(state).cursor;
  const cursor = currentCursor(row, ofState);
  // An edit of the service alone moves nothing.
  if (settings !== row.settings) return cursor;
  return cursorAfterEdit(scheduler, cursor, turns(before.servers), turns(servers));
}

/** Puts slots into free room. */
function write({ set }: Store, inventory: Inventory, slots: Uint32Array): Run {
  const { lists } = set.maps;
  const chunks = Math.ceil(slots.length / CHUNK_SLOTS);
  const first = inventory.room.take(chunks);
  if (first === undefined) {
    throw new PlaneError(
      "ENOMEM",
      `no room for ${slots.length} more of ${lists.information.maxEntries * CHUNK_SLOTS} places in lists and tables: ` +
        "an mh service takes 4096 of them, sh and dh 256; use another scheduler or fewer services",
    );
  }
  for (let chunk = 0; chunk < chunks; chunk++) {
    const bytes = new Uint8Array(CHUNK_SLOTS * 4);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < CHUNK_SLOTS; at++) {
      view.setUint32(at * 4, slots[chunk * CHUNK_SLOTS + at] ?? 0xffff_ffff, true);
    }
    lists.update(numberKey(first + chunk), bytes);
  }
  return { first, count: slots.length };
}
