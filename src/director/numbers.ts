/**
 * Numbers of services and real servers: given out, kept while something refers to them, given out anew.
 *
 * IPVS keeps a deleted server while connections refer to it and for two minutes at least, and takes the same one back into
 * service when it is added again (ip_vs_ctl.c, the trash). Here that is the server's number: connections name their
 * server by it, so it is nobody else's before the last of them has ended. A service's number lasts as long as the numbers of
 * its servers.
 */

import { cursorGeneration } from "../balance/ipvs/cursor.ts";
import { type ServerRow, serverStruct, serviceKeyStruct, serviceText } from "./encoding.ts";
import { NOTHING, plus } from "./figures.ts";
import { goneText, type Inventory, type NumberRecord, type ServiceRow } from "./inventory.ts";
import { numberKey } from "./layouts.ts";
import type { ServerSpec } from "./plane.ts";
import { type OnServerDown, PlaneError, type ServerSettings, type ServiceKey } from "./plane.ts";
import type { Store } from "./store.ts";

const KEPT_NS = 120_000_000_000n;
/** How often servers that are gone are looked at, at most. */
const LOOK_NS = 10_000_000_000n;

export class Numbers {
  readonly #store: Store;
  readonly #inventory: Inventory;
  #nextLook = 0n;

  constructor(store: Store, inventory: Inventory) {
    this.#store = store;
    this.#inventory = inventory;
  }

  /** Puts right what a killed process left half done (`inventory.ts`). */
  repair(): void {
    const inventory = this.#inventory;
    for (const row of inventory.orphans) this.markGone(row, row.onServerDown);
    for (const number of inventory.stale) this.#dropRecord(number);
  }

  /**
   * For a new service: the number it had while servers of it are kept, else a free one. It has counted nothing.
   * `generation` is that of the cursor which the last service with this number left: a new one must have another.
   */
  forService(key: ServiceKey): { readonly number: number; readonly generation: number } {
    const inventory = this.#inventory;
    const text = serviceText(key);
    for (const [number, record] of inventory.records) {
      if (inventory.byNumber.has(number) || serviceText(record.key) !== text) continue;
      // Another service than the old one, though its servers may come back: IPVS zeroes what they counted.
      this.zero(number, key, []);
      return { number, generation: this.#beginState(number) };
    }
    const number = this.#free(inventory.freeServices, "services");
    this.#writeRecord(number, { key, removed: NOTHING, zero: NOTHING });
    return { number, generation: this.#beginState(number) };
  }

  /** What the programs keep of a service, empty. A program under way may still write a cursor, of the old generation. */
  #beginState(number: number): number {
    const { set, layouts } = this.#store;
    const left = set.maps.service_states.lookup(numberKey(number));
    set.maps.service_states.update(numberKey(number), layouts.serviceState.encode({}));
    return left === undefined ? 0 : cursorGeneration(layouts.serviceState.decode(left).cursor);
  }

  /** A live server that is not in the list yet: the one that went, or one with a new number. */
  place(service: ServiceRow, { key, settings }: ServerSpec): ServerRow {
    const inventory = this.#inventory;
    const past = inventory.gone.get(goneText(service.number, key));
    if (past !== undefined) {
      inventory.gone.delete(goneText(service.number, key));
      past.live = true;
      past.goneNs = 0n;
      this.edit(past, settings);
      this.#writeServerRecord(past, this.zeroOf(past));
      return past;
    }
    const row: ServerRow = {
      number: this.#free(inventory.freeServers, "servers"),
      key,
      settings,
      service: service.number,
      lastWeight: settings.weight,
      live: true,
      goneNs: 0n,
      local: this.#store.port.isLocal(key.address),
      onServerDown: service.settings.onServerDown,
    };
    inventory.insertServer(row);
    this.write(row);
    return row;
  }

  edit(row: ServerRow, settings: ServerSettings): void {
    row.settings = settings;
    row.lastWeight = settings.weight || row.lastWeight;
    row.local = this.#store.port.isLocal(row.key.address);
    this.write(row);
  }

  write(row: ServerRow): void {
    this.#store.set.maps.servers.update(numberKey(row.number), this.#store.layouts.server.encode(serverStruct(row)));
  }

  markGone(row: ServerRow, onServerDown: OnServerDown): void {
    row.live = false;
    row.goneNs = this.#store.port.now();
    row.onServerDown = onServerDown;
    this.#inventory.gone.set(goneText(row.service, row.key), row);
    this.#writeServerRecord(row, this.zeroOf(row));
    this.write(row);
  }

  /** The service with this number is deleted. */
  releaseService(number: number): void {
    if (this.#inventory.goneOf(number).length > 0) return;
    this.#dropRecord(number);
    this.#inventory.freeServices.push(number);
  }

  /** ipvsadm -Z: from now on these servers and their service have counted nothing. */
  zero(number: number, key: ServiceKey, servers: readonly ServerRow[]): void {
    const { figures } = this.#store;
    const record = this.recordOf(number, key);
    let sum = record.removed;
    for (const row of [...servers, ...this.#inventory.goneOf(number)]) {
      const counted = figures.counted(row.number);
      sum = plus(sum, counted);
      this.#writeServerRecord(row, counted);
    }
    figures.zeroRates(servers.map((row) => row.number));
    this.#writeRecord(number, { key, removed: record.removed, zero: sum });
  }

  recordOf(number: number, key: ServiceKey): NumberRecord {
    return this.#inventory.records.get(number) ?? { key, removed: NOTHING, zero: NOTHING };
  }

  /** What the server had counted when it was zeroed. */
  zeroOf({ number }: ServerRow) {
    const { set, layouts } = this.#store;
    const record = set.maps.server_records.lookup(numberKey(number));
    return record === undefined ? NOTHING : layouts.serverRecord.decode(record).zero;
  }

  /** From time to time: gives back what went long ago. */
  tidy(): void {
    const now = this.#store.port.now();
    if (this.#inventory.gone.size === 0 || now < this.#nextLook) return;
    this.#nextLook = now + LOOK_NS;
    this.#forgetIdle(now - KEPT_NS);
  }

  #forgetIdle(wentBefore: bigint): void {
    const { set, layouts } = this.#store;
    for (const row of [...this.#inventory.gone.values()]) {
      if (row.goneNs > wentBefore) continue;
      const state = set.maps.server_states.lookup(numberKey(row.number));
      if (state === undefined) continue;
      const { active, inactive, persistent } = layouts.serverState.decode(state);
      if (active === 0 && inactive === 0 && persistent === 0) this.#forget(row);
    }
  }

  #forget(row: ServerRow): void {
    const { set, layouts, figures } = this.#store;
    const inventory = this.#inventory;
    const key = numberKey(row.number);
    const service = inventory.byNumber.get(row.service);
    if (service !== undefined) {
      const record = this.recordOf(service.number, service.key);
      this.#writeRecord(service.number, { ...record, removed: plus(record.removed, figures.counted(row.number)) });
    }
    figures.forget(row.number);
    set.maps.server_states.update(key, layouts.serverState.encode({}));
    set.maps.routes.update(key, new Uint8Array(set.maps.routes.information.valueBytes));
    set.maps.server_records.delete(key);
    set.maps.servers.update(key, new Uint8Array(layouts.server.bytes));
    inventory.removeServer(row);
    if (service === undefined) this.releaseService(row.service);
  }

  #free(numbers: number[], what: "services" | "servers"): number {
    if (numbers.length === 0 && this.#inventory.gone.size > 0) {
      // A program that began with an old list may be about to give a connection to a server that has just gone.
      this.#store.port.settle();
      this.#forgetIdle(this.#store.port.now());
    }
    const number = numbers.pop();
    if (number !== undefined) return number;
    const most = this.#store.set.maps[what].information.maxEntries;
    throw new PlaneError(
      "ENOMEM",
      `no more than ${most} ${what}, and ${this.#inventory.gone.size} deleted servers still have connections: ` +
        "wait until they end, or start with an empty plane (evenkeel ipvsadm -C)",
    );
  }

  #writeServerRecord(row: ServerRow, zero: NumberRecord["zero"]): void {
    const value = this.#store.layouts.serverRecord.encode({ zero, gone_ns: row.goneNs });
    this.#store.set.maps.server_records.update(numberKey(row.number), value);
  }

  #writeRecord(number: number, record: NumberRecord): void {
    const { set, layouts } = this.#store;
    this.#inventory.records.set(number, record);
    const { removed, zero, key } = record;
    const value = layouts.serviceRecord.encode({ key: serviceKeyStruct(key), removed, zero });
    set.maps.service_records.update(numberKey(number), value);
  }

  #dropRecord(number: number): void {
    this.#inventory.records.delete(number);
    this.#store.set.maps.service_records.delete(numberKey(number));
  }
}
