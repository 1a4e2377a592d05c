/**
 * Planes of other network namespaces that are of no more use: pins and their memory outlive the namespace, as nothing tells
 * us of its end. So who makes a plane of its own looks for them.
 *
 * A plane is gone when the link of its lo has lost its interface, which happens with the namespace alone. Without services
 * there is no link; then there is nothing to lose either, unless connections are there still, which end by themselves.
 * Filters of clsact leave no trace of their interface, so nothing is decided about those.
 */

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { numberKey } from "../../director/layouts.ts";
import { linkedInterface } from "../../sys/bpf-attach.ts";
import { type BpfMap, openPinnedMap } from "../../sys/bpf-map.ts";
import { tryLockFile } from "../../sys/lock-file.ts";
import { namesIn, Pins, type PlanePlace, placeOf, removePlane } from "./place.ts";

/** `gone`: its namespace is; `unused`: neither services nor connections; `unknown`: it cannot be told (clsact). */
export type OtherPlaneState = "used" | "gone" | "unused" | "unknown";

export interface OtherPlane {
  /** Number of its network namespace. */
  readonly cookie: string;
  readonly state: OtherPlaneState;
}

/** Index of lo, in every network namespace. */
const LOOPBACK = 1;

/** Those of other network namespaces. @param bpffs where that of `place` is reached */
export function otherPlanes(place: PlanePlace, bpffs: string): readonly OtherPlane[] {
  return namesIn(bpffs)
    .filter((name) => /^[0-9]+$/.test(name) && name !== place.cookie)
    .flatMap((cookie) => {
      const pins = new Pins(bpffs, cookie);
      return namesIn(pins.root).length === 0 ? [] : [{ cookie, state: stateOf(pins) }];
    });
}

/** Removes those that are gone or unused and that nobody is working with. */
export function sweep(place: PlanePlace, bpffs: string, say: (text: string) => void): void {
  for (const { cookie, state } of otherPlanes(place, bpffs)) {
    if (!isLeftover(state)) continue;
    const other = placeOf(place, cookie);
    whileIdle(other, () => {
      // Once more, now that nobody changes it.
      const pins = new Pins(bpffs, cookie);
      const now = stateOf(pins);
      if (!isLeftover(now)) return;
      removePlane(other, pins);
      if (now !== "gone") return;
      for (const file of [other.timeouts, other.daemon, other.lock]) rmSync(file, { force: true });
      say(`the data plane of network namespace ${cookie}, which is gone, has been removed`);
    });
  }
}

/** Not at all when somebody changes it or a daemon holds it; one that is about to waits for the lock. */
function whileIdle(place: PlanePlace, work: () => void): void {
  const lock = tryLockFile(place.lock);
  if (lock === undefined) return;
  const daemon = existsSync(place.daemon) ? tryLockFile(place.daemon) : lock;
  try {
    if (daemon !== undefined) work();
  } finally {
    daemon?.[Symbol.dispose]();
    lock[Symbol.dispose]();
  }
}

const isLeftover = (state: OtherPlaneState): boolean => state === "gone" || state === "unused";

function stateOf(pins: Pins): OtherPlaneState {
  try {
    // There while programs are attached.
    if (existsSync(pins.links)) {
      const loopback = join(pins.links, `ingress${LOOPBACK}`);
      if (!existsSync(loopback)) return "unknown";
      return linkedInterface(loopback) === 0 ? "gone" : "used";
    }
    return pins.layouts().every((layout) => isEmpty(pins, layout)) ? "unused" : "used";
  } catch {
    // It is going just now, or another version made it.
    return "unknown";
  }
}

/** Neither services nor connections, whatever the layout: all totals are 0. */
function isEmpty(pins: Pins, layout: string): boolean {
  const none = withMap(pins, layout, "services", (services) => services.entries().next().done === true);
  const zero = (totals: BpfMap) => totals.lookup(numberKey(0))?.every((byte) => byte === 0) === true;
  return none && withMap(pins, layout, "totals", zero);
}

function withMap<T>(pins: Pins, layout: string, name: string, work: (map: BpfMap) => T): T {
  const map = openPinnedMap(join(pins.maps(layout), name));
  try {
    return work(map);
  } finally {
    map.close();
  }
}
