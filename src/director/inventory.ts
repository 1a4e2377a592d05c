/**
 * What the maps hold, in memory: services, real servers, which numbers and which room are free.
 *
 * Read from the maps when they are opened and whenever somebody else has changed them; `tables.ts` keeps the two in step.
 * Nothing is known here that the maps do not say. A change that was cut short (its process was killed) is put right: what
 * says that it is in a list and is in none has gone.
 */

import {
  type ServerRow,
  serverRowFrom,
  serverText,
  serviceKeyFrom,
  serviceSettingsFrom,
  serviceText,
} from "./encoding.ts";
import { type CountersStruct, keyNumber, type Layouts, numberKey, type ServiceStruct } from "./layouts.ts";
import type { MapSet } from "./map-set.ts";
import type { ServerKey, ServiceKey, ServiceSettings } from "./plane.ts";
import { Room } from "./room.ts";

/** A run of slots in `lists`. */
export interface Run {
  /** Chunk. */
  readonly first: number;
  /** Slots. */
  readonly count: number;
}

export interface ServiceRow {
  readonly key: ServiceKey;
  readonly number: number;
  settings: ServiceSettings;
  /** In scheduling order. */
  servers: readonly ServerRow[];
  list: Run;
  table: Run;
  generation: number;
  /** Of rr and wrr: `ek_service.cursor`. */
  cursor: bigint;
}

/** Of a service number: outlives its service while servers of it are gone and not yet forgotten. */
export interface NumberRecord {
  readonly key: ServiceKey;
  readonly removed: CountersStruct;
  readonly zero: CountersStruct;
}

/** Slots of a chunk (EK_CHUNK_SLOTS). */
export const CHUNK_SLOTS = 64;
export const chunksOf = (run: Run): number => Math.ceil(run.count / CHUNK_SLOTS);
export const NO_RUN: Run = { first: 0, count: 0 };

const EMPTY = 0;

export class Inventory {
  /** By `serviceText`. */
  readonly services = new Map<string, ServiceRow>();
  readonly byNumber = new Map<number, ServiceRow>();
  /** By number; live and gone. */
  readonly servers = new Map<number, ServerRow>();
  /** Those that are gone, by service number and `serverText`. */
  readonly gone = new Map<string, ServerRow>();
  /** By service number. */
  readonly records = new Map<number, NumberRecord>();
  readonly freeServers: number[];
  readonly freeServices: number[];
  readonly room: Room;
  /** Live servers that should be marked as gone: a change was cut short. */
  readonly orphans: ServerRow[] = [];
  /** Numbers of service records that nothing belongs to. */
  readonly stale: number[] = [];
  #marks = 0;
  #anyPort = 0;

  constructor(set: MapSet, layouts: Layouts, nextChunk: number, settle: () => void) {
    const { maps } = set;
    this.room = new Room(maps.lists.information.maxEntries, nextChunk, settle);
    const goneNs = new Map<number, bigint>();
    for (const [key, value] of maps.server_records.entries()) {
      goneNs.set(keyNumber(key), layouts.serverRecord.decode(value).gone_ns);
    }
    const flags = layouts.offsets("ek_server")("flags");
    for (const [key, value] of maps.servers.entries()) {
      if (value[flags] === EMPTY) continue;
      const number = keyNumber(key);
      this.servers.set(number, serverRowFrom(number, layouts.server.decode(value), goneNs.get(number) ?? 0n));
    }
    for (const [key, value] of maps.services.entries()) {
      this.#readService(serviceKeyFrom(layouts.serviceKey.decode(key)), layouts.service.decode(value), set);
    }
    for (const [key, value] of maps.service_records.entries()) {
      const { key: service, removed, zero } = layouts.serviceRecord.decode(value);
      this.records.set(keyNumber(key), { key: serviceKeyFrom(service), removed, zero });
    }
    const listed = new Set<ServerRow>();
    for (const { servers } of this.services.values()) for (const row of servers) listed.add(row);
    for (const row of this.servers.values()) {
      if (!row.live) this.gone.set(goneText(row.service, row.key), row);
      else if (!listed.has(row)) this.orphans.push(row);
    }
    this.freeServers = freeNumbers(maps.servers.information.maxEntries, this.servers);
    const serviceNumbers = new Set(this.byNumber.keys());
    for (const { service } of this.servers.values()) serviceNumbers.add(service);
    for (const number of this.records.keys()) if (!serviceNumbers.has(number)) this.stale.push(number);
    this.freeServices = freeNumbers(maps.service_states.information.maxEntries, serviceNumbers);
  }

  get inUse(): boolean {
    return this.services.size > 0 || this.servers.size > 0;
  }
  get marks(): boolean {
    return this.#marks > 0;
  }
  get anyPort(): boolean {
    return this.#anyPort > 0;
  }
  /** The balancer's own traffic comes back as NAT's does, whatever the method (bpf/birth.h). */
  get replies(): boolean {
    return this.servers.size > 0;
  }

  insertService(row: ServiceRow): void {
    this.services.set(serviceText(row.key), row);
    this.byNumber.set(row.number, row);
    this.#countService(row, 1);
  }

  removeService(row: ServiceRow): void {
    this.services.delete(serviceText(row.key));
    this.byNumber.delete(row.number);
    this.#countService(row, -1);
  }

  insertServer(row: ServerRow): void {
    this.servers.set(row.number, row);
  }

  /** It is neither live nor gone: its number is free. */
  removeServer(row: ServerRow): void {
    this.servers.delete(row.number);
    this.gone.delete(goneText(row.service, row.key));
    this.freeServers.push(row.number);
  }

  /** Numbers of all servers, gone ones too, that belong to a service number. */
  goneOf(service: number): ServerRow[] {
    return Array.from(this.gone.values()).filter((row) => row.service === service);
  }

  #readService(key: ServiceKey, struct: ServiceStruct, set: MapSet): void {
    const list = { first: struct.list_first, count: struct.list_count };
    const table = { first: struct.table_first, count: struct.table_size };
    this.room.occupy(list.first, chunksOf(list));
    this.room.occupy(table.first, chunksOf(table));
    this.insertService({
      key,
      number: struct.number,
      settings: serviceSettingsFrom(struct),
      servers: slotsOf(set, list).flatMap((number) => this.servers.get(number) ?? []),
      list,
      table,
      generation: struct.generation,
      cursor: struct.cursor,
    });
  }

  #countService({ key }: ServiceRow, by: number): void {
    if (key.kind === "mark") this.#marks += by;
    else if (key.port === 0) this.#anyPort += by;
  }
}

export const goneText = (service: number, key: ServerKey): string => `${service} ${serverText(key)}`;

function slotsOf({ maps }: MapSet, run: Run): number[] {
  const slots: number[] = [];
  for (let chunk = run.first; slots.length < run.count; chunk++) {
    const value = maps.lists.lookup(numberKey(chunk));
    if (value === undefined) break;
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    for (let at = 0; at < CHUNK_SLOTS && slots.length < run.count; at++) slots.push(view.getUint32(at * 4, true));
  }
  return slots;
}

/** So that `pop` gives the lowest. */
function freeNumbers(most: number, taken: { has(number: number): boolean }): number[] {
  const free: number[] = [];
  for (let number = most - 1; number >= 0; number--) if (!taken.has(number)) free.push(number);
  return free;
}
