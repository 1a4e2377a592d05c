/** `Tables` over memory, with hands on what the kernel's programs would write. */

import { type IpAddress, parseIp } from "../../src/base/ip.ts";
import { type CountersStruct, Layouts, numberKey, type ServerStateStruct } from "../../src/director/layouts.ts";
import type { MapName } from "../../src/director/map-set.ts";
import type { Protocol, ServerKey, ServerSettings, ServiceKey, ServiceSettings } from "../../src/director/plane.ts";
import type { TablesPort } from "../../src/director/store.ts";
import { Tables } from "../../src/director/tables.ts";
import { memoryMaps } from "./memory-maps.ts";

function address(text: string): IpAddress {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

export const serverKey = (text: string, port: number): ServerKey => ({ address: address(text), port });

export const serviceKey = (text: string, port: number, protocol: Protocol = "tcp"): ServiceKey => ({
  kind: "address",
  protocol,
  address: address(text),
  port,
});

export const markKey = (mark: number, family: 4 | 6 = 4): ServiceKey => ({ kind: "mark", mark, family });

export const serviceSettings = (change: Partial<ServiceSettings> = {}): ServiceSettings => ({
  scheduler: "wlc",
  persistence: undefined,
  netmaskBits: 32,
  onePacket: false,
  flags: { fallback: false, port: false, flag3: false },
  onServerDown: "reset",
  owner: "command",
  ...change,
});

export const serverSettings = (change: Partial<ServerSettings> = {}): ServerSettings => ({
  method: "nat",
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
  tunnel: { type: "ipip", port: 0, checksum: "none" },
  draining: false,
  ...change,
});

/** Sizes of maps as in `memoryMaps`. */
export function openTables(sizes: Partial<Record<MapName, number>> = {}) {
  const set = memoryMaps(sizes);
  const { maps } = set;
  const layouts = new Layouts(set.btf);
  const locals = new Set<string>();
  const gone: ServerKey[] = [];
  let now = 1_000_000_000_000n;
  let settled = 0;
  const port: TablesPort = {
    now: () => now,
    exclusively: (work) => work(),
    settle: () => {
      settled++;
    },
    isLocal: (candidate) => locals.has(candidate),
    gone: (servers) => gone.push(...servers.map(({ key }) => key)),
  };
  const slotsOf = (first: number, count: number) => {
    const slots: number[] = [];
    for (let chunk = first; slots.length < count; chunk++) {
      const bytes = maps.lists.lookup(numberKey(chunk)) ?? new Uint8Array();
      slots.push(...new Uint32Array(bytes.buffer, 0, 64).slice(0, count - slots.length));
    }
    return slots;
  };
  return {
    tables: new Tables(set, port),
    set,
    maps,
    layouts,
    locals,
    gone,
    /** Another process that has the plane open. */
    again: () => new Tables(set, port),
    settled: () => settled,
    pass(seconds: number) {
      now += BigInt(seconds) * 1_000_000_000n;
    },
    connect(server: number, state: Partial<ServerStateStruct>) {
      maps.server_states.update(numberKey(server), layouts.serverState.encode(state));
    },
    count(server: number, counters: Partial<CountersStruct>, cpu = 0) {
      maps.counters.update(numberKey(server * set.cpus + cpu), layouts.counters.encode(counters));
    },
    rate(server: number, smoothed: Partial<CountersStruct>) {
      const at = layouts.offsets("ek_rate")("smoothed");
      const value = new Uint8Array(maps.rates.information.valueBytes);
      // The first five fields of ek_counters are those of ek_rates.
      value.set(layouts.counters.encode(smoothed).subarray(0, 40), at);
      maps.rates.update(numberKey(server), value);
    },
    decodeServer: (value: Uint8Array | undefined) => layouts.server.decode(value ?? new Uint8Array()),
    /** Of the first service. */
    slots(which: "list" | "table"): number[] {
      const value = maps.services.entries().next().value?.[1] ?? new Uint8Array();
      const service = layouts.service.decode(value);
      return which === "list"
        ? slotsOf(service.list_first, service.list_count)
        : slotsOf(service.table_first, service.table_size);
    },
    features(): string[] {
      const { features } = layouts.settings.decode(maps.settings.lookup(numberKey(0)) ?? new Uint8Array());
      return [...layouts.names("EK_FEATURE_")].filter(([, bit]) => (features & bit) !== 0).map(([name]) => name);
    },
  };
}
