/**
 * What the trackers make of a virtual router: its effective priority, and the reasons why it may not take part.
 *
 * keepalived.conf(5) `track_interface`, `track_script`: a weight of 0 means FAULT, any other weight is added to the
 * priority. Trackers of a sync group count for each member. The interfaces of virtual addresses are tracked without being
 * named, unless an address says `no_track`.
 */

import type { SyncGroup, TrackInterface, TrackScript, VrrpInstance } from "../config/model/vrrp.ts";
import { allAddresses } from "./garp.ts";
import { OWNER_PRIORITY } from "./router-state.ts";
import type { ScriptState } from "./scripts.ts";

export const NO_SOURCE = "no IPv4 address for interface";

/** What is known of the host; false and "unknown" for what has not been reported. */
export interface HostView {
  readonly isUp: (name: string) => boolean;
  readonly hasSource: boolean;
  readonly verdict: (script: string) => ScriptState["verdict"];
}

export interface Standing {
  /** 1..254, or 255 for an owner. */
  readonly priority: number;
  readonly faults: readonly string[];
  /** Scripts that decide and have not reported yet. They hold back a start, and nothing that runs already. */
  readonly pending: readonly string[];
}

export function standingOf(instance: VrrpInstance, group: SyncGroup | undefined, view: HostView): Standing {
  const { interfaces, scripts } = trackersOf(instance, group);
  const faults: string[] = [];
  const pending: string[] = [];
  let weights = 0;

  if (!instance.ignoreOwnLink && !view.isUp(instance.interface)) faults.push(`interface ${instance.interface} down`);
  if (!view.hasSource) faults.push(NO_SOURCE);
  const needed = interfacesNeeded(instance);
  for (const name of needed) if (!view.isUp(name)) faults.push(`interface ${name} down`);
  for (const { interface: name, weight, reverse } of interfaces) {
    const good = view.isUp(name) !== reverse;
    if (weight !== 0) weights += earned(good, weight);
    else if (!good && name !== instance.interface && !needed.has(name))
      faults.push(`interface ${name} ${reverse ? "up" : "down"}`);
  }
  for (const { script, weight, reverse } of scripts) {
    const verdict = view.verdict(script);
    const good = (verdict === "ok") !== reverse;
    if (verdict === "unknown") {
      if (weight === 0) pending.push(`script ${script}`);
    } else if (weight !== 0) weights += earned(good, weight);
    else if (!good) faults.push(`script ${script}`);
  }
  const priority =
    instance.priority === OWNER_PRIORITY
      ? OWNER_PRIORITY
      : Math.min(OWNER_PRIORITY - 1, Math.max(1, instance.priority + weights));
  return { priority, faults, pending };
}

/** Those of its addresses besides its own, which `dont_track_primary` is about. */
const interfacesNeeded = (instance: VrrpInstance): ReadonlySet<string> =>
  new Set(
    allAddresses(instance)
      .filter((address) => !address.noTrack && address.interface !== instance.interface)
      .map((address) => address.interface),
  );

/** A positive weight is a reward, a negative one a punishment. */
const earned = (good: boolean, weight: number): number => (good === weight > 0 ? weight : 0);

/** Members of a group must agree, so their own weights do not count unless `sync_group_tracking_weight` says so. */
function trackersOf(
  instance: VrrpInstance,
  group: SyncGroup | undefined,
): { readonly interfaces: readonly TrackInterface[]; readonly scripts: readonly TrackScript[] } {
  if (group === undefined) return { interfaces: instance.trackInterfaces, scripts: instance.trackScripts };
  const counts = ({ weight }: { readonly weight: number }) => weight === 0 || group.trackingWeight;
  return {
    interfaces: [...instance.trackInterfaces.filter(counts), ...group.trackInterfaces],
    scripts: [...instance.trackScripts.filter(counts), ...group.trackScripts],
  };
}
