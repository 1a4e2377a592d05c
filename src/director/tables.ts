/**
 * The layer-4 data plane as maps: what `plane.ts` asks for, with the rules of ip_vs_ctl.c (l4.md §1.5).
 *
 * Everything is in the maps, so a command that runs for a moment and the director process work on the same plane; what is
 * in memory is an index (`inventory.ts`), read anew when somebody else has changed something. Pure: maps, time, lock and
 * what is a local address come through ports.
 */

import { type ConnectionReader, connectionReader, type ResetTarget } from "./connections.ts";
import { type ServerRow, serverText, serviceKeyStruct, serviceText } from "./encoding.ts";
import { readEntries } from "./entries.ts";
import { Figures } from "./figures.ts";
import { chunksOf, Inventory, NO_RUN, type ServiceRow } from "./inventory.ts";
import { Layouts, numberKey } from "./layouts.ts";
import { beforeEdit, writeService } from "./lists.ts";
import type { MapSet } from "./map-set.ts";
import { Numbers } from "./numbers.ts";
import {
  type ConnectionEntry,
  type Plane,
  PlaneError,
  type ServerKey,
  type ServerSettings,
  type ServerSpec,
  type ServiceEntry,
  type ServiceKey,
  type ServiceSettings,
  type TableStatus,
  type Timeouts,
} from "./plane.ts";
import { checkServer, checkService, describeServer, describeService, effectiveServerKey } from "./rules.ts";
import { PlaneSettings } from "./settings.ts";
import type { Store, TablesPort } from "./store.ts";

/** The index of the moment, and who gives out numbers by it. */
interface Present {
  readonly inventory: Inventory;
  readonly numbers: Numbers;
}

export interface PlaneNeeds {
  readonly services: number;
  readonly marks: readonly { readonly mark: number; readonly family: 4 | 6 }[];
  /**
   * What leaves must be seen: connections of the machine itself to an address that is not its own, and the answers of a NAT
   * server on the machine.
   */
  readonly outward: boolean;
}

export class Tables implements Plane {
  readonly #store: Store;
  readonly #connections: ConnectionReader;
  readonly #settings: PlaneSettings;
  #present: Present | undefined;
  #epoch = -1n;

  constructor(set: MapSet, port: TablesPort) {
    const layouts = new Layouts(set.btf);
    this.#store = { set, layouts, port, figures: new Figures(set, layouts) };
    this.#connections = connectionReader(set, layouts);
    this.#settings = new PlaneSettings(set, layouts);
    port.exclusively(() => {
      this.#settings.initialise();
      this.#current();
    });
  }

  addService(key: ServiceKey, settings: ServiceSettings): void {
    this.#change(({ inventory, numbers }) => {
      checkService(key, settings);
      if (inventory.services.has(serviceText(key))) {
        throw new PlaneError("EEXIST", `${describeService(key)}: there is such a service already`);
      }
      const { number, generation } = numbers.forService(key);
      const rest = { servers: [], list: NO_RUN, table: NO_RUN, cursor: 0n };
      const row: ServiceRow = { key, number, settings, generation, ...rest };
      try {
        writeService(this.#store, inventory, row, row, undefined);
      } catch (error) {
        numbers.releaseService(number);
        throw error;
      }
      inventory.insertService(row);
    });
  }

  editService(key: ServiceKey, settings: ServiceSettings): void {
    this.#change(({ inventory }) => {
      const row = serviceOf(inventory, key);
      checkService(key, settings);
      writeService(this.#store, inventory, row, { servers: row.servers, settings: { ...settings } }, beforeEdit(row));
    });
  }

  deleteService(key: ServiceKey): void {
    this.#change((present) => this.#deleteServices(present, [serviceOf(present.inventory, key)]));
  }

  flush(): void {
    this.#change((present) => this.#deleteServices(present, [...present.inventory.services.values()]));
  }

  addServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void {
    this.#change(({ inventory, numbers }) => {
      const row = serviceOf(inventory, service);
      const spec = checked(service, { key, settings });
      if (serverIn(row, spec.key) !== undefined) {
        const what = `${describeService(service)}: server ${describeServer(spec.key)}`;
        throw new PlaneError("EEXIST", `${what}: is there already`);
      }
      const server = numbers.place(row, spec);
      try {
        // Newest first: IPVS puts it at the head.
        const servers = [server, ...row.servers];
        writeService(this.#store, inventory, row, { servers, settings: row.settings }, beforeEdit(row));
      } catch (error) {
        numbers.markGone(server, row.settings.onServerDown);
        throw error;
      }
    });
  }

  editServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void {
    this.#change(({ inventory, numbers }) => {
      const row = serviceOf(inventory, service);
      const spec = checked(service, { key, settings });
      const server = existingServer(row, spec.key);
      const before = beforeEdit(row);
      const old = server.settings;
      numbers.edit(server, spec.settings);
      try {
        writeService(this.#store, inventory, row, row, before);
      } catch (error) {
        numbers.edit(server, old);
        throw error;
      }
    });
  }

  deleteServer(service: ServiceKey, key: ServerKey): void {
    this.#change(({ inventory, numbers }) => {
      const row = serviceOf(inventory, service);
      const server = existingServer(row, key);
      const servers = row.servers.filter((other) => other !== server);
      writeService(this.#store, inventory, row, { servers, settings: row.settings }, beforeEdit(row));
      this.#leave(numbers, row, [server]);
    });
  }

  replaceServers(service: ServiceKey, servers: readonly ServerSpec[]): void {
    this.#change(({ inventory, numbers }) => {
      const row = serviceOf(inventory, service);
      const wanted = servers.map((spec) => checked(service, spec));
      const texts = new Set(wanted.map(({ key }) => serverText(key)));
      if (texts.size < wanted.length) {
        throw new PlaneError("EEXIST", `${describeService(service)}: a server is in the list twice`);
      }
      const before = beforeEdit(row);
      const staying = new Map(row.servers.map((server) => [serverText(server.key), server]));
      const placed: ServerRow[] = [];
      const edited: { readonly server: ServerRow; readonly old: ServerSettings }[] = [];
      try {
        const rows = wanted.map((spec) => {
          const present = staying.get(serverText(spec.key));
          if (present !== undefined) {
            if (sameSettings(present.settings, spec.settings)) return present;
            edited.push({ server: present, old: present.settings });
            numbers.edit(present, spec.settings);
            return present;
          }
          const server = numbers.place(row, spec);
          placed.push(server);
          return server;
        });
        const sameList = rows.length === row.servers.length && rows.every((server, at) => server === row.servers[at]);
        if (sameList && edited.length === 0) return;
        const list = sameList ? row.servers : rows;
        writeService(this.#store, inventory, row, { servers: list, settings: row.settings }, before);
      } catch (error) {
        for (const server of placed) numbers.markGone(server, row.settings.onServerDown);
        for (const { server, old } of edited) numbers.edit(server, old);
        throw error;
      }
      const left = before.servers.filter((server) => !texts.has(serverText(server.key)));
      if (left.length > 0) this.#leave(numbers, row, left);
    });
  }

  zero(key?: ServiceKey): void {
    this.#change(({ inventory, numbers }) => {
      const rows = key === undefined ? inventory.services.values() : [serviceOf(inventory, key)];
      for (const row of rows) numbers.zero(row.number, row.key, row.servers);
    });
  }

  services(): readonly ServiceEntry[] {
    return this.#look(({ inventory }) => readEntries(this.#store, inventory, [...inventory.services.values()]));
  }

  service(key: ServiceKey): ServiceEntry | undefined {
    return this.#look(({ inventory }) => {
      const row = inventory.services.get(serviceText(key));
      return row === undefined ? undefined : readEntries(this.#store, inventory, [row])[0];
    });
  }

  connections(): Iterable<ConnectionEntry> {
    const servers = this.#look(({ inventory }) => inventory.servers);
    return this.#connections.entries(
      (number) => servers.get(number)?.key,
      this.#settings.read(),
      this.#store.port.now(),
    );
  }

  /** Clients of TCP connections to these servers, by number (`TablesPort.gone`). Streams. */
  resetTargets(servers: ReadonlySet<number>): Iterable<ResetTarget> {
    return this.#connections.resetTargets(servers);
  }

  timeouts(): Timeouts {
    return this.#settings.timeouts();
  }

  setTimeouts(timeouts: Timeouts): void {
    this.#store.port.exclusively(() => this.#settings.setTimeouts(timeouts));
  }

  table(): TableStatus {
    return this.#settings.table();
  }

  /** What of the data plane is needed: programs while there are services, rules for marks. */
  needs(): PlaneNeeds {
    return this.#look(({ inventory: { services, servers, marks } }) => {
      const { isLocal } = this.#store.port;
      const keys = Array.from(services.values(), ({ key }) => key);
      return {
        services: services.size,
        marks: marks ? keys.filter((key) => key.kind === "mark") : [],
        outward:
          keys.some((key) => key.kind === "mark" || !isLocal(key.address)) ||
          servers.values().some(({ local, settings }) => local && settings.method === "nat"),
      };
    });
  }

  /** Whether connections of a server wait for it, or would if it went (`keep`). */
  get keeps(): boolean {
    return this.#look(({ inventory: { services, gone } }) =>
      [...Array.from(services.values(), ({ settings }) => settings), ...gone.values()].some(
        ({ onServerDown }) => onServerDown === "keep",
      ),
    );
  }

  /** The machine's addresses have changed. */
  readdress(): void {
    this.#look(({ inventory, numbers }) => {
      for (const row of inventory.servers.values()) {
        const local = this.#store.port.isLocal(row.key.address);
        if (row.local === local) continue;
        row.local = local;
        numbers.write(row);
      }
    });
  }

  #look<T>(work: (present: Present) => T): T {
    return this.#store.port.exclusively(() => work(this.#current()));
  }

  #change<T>(work: (present: Present) => T): T {
    return this.#look((present) => {
      // First, so that others look again even when this process ends half-way.
      this.#epoch += 1n;
      this.#writeChanges(present);
      try {
        present.numbers.tidy();
        const result = work(present);
        this.#writeChanges(present);
        this.#settings.setFeatures(present.inventory);
        return result;
      } catch (error) {
        // The kernel refused something half-way: memory and maps may differ.
        if (!(error instanceof PlaneError)) this.#present = undefined;
        throw error;
      }
    });
  }

  /** The index, read anew when somebody else has changed the maps. Only under the lock. */
  #current(): Present {
    const { set, layouts, port } = this.#store;
    const value = set.maps.changes.lookup(numberKey(0));
    const { epoch, next_chunk } = layouts.changes.decode(value ?? new Uint8Array(layouts.changes.bytes));
    if (this.#present === undefined || epoch !== this.#epoch) {
      const inventory = new Inventory(set, layouts, next_chunk, port.settle);
      this.#present = { inventory, numbers: new Numbers(this.#store, inventory) };
      this.#epoch = epoch;
      this.#present.numbers.repair();
      this.#settings.forget();
    }
    return this.#present;
  }

  #writeChanges({ inventory }: Present): void {
    const { set, layouts } = this.#store;
    const value = layouts.changes.encode({ epoch: this.#epoch, next_chunk: inventory.room.next });
    set.maps.changes.update(numberKey(0), value);
  }

  #deleteServices({ inventory, numbers }: Present, rows: readonly ServiceRow[]): void {
    const { set, layouts } = this.#store;
    for (const row of rows) {
      set.maps.services.delete(layouts.serviceKey.encode(serviceKeyStruct(row.key)));
      inventory.removeService(row);
      inventory.room.giveBack(row.list.first, chunksOf(row.list));
      inventory.room.giveBack(row.table.first, chunksOf(row.table));
      for (const server of row.servers) numbers.markGone(server, row.settings.onServerDown);
      if (row.servers.length === 0) numbers.releaseService(row.number);
    }
    const left = rows.flatMap(({ servers }) => servers);
    if (left.length > 0) this.#store.port.gone?.(left);
  }

  #leave(numbers: Numbers, service: ServiceRow, servers: readonly ServerRow[]): void {
    for (const server of servers) numbers.markGone(server, service.settings.onServerDown);
    this.#store.port.gone?.(servers);
  }
}

function serviceOf(inventory: Inventory, key: ServiceKey): ServiceRow {
  const row = inventory.services.get(serviceText(key));
  if (row === undefined) throw new PlaneError("ESRCH", `${describeService(key)}: there is no such service`);
  return row;
}

const serverIn = (row: ServiceRow, key: ServerKey): ServerRow | undefined =>
  row.servers.find((server) => server.key.port === key.port && server.key.address === key.address);

function existingServer(row: ServiceRow, key: ServerKey): ServerRow {
  const server = serverIn(row, key);
  if (server === undefined) {
    throw new PlaneError("ENOENT", `${describeService(row.key)}: there is no server ${describeServer(key)}`);
  }
  return server;
}

function checked(service: ServiceKey, { key, settings }: ServerSpec): ServerSpec {
  const effective = effectiveServerKey(service, key, settings);
  checkServer(service, effective, settings);
  return { key: effective, settings };
}

const sameSettings = (a: ServerSettings, b: ServerSettings): boolean =>
  a.method === b.method &&
  a.weight === b.weight &&
  a.upperThreshold === b.upperThreshold &&
  a.lowerThreshold === b.lowerThreshold &&
  a.draining === b.draining &&
  a.tunnel.type === b.tunnel.type &&
  a.tunnel.port === b.tunnel.port &&
  a.tunnel.checksum === b.tunnel.checksum;
