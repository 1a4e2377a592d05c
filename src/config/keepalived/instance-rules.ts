/**
 * What the lines of one vrrp_instance come to together: keepalived's rules for state, preemption, version and family,
 * what cannot work as written, and the typed model: keepalived.conf(5); RFC 5798 §6.1; RFC 3768 §5.3.7.
 */

import { isIpv4 } from "../../base/ip.ts";
import { centiseconds, type Duration, inSeconds, seconds } from "../../base/time.ts";
import type { TrackInterface, VirtualAddress, VrrpInstance } from "../model/vrrp.ts";
import type { AddressLine } from "./addresses.ts";
import { authPassOf } from "./authentication.ts";
import { completeGarp } from "./garp.ts";
import type { GlobalDefs } from "./global-defs.ts";
import type { InstanceDraft } from "./instance.ts";
import { quote, type Report } from "./report.ts";

const OWNER_PRIORITY = 255;
const DEFAULT_PRIORITY = 100;
/** RFC 5798 §5.2.7: twelve bits of centiseconds. */
const LONGEST_V3_CENTISECONDS = 4_095;
/** Priorities of two routers are seldom nearer than this. */
const SMALLEST_USEFUL_WEIGHT = 5;
/** The count of addresses in an advert is one byte. */
const MOST_ADDRESSES = 255;

/** Undefined when the instance could not run at all; the reasons are errors in `report`. */
export function completeInstance(draft: InstanceDraft, globals: GlobalDefs, report: Report): VrrpInstance | undefined {
  const name = draft.name.text;
  const priority = priorityOf(draft, report);
  const state = priority === OWNER_PRIORITY ? "MASTER" : (draft.state?.value ?? "BACKUP");
  const version = draft.version?.value ?? globals.defaults.version;
  checkUnicast(draft, report);
  const nopreempt = keepsNopreempt(draft, state, priority, report);
  const preemptDelay = preemptDelayOf(draft, state, nopreempt, report);
  const advertInterval = advertIntervalOf(draft, version, report);
  const authPass = authPassOf(draft, version, report);
  const [advertised, excess] = advertisedOf(oneFamily(draft, report), draft, report);
  checkAddresses(draft, report);
  if (globals.strict !== undefined && priority !== OWNER_PRIORITY && draft.addresses.length > 0) {
    const message = `keepalived would drop traffic to the addresses of ${quote(name)}: vrrp_strict with priority ${priority}`;
    const help = "evenkeel does not drop it; remove vrrp_strict so that both do the same";
    report.warning("keepalived/strict-drops-traffic", draft.name, message, help);
  }
  warnOfUselessWeights(draft, priority, nopreempt, report);

  const { interface: device, virtualRouterId } = draft;
  if (device === undefined)
    report.error("keepalived/no-interface", draft.name, `(${name}) has no interface`, "Add: interface NAME");
  if (virtualRouterId === undefined) {
    const help = "Add virtual_router_id 1 to 255, the same on all routers of this address and on no other";
    report.error("keepalived/no-virtual-router-id", draft.name, `(${name}) the virtual router id must be set`, help);
  }
  if (device === undefined || virtualRouterId === undefined) return undefined;

  const placed = (line: AddressLine): VirtualAddress => {
    const { written: _, interface: own, ...address } = line;
    return { ...address, interface: own ?? device };
  };
  return {
    name,
    state,
    interface: device,
    virtualRouterId: virtualRouterId.value,
    priority,
    version,
    advertInterval,
    authPass,
    virtualAddresses: advertised.filter(({ address }) => isIpv4(address)).map(placed),
    excludedAddresses: [...excess, ...draft.excluded].filter(({ address }) => isIpv4(address)).map(placed),
    sourceAddress: draft.sourceAddress,
    vmac: undefined,
    family: "ipv4",
    virtualRoutes: [],
    virtualRules: [],
    promoteSecondaries: false,
    trackSourceAddress: false,
    multicastGroup: globals.model.mcastGroup4,
    unicastPeers: undefined,
    unicastTtl: 255,
    checkUnicastSource: false,
    checksumWithoutPseudoHeader: false,
    strict: false,
    accept: true,
    trackFiles: [],
    trackProcesses: [],
    trackProxies: [],
    trackServices: [],
    ownerIgnoreAdverts: false,
    timerExpiredBackup: undefined,
    onVipLoss: "failover",
    notifyPriorityChanges: false,
    smtpAlert: false,
    nopreempt,
    preemptDelay,
    trackInterfaces: draft.trackInterfaces.filter((tracker) => isForeign(tracker, device, draft, report)),
    trackScripts: draft.trackScripts,
    ignoreOwnLink: draft.ignoreOwnLink,
    garp: completeGarp(draft.garp, globals.defaults.garp),
    lowerPrioNoAdvert: draft.lowerPrioNoAdvert,
    higherPrioSendAdvert: draft.higherPrioSendAdvert,
    downTimerAdverts: draft.downTimerAdverts,
    skipCheckAdvAddr: draft.skipCheckAdvAddr ?? globals.model.skipCheckAdvAddr,
    notify: draft.notify,
  };
}

function priorityOf({ name, priority, state }: InstanceDraft, report: Report): number {
  if (priority !== undefined) return priority.value;
  if (state?.value !== "MASTER") return DEFAULT_PRIORITY;
  const message = `(${name.text}) state MASTER without priority means priority ${OWNER_PRIORITY}: it always takes over`;
  report.warning("keepalived/master-without-priority", state.at, message, "Give a priority below 255");
  return OWNER_PRIORITY;
}

/** `state MASTER` and the owner's priority clear `nopreempt`. */
function keepsNopreempt({ name, nopreempt }: InstanceDraft, state: string, priority: number, report: Report): boolean {
  if (nopreempt === undefined) return false;
  if (priority === OWNER_PRIORITY) {
    const message = `(${name.text}) nopreempt is incompatible with priority 255. resetting nopreempt`;
    report.warning("keepalived/nopreempt-master", nopreempt, message, "Give a priority below 255");
    return false;
  }
  if (state !== "MASTER") return true;
  const message = `(${name.text}) Warning - nopreempt will not work with initial state MASTER - clearing`;
  report.warning("keepalived/nopreempt-master", nopreempt, message, "Write state BACKUP on both routers");
  return false;
}

function preemptDelayOf(draft: InstanceDraft, state: string, nopreempt: boolean, report: Report): Duration {
  const { name, preemptDelay: given } = draft;
  if (given === undefined || given.value === 0) return seconds(0);
  if (state === "MASTER") {
    const message = `(${name.text}) Warning - preempt delay will not work with initial state MASTER - clearing`;
    report.warning("keepalived/preempt-delay-unused", given.at, message, "Write state BACKUP and a priority below 255");
    return seconds(0);
  }
  if (!nopreempt) return given.value;
  const message = `(${name.text}) preempt_delay is incompatible with nopreempt mode - resetting`;
  report.warning("keepalived/preempt-delay-unused", given.at, message, "Remove one of the two");
  return seconds(0);
}

function advertIntervalOf({ name, advertInterval: given }: InstanceDraft, version: 2 | 3, report: Report): Duration {
  if (given === undefined) return seconds(1);
  const written = inSeconds(given.value);
  if (version === 2) {
    const whole = Math.max(1, Math.round(written));
    if (whole !== written) {
      const message = `(${name.text}) VRRPv2 advertisement interval ${written}s must be an integer. rounding to ${whole}`;
      report.warning(
        "keepalived/advert-interval",
        given.at,
        message,
        "Write whole seconds, or version 3 on all routers",
      );
    }
    return seconds(whole);
  }
  const hundredths = Math.min(LONGEST_V3_CENTISECONDS, Math.max(1, Math.round(written * 100)));
  if (Math.abs(hundredths - written * 100) > 1e-6) {
    const message = `(${name.text}) VRRPv3 advertisement interval ${written}s cannot be sent. Setting to ${hundredths / 100}s`;
    report.warning("keepalived/advert-interval", given.at, message, "Write 0.01 to 40.95 in steps of 0.01");
  }
  return centiseconds(hundredths);
}

function checkUnicast({ name, unicast, unicastPeers }: InstanceDraft, report: Report): void {
  if (unicast === undefined || unicastPeers) return;
  const message = `(${name.text}) A unicast keyword has been specified without any unicast peers. Defaulting to multicast`;
  report.warning("keepalived/unicast-without-peers", unicast, message, "Write mcast_src_ip for the source address");
}

/** The first address decides the family; an advert carries only one. */
function oneFamily(draft: InstanceDraft, report: Report): readonly AddressLine[] {
  const [first] = draft.addresses;
  if (first === undefined) {
    if (draft.noVirtualAddress) return [];
    const message = `(${draft.name.text}) No VIP specified; at least one is sensible`;
    report.warning("keepalived/no-address", draft.name, message, "Add virtual_ipaddress { ADDRESS/LENGTH }");
    return [];
  }
  const kept = draft.addresses.filter(({ address, written }) => {
    if (isIpv4(address) === isIpv4(first.address)) return true;
    const message = `(${draft.name.text}): address family must match VRRP instance [${written.text}] - ignoring`;
    report.warning(
      "keepalived/mixed-families",
      written,
      message,
      "Put it into virtual_ipaddress_excluded or another instance",
    );
    return false;
  });
  return kept;
}

/** Those in the adverts, and those that the instance holds without saying so. */
function advertisedOf(
  addresses: readonly AddressLine[],
  { name }: InstanceDraft,
  report: Report,
): [advertised: readonly AddressLine[], excess: readonly AddressLine[]] {
  const [first] = addresses.slice(MOST_ADDRESSES);
  if (first === undefined) return [addresses, []];
  const message = `(${name.text}) has ${addresses.length} addresses; an advert holds ${MOST_ADDRESSES} - excess moved to excluded`;
  report.warning(
    "keepalived/too-many-addresses",
    first.written,
    message,
    "Write the rest into virtual_ipaddress_excluded",
  );
  return [addresses.slice(0, MOST_ADDRESSES), addresses.slice(MOST_ADDRESSES)];
}

/** The own link is tracked anyway, or not at all with `dont_track_primary`. */
function isForeign(tracker: TrackInterface, own: string, { name }: InstanceDraft, report: Report): boolean {
  if (tracker.interface !== own) return true;
  const message = `(${name.text}) Ignoring track_interface ${own} since own interface`;
  report.warning("keepalived/own-interface", name, message, "Remove the line: the own interface is tracked without it");
  return false;
}

function checkAddresses(draft: InstanceDraft, report: Report): void {
  const family = draft.addresses[0];
  const seen = new Set<string>();
  for (const { address, written } of [...draft.addresses, ...draft.excluded]) {
    if (seen.has(address)) {
      const message = `(${draft.name.text}) address ${quote(address)} is given twice`;
      report.warning("keepalived/duplicate-address", written, message, "Remove one of the lines on all routers");
    }
    seen.add(address);
    const skipped = draft.addresses.some((one) => one.written === written) && family && isIpv4(family.address);
    if (isIpv4(address) || skipped) continue;
    const message = `IPv6 address ${quote(address)}: IPv6 is not implemented yet`;
    report.error("keepalived/ipv6", written, message, "It would be on no router: keep keepalived for this instance");
  }
}

function warnOfUselessWeights(draft: InstanceDraft, priority: number, nopreempt: boolean, report: Report): void {
  const trackers = [
    ...draft.trackScripts.map(({ script, weight }) => ({ tracked: script, weight })),
    ...draft.trackInterfaces.map(({ interface: tracked, weight }) => ({ tracked, weight })),
  ];
  const weighted = trackers.find(({ weight }) => weight !== 0);
  if (weighted === undefined) return;
  const { tracked, weight } = weighted;
  const subject = `(${draft.name.text}) weight ${weight} of ${quote(tracked)}`;
  if (priority === OWNER_PRIORITY) {
    const message = `${subject} changes nothing: priority 255 is fixed`;
    report.warning("keepalived/useless-weight", draft.name, message, "Give a priority below 255");
  } else if (nopreempt) {
    const message = `${subject} moves no address: with nopreempt the others do not take over from a live MASTER`;
    report.warning(
      "keepalived/useless-weight",
      draft.name,
      message,
      "Leave the weight away: a failure then means FAULT",
    );
  } else if (Math.abs(weight) < SMALLEST_USEFUL_WEIGHT) {
    const other = Math.min(OWNER_PRIORITY - 1, Math.max(1, priority + weight));
    const message = `${subject} is small: it moves the address only past peers between priority ${priority} and ${other}`;
    report.note(
      "keepalived/small-weight",
      draft.name,
      message,
      "Give a weight larger than the gap between the routers",
    );
  }
}
