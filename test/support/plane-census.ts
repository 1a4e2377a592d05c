/** Everything in the data plane's tables that ought to end, once as it lies there and once as it is counted. */

import { numberKey } from "../../src/director/layouts.ts";
import type { DataPlane } from "./data-plane.ts";

/** Numbers are given out from 0 on; tests make fewer servers than that. */
const SERVERS = 1024;

export interface Census {
  /** Of both tables; then those that are no templates, those that are, and those that wait for the client's ACK. */
  readonly entries: number;
  readonly connections: number;
  readonly templates: number;
  readonly halfOpen: number;
  readonly replies: number;
  readonly tokens: number;
  /** `totals`. */
  readonly countedEntries: number;
  readonly countedHalfOpen: number;
  /** Sums of `server_states`. */
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
  /** Servers whose counts have gone below 0. */
  readonly negative: readonly number[];
}

export function census(plane: DataPlane): Census {
  const { object, layouts } = plane;
  const at = layouts.offsets("ek_connection");
  const template = layouts.value("EK_CONNECTION_TEMPLATE");
  let [connections, templates, halfOpen, active, inactive, persistent] = [0, 0, 0, 0, 0, 0];
  for (const name of ["connections4", "connections6"]) {
    for (const [, value] of object.map(name).entries()) {
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      if ((view.getUint32(at("flags"), true) & template) !== 0) templates++;
      else connections++;
      if (view.getUint32(at("state"), true) === layouts.value("EK_SYN_RECV")) halfOpen++;
    }
  }
  const negative: number[] = [];
  for (let server = 0; server < SERVERS; server++) {
    const value = object.map("server_states").lookup(numberKey(server));
    const state = layouts.serverState.decode(value ?? new Uint8Array());
    const counts = [state.active | 0, state.inactive | 0, state.persistent | 0] as const;
    active += counts[0];
    inactive += counts[1];
    persistent += counts[2];
    if (counts.some((count) => count < 0)) negative.push(server);
  }
  const totals = layouts.totals.decode(object.map("totals").lookup(numberKey(0)) ?? new Uint8Array());
  const size = (...names: string[]) => names.reduce((sum, name) => sum + [...object.map(name).entries()].length, 0);
  return {
    entries: connections + templates,
    connections,
    templates,
    halfOpen,
    replies: size("replies4", "replies6"),
    tokens: size("tokens4", "tokens6"),
    countedEntries: totals.connections4 + totals.connections6,
    countedHalfOpen: totals.half_open | 0,
    active,
    inactive,
    persistent,
    negative,
  };
}
