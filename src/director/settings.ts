/**
 * Time-outs, limits and totals of the connection table: the maps `settings`, `totals` and `reasons`.
 *
 * Time-outs are those of ip_vs_proto_tcp.c and ip_vs_proto_udp.c (l4.md §1.3); `ipvsadm --set` changes three of them.
 */

import type { Inventory } from "./inventory.ts";
import { type Layouts, numberKey, type SettingsStruct } from "./layouts.ts";
import type { MapSet } from "./map-set.ts";
import { PlaneError, type TableStatus, type Timeouts } from "./plane.ts";

/** Seconds, by the names of `enum ek_state`. */
const DEFAULT_SECONDS = {
  EK_NONE: 2,
  EK_ESTABLISHED: 900,
  EK_SYN_SENT: 120,
  EK_SYN_RECV: 60,
  EK_FIN_WAIT: 120,
  EK_TIME_WAIT: 120,
  EK_CLOSE: 10,
  EK_CLOSE_WAIT: 60,
  EK_LAST_ACK: 30,
  EK_LISTEN: 120,
  EK_SYNACK: 120,
  EK_UDP: 300,
};

/** Names of `enum ek_state`. */
export const STATES: readonly string[] = Object.keys(DEFAULT_SECONDS);

export const DEFAULT_TIMEOUTS: Timeouts = {
  tcp: DEFAULT_SECONDS.EK_ESTABLISHED,
  tcpFin: DEFAULT_SECONDS.EK_FIN_WAIT,
  udp: DEFAULT_SECONDS.EK_UDP,
};

/** 31 days, what ipvsadm allows. */
const LONGEST_SECONDS = 2_678_400;

export class PlaneSettings {
  readonly #set: MapSet;
  readonly #layouts: Layouts;
  #written = -1;

  constructor(set: MapSet, layouts: Layouts) {
    this.#set = set;
    this.#layouts = layouts;
  }

  /** Of a plane that has just been made; another keeps what it has. */
  initialise(): void {
    if (this.read().timeout_ms.some((milliseconds) => milliseconds > 0)) return;
    const timeouts: number[] = [];
    for (const [name, seconds] of Object.entries(DEFAULT_SECONDS)) timeouts[this.#layouts.value(name)] = seconds * 1000;
    const capacity = this.#set.maps.connections4.information.maxEntries;
    // A flood of SYNs may fill half of a table at most, so that it cannot keep out those who mean it.
    this.#write({
      timeout_ms: timeouts,
      features: 0,
      half_open_short: Math.ceil(capacity / 8),
      half_open_refuse: Math.ceil(capacity / 2),
      shortened: 0,
    });
  }

  read(): SettingsStruct {
    const value = this.#set.maps.settings.lookup(numberKey(0));
    if (value === undefined) throw new RangeError("the map settings is empty");
    return this.#layouts.settings.decode(value);
  }

  timeouts(): Timeouts {
    const { timeout_ms } = this.read();
    const seconds = (name: string) => Math.floor((timeout_ms[this.#layouts.value(name)] ?? 0) / 1000);
    return { tcp: seconds("EK_ESTABLISHED"), tcpFin: seconds("EK_FIN_WAIT"), udp: seconds("EK_UDP") };
  }

  setTimeouts({ tcp, tcpFin, udp }: Timeouts): void {
    const settings = this.read();
    const timeouts = [...settings.timeout_ms];
    for (const [name, seconds] of [
      ["EK_ESTABLISHED", tcp],
      ["EK_FIN_WAIT", tcpFin],
      ["EK_UDP", udp],
    ] as const) {
      if (!Number.isInteger(seconds) || seconds < 0 || seconds > LONGEST_SECONDS) {
        throw new PlaneError("EINVAL", `a time-out of ${seconds} seconds; it must be 0..${LONGEST_SECONDS}`);
      }
      if (seconds > 0) timeouts[this.#layouts.value(name)] = seconds * 1000;
    }
    // Connections then end by the new time, also idle ones; longer times they find out by themselves.
    const shorter = timeouts.some((milliseconds, state) => milliseconds < (settings.timeout_ms[state] ?? 0));
    this.#write({ ...settings, timeout_ms: timeouts, shortened: (settings.shortened + (shorter ? 1 : 0)) >>> 0 });
  }

  /** Which of its ways a packet has to be taken on. */
  setFeatures({ inUse, replies, marks, anyPort }: Inventory): void {
    const bit = (name: string, on: boolean) => (on ? this.#layouts.value(name) : 0);
    const features =
      bit("EK_FEATURE_SERVICES", inUse) |
      bit("EK_FEATURE_NAT", replies) |
      bit("EK_FEATURE_MARK", marks) |
      bit("EK_FEATURE_ANY_PORT", anyPort);
    if (features === this.#written) return;
    const settings = this.read();
    if (settings.features !== features) this.#write({ ...settings, features });
    this.#written = features;
  }

  /** Somebody else may have changed them. */
  forget(): void {
    this.#written = -1;
  }

  table(): TableStatus {
    const { maps } = this.#set;
    const totals = maps.totals.lookup(numberKey(0)) ?? new Uint8Array(this.#layouts.totals.bytes);
    const { connections4, connections6, half_open } = this.#layouts.totals.decode(totals);
    const reasons: Record<string, bigint> = {};
    for (const [name, number] of this.#layouts.names("EK_REASON_")) reasons[name] = this.#sum(number);
    return {
      capacity: maps.connections4.information.maxEntries,
      connections: connections4 + connections6,
      connectionsIpv4: connections4,
      connectionsIpv6: connections6,
      halfOpen: half_open,
      refusedFull: reasons.table_full ?? 0n,
      reasons,
    };
  }

  #sum(reason: number): bigint {
    const value = this.#set.maps.reasons.lookup(numberKey(reason));
    if (value === undefined) return 0n;
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    let sum = 0n;
    for (let at = 0; at + 8 <= value.length; at += 8) sum += view.getBigUint64(at, true);
    return sum;
  }

  #write(settings: SettingsStruct): void {
    this.#set.maps.settings.update(numberKey(0), this.#layouts.settings.encode(settings));
  }
}
