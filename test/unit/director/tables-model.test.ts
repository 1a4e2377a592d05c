/** `Tables` beside a model of IPVS's lists in a few lines: the same calls, the same answers, whoever makes them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { numberKey } from "../../../src/director/layouts.ts";
import {
  PlaneError,
  type ServerKey,
  type ServerSettings,
  type ServerSpec,
  type ServiceKey,
  type ServiceSettings,
} from "../../../src/director/plane.ts";
import type { Tables } from "../../../src/director/tables.ts";
import { markKey, openTables, serverKey, serverSettings, serviceKey, serviceSettings } from "../../support/tables.ts";

const SERVICES = [
  serviceKey("10.0.0.1", 80),
  serviceKey("2001:db8::1", 80),
  serviceKey("10.0.0.1", 53, "udp"),
  markKey(3),
];
const ADDRESSES = ["10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4", "2001:db8:1::1", "224.0.0.1"];

interface ModelService {
  readonly key: ServiceKey;
  settings: ServiceSettings;
  servers: { readonly key: ServerKey; settings: ServerSettings }[];
}

/** ip_vs_ctl.c without its locks. */
class Model {
  readonly services: ModelService[] = [];

  #find(key: ServiceKey): ModelService {
    const found = this.services.find((each) => JSON.stringify(each.key) === JSON.stringify(key));
    if (found === undefined) throw new PlaneError("ESRCH", "");
    return found;
  }

  addService(key: ServiceKey, settings: ServiceSettings): void {
    if (this.services.some((each) => each.key === key)) throw new PlaneError("EEXIST", "");
    this.services.push({ key, settings, servers: [] });
  }

  editService(key: ServiceKey, settings: ServiceSettings): void {
    this.#find(key).settings = settings;
  }

  deleteService(key: ServiceKey): void {
    this.services.splice(this.services.indexOf(this.#find(key)), 1);
  }

  addServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void {
    const row = this.#find(service);
    const own = this.#check(service, key, settings);
    if (this.#at(row, own) >= 0) throw new PlaneError("EEXIST", "");
    row.servers.unshift({ key: own, settings });
  }

  editServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void {
    const row = this.#find(service);
    const server = row.servers[this.#at(row, this.#check(service, key, settings))];
    if (server === undefined) throw new PlaneError("ENOENT", "");
    server.settings = settings;
  }

  deleteServer(service: ServiceKey, key: ServerKey): void {
    const row = this.#find(service);
    const at = this.#at(row, key);
    if (at < 0) throw new PlaneError("ENOENT", "");
    row.servers.splice(at, 1);
  }

  replaceServers(service: ServiceKey, servers: readonly ServerSpec[]): void {
    const row = this.#find(service);
    const wanted = servers.map(({ key, settings }) => ({ key: this.#check(service, key, settings), settings }));
    if (new Set(wanted.map(({ key }) => `${key.address} ${key.port}`)).size < wanted.length) {
      throw new PlaneError("EEXIST", "");
    }
    row.servers = wanted;
  }

  flush(): void {
    this.services.length = 0;
  }

  #at(row: ModelService, key: ServerKey): number {
    return row.servers.findIndex((each) => each.key.address === key.address && each.key.port === key.port);
  }

  #check(service: ServiceKey, key: ServerKey, settings: ServerSettings): ServerKey {
    if (settings.weight < 0 || settings.lowerThreshold > settings.upperThreshold) throw new PlaneError("ERANGE", "");
    const isSix = service.kind === "mark" ? service.family === 6 : service.address.includes(":");
    if (key.address.includes(":") !== isSix && settings.method !== "tun") throw new PlaneError("EINVAL", "");
    if (key.address.startsWith("224.")) throw new PlaneError("EINVAL", "");
    return service.kind === "mark" || settings.method === "nat" ? key : { ...key, port: service.port };
  }
}

type Call = (plane: Omit<Model, "services">) => void;

const service = fc.constantFrom(...SERVICES);
const server = fc.record({ address: fc.constantFrom(...ADDRESSES), port: fc.constantFrom(80, 8080) });
const ofService = fc.record({
  scheduler: fc.constantFrom("rr", "wrr", "wlc", "sh", "dh", "lblc"),
  persistence: fc.constantFrom(undefined, 300),
  onServerDown: fc.constantFrom("reset", "move", "keep"),
});
const ofServer = fc.record({
  method: fc.constantFrom("nat", "dr", "tun"),
  weight: fc.constantFrom(0, 1, 1, 3, 3, 100, 100, -1),
  upperThreshold: fc.constantFrom(0, 10),
  lowerThreshold: fc.constantFrom(0, 0, 5),
  draining: fc.boolean(),
});

const call: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(service, ofService).map(
      ([key, change]): Call =>
        (plane) =>
          plane.addService(key, serviceSettings(change as Partial<ServiceSettings>)),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(service, ofService).map(
      ([key, change]): Call =>
        (plane) =>
          plane.editService(key, serviceSettings(change as Partial<ServiceSettings>)),
    ),
  },
  {
    weight: 1,
    arbitrary: service.map(
      (key): Call =>
        (plane) =>
          plane.deleteService(key),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(service, server, ofServer).map(
      ([key, { address, port }, change]): Call =>
        (plane) =>
          plane.addServer(key, serverKey(address, port), serverSettings(change as Partial<ServerSettings>)),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(service, server, ofServer).map(
      ([key, { address, port }, change]): Call =>
        (plane) =>
          plane.editServer(key, serverKey(address, port), serverSettings(change as Partial<ServerSettings>)),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(service, server).map(
      ([key, { address, port }]): Call =>
        (plane) =>
          plane.deleteServer(key, serverKey(address, port)),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(service, fc.array(fc.tuple(server, ofServer), { maxLength: 4 })).map(
      ([key, list]): Call =>
        (plane) =>
          plane.replaceServers(
            key,
            list.map(([{ address, port }, change]) => ({
              key: serverKey(address, port),
              settings: serverSettings(change as Partial<ServerSettings>),
            })),
          ),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Call>((plane) => plane.flush()) },
);

const codeOf = (work: () => void): string => {
  try {
    work();
    return "";
  } catch (error) {
    if (error instanceof PlaneError) return error.code;
    throw error;
  }
};

const byKey = (a: { key: ServiceKey }, b: { key: ServiceKey }) =>
  JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1;

const listing = (tables: Tables) =>
  tables
    .services()
    .map(({ key, settings, servers }) => ({
      key,
      settings,
      servers: servers.map((each) => ({ key: each.key, settings: each.settings })),
    }))
    .sort(byKey);

test("every series of changes gives IPVS's lists and refusals, whoever of two makes them", () => {
  const steps = fc.array(fc.record({ call, other: fc.boolean(), seconds: fc.constantFrom(0, 0, 200) }), {
    maxLength: 40,
    size: "max",
  });
  fc.assert(
    fc.property(steps, (made) => {
      const { tables, again, pass } = openTables();
      const other = again();
      const model = new Model();
      for (const step of made) {
        pass(step.seconds);
        assert.equal(
          codeOf(() => step.call(step.other ? other : tables)),
          codeOf(() => step.call(model)),
        );
      }
      const wanted = model.services.toSorted(byKey).map(({ key, settings, servers }) => ({ key, settings, servers }));
      assert.deepEqual(listing(tables), wanted);
      assert.deepEqual(listing(again()), wanted);
    }),
    { numRuns: 60 },
  );
});

test("no number is another server's while it has connections, and nothing is written where a list in use lies", () => {
  const steps = fc.array(fc.record({ call, connections: fc.boolean() }), { maxLength: 40, size: "max" });
  fc.assert(
    fc.property(steps, (made) => {
      const { tables, maps, layouts, connect, decodeServer, pass } = openTables({ servers: 16, lists: 48 });
      const owners = new Map<number, string>();
      for (const step of made) {
        const inUse = runs(maps, layouts).map(({ first, chunks }) => ({
          first,
          chunks,
          text: chunkText(maps, first, chunks),
        }));
        let services = serviceText(maps);
        const update = maps.lists.update.bind(maps.lists);
        maps.lists.update = (key, value) => {
          if (services === serviceText(maps)) {
            const at = new DataView(key.buffer).getUint32(0, true);
            assert.ok(!inUse.some(({ first, chunks }) => at >= first && at < first + chunks), `chunk ${at} is in use`);
          }
          update(key, value);
        };
        codeOf(() => step.call(tables));
        maps.lists.update = update;
        services = "";
        pass(200);
        for (const [number, owner] of owners) {
          const row = decodeServer(maps.servers.lookup(numberKey(number)));
          assert.equal(`${row.service} ${row.address.join()} ${row.port_be}`, owner);
        }
        for (let number = 0; step.connections && number < 16; number++) {
          const row = decodeServer(maps.servers.lookup(numberKey(number)));
          if ((row.flags & 1) === 0) continue;
          connect(number, { active: 1 });
          owners.set(number, `${row.service} ${row.address.join()} ${row.port_be}`);
        }
      }
    }),
    { numRuns: 60 },
  );
});

type Maps = ReturnType<typeof openTables>["maps"];

const runs = (maps: Maps, layouts: ReturnType<typeof openTables>["layouts"]) =>
  Array.from(maps.services.entries(), ([, value]) => layouts.service.decode(value)).flatMap((row) => [
    { first: row.list_first, chunks: Math.ceil(row.list_count / 64) },
    { first: row.table_first, chunks: Math.ceil(row.table_size / 64) },
  ]);

const chunkText = (maps: Maps, first: number, chunks: number): string =>
  Array.from({ length: chunks }, (_, at) => maps.lists.lookup(numberKey(first + at))?.join()).join();

const serviceText = (maps: Maps): string =>
  Array.from(maps.services.entries(), ([key, value]) => `${key}=${value}`).join();
