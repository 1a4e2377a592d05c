/** What the parts of `Tables` share: the maps, their layouts, and the ports to time, lock and machine. */

import type { IpAddress } from "../base/ip.ts";
import type { ServerRow } from "./encoding.ts";
import type { Figures } from "./figures.ts";
import type { Layouts } from "./layouts.ts";
import type { MapSet } from "./map-set.ts";

export interface TablesPort {
  /** CLOCK_MONOTONIC, nanoseconds. */
  now(): bigint;
  /** Nobody else changes the maps while `work` runs. May be called within itself. */
  exclusively<T>(work: () => T): T;
  /** Returns when no program runs that had begun before. */
  settle(): void;
  /** An address of this machine. */
  isLocal(address: IpAddress): boolean;
  /** Servers that have been deleted. Packets see it already, and what clients send is dealt with by `onServerDown`. */
  gone?(servers: readonly GoneServer[]): void;
}

export type GoneServer = Pick<ServerRow, "number" | "key" | "onServerDown">;

export interface Store {
  readonly set: MapSet;
  readonly layouts: Layouts;
  readonly port: TablesPort;
  readonly figures: Figures;
}
