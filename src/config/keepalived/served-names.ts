/**
 * `track_service` names a virtual server by where it serves; here it gets the name that status and events use for it, which
 * has its protocol. Known once all virtual servers are.
 */

import type { DirectorConfiguration } from "../model/virtual-server.ts";
import type { Trackers } from "../model/vrrp.ts";
import { suggest } from "../text/suggest.ts";
import { quote, type Report } from "./report.ts";
import type { TrackersDraft } from "./trackers.ts";

/** From the names in trackers to those of virtual servers; says what no virtual server serves. */
export function servedNames(
  trackers: readonly TrackersDraft[],
  director: DirectorConfiguration | undefined,
  report: Report,
): ReadonlyMap<string, string> {
  const known = new Set(director?.virtualServers.map(({ name }) => name));
  const served = new Map<string, string>();
  for (const { name, at } of trackers.flatMap(({ serviceNames }) => serviceNames)) {
    const udp = name.replace("]:tcp:", "]:udp:");
    const found = known.has(name) ? name : known.has(udp) ? udp : undefined;
    if (found !== undefined) {
      served.set(name, found);
      continue;
    }
    const near = suggest(name, known);
    const help =
      near !== undefined
        ? `Did you mean ${quote(near)}?`
        : known.size === 0
          ? "Define it: virtual_server ADDRESS PORT { … }"
          : `One of ${[...known].slice(0, 10).join(", ")}`;
    report.error("keepalived/unknown-service", at, `track_service: no virtual_server serves ${quote(name)}`, help);
  }
  return served;
}

export function withServices<T extends Trackers>(one: T, served: ReadonlyMap<string, string>): T {
  if (one.trackServices.length === 0) return one;
  const trackServices = one.trackServices.map((tracker) => ({
    ...tracker,
    name: served.get(tracker.name) ?? tracker.name,
  }));
  return { ...one, trackServices };
}
