/** What is legal in a vrrp_instance and seldom does what its writer hoped for: said, never changed. */

import type { Trackers, VrrpInstance } from "../model/vrrp.ts";
import type { InstanceDraft } from "./instance.ts";
import { quote, type Report } from "./report.ts";
import { isLinkLocal } from "./strict.ts";
import type { Word } from "./tree.ts";

const OWNER_PRIORITY = 255;
/** Priorities of two routers are seldom nearer than this. */
const SMALLEST_USEFUL_WEIGHT = 5;

export function lintInstance(instance: VrrpInstance, draft: InstanceDraft, report: Report): void {
  warnOfUselessWeights(instance, draft, report);
  const owner = instance.name;
  const [first] = draft.addresses;
  if (instance.family === "ipv6" && first !== undefined && !instance.strict && !isLinkLocal(first.address)) {
    const message = `(${owner}) the first address ${quote(first.address)} is not link-local: RFC 9568 §5.2.9 wants it to be`;
    const help =
      "Put fe80::…/64 first: routers of other makers drop the adverts otherwise, and hosts want a link-local gateway";
    report.note("keepalived/first-not-link-local", first.written, message, help);
  }
  if (draft.unicast.trackSource !== undefined && instance.sourceAddress === undefined) {
    const message = `(${owner}) track_src_ip without mcast_src_ip or unicast_src_ip tracks nothing`;
    report.warning("keepalived/nothing-to-track", draft.unicast.trackSource, message, "Name the source address");
  }
  if (draft.checksumAsV2 !== undefined && (instance.version === 2 || instance.family === "ipv6")) {
    const message = `(${owner}) v3_checksum_as_v2 changes nothing: it is for version 3 over IPv4`;
    report.note("keepalived/no-effect", draft.checksumAsV2.at, message);
  }
}

/** Everything tracked with a weight. */
export function weightsOf(trackers: Trackers): { readonly tracked: string; readonly weight: number }[] {
  const { trackScripts, trackInterfaces, trackFiles, trackProcesses, trackProxies, trackServices } = trackers;
  return [
    ...trackScripts.map(({ script, weight }) => ({ tracked: script, weight })),
    ...trackInterfaces.map(({ interface: tracked, weight }) => ({ tracked, weight })),
    ...[trackFiles, trackProcesses, trackProxies, trackServices]
      .flat()
      .map(({ name, weight }) => ({ tracked: name, weight })),
  ].filter(({ weight }) => weight !== 0);
}

function warnOfUselessWeights(instance: VrrpInstance, { name: at }: { readonly name: Word }, report: Report): void {
  const { priority, nopreempt } = instance;
  const [weighted] = weightsOf(instance);
  if (weighted === undefined) return;
  const { tracked, weight } = weighted;
  const subject = `(${instance.name}) weight ${weight} of ${quote(tracked)}`;
  if (priority === OWNER_PRIORITY) {
    const message = `${subject} changes nothing: priority 255 is fixed`;
    report.warning("keepalived/useless-weight", at, message, "Give a priority below 255");
  } else if (nopreempt) {
    const message = `${subject} moves no address: with nopreempt the others do not take over from a live MASTER`;
    report.warning("keepalived/useless-weight", at, message, "Leave the weight away: a failure then means FAULT");
  } else if (Math.abs(weight) < SMALLEST_USEFUL_WEIGHT && !instance.trackFiles.some(({ name }) => name === tracked)) {
    const other = Math.min(OWNER_PRIORITY - 1, Math.max(1, priority + weight));
    const message = `${subject} is small: it moves the address only past peers between priority ${priority} and ${other}`;
    report.note("keepalived/small-weight", at, message, "Give a weight larger than the gap between the routers");
  }
}
