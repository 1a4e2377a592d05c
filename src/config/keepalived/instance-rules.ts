/**
 * What the lines of one vrrp_instance come to together: keepalived's rules for state, preemption, version and family,
 * what cannot work as written, and the typed model: keepalived.conf(5); RFC 5798 §6.1; RFC 3768 §5.3.7.
 */

import type { IpAddress } from "../../base/ip.ts";
import { centiseconds, type Duration, inSeconds, seconds } from "../../base/time.ts";
import { NO_INTERFACE, type TrackInterface, type VirtualAddress, type VrrpInstance } from "../model/vrrp.ts";
import type { AddressLine } from "./addresses.ts";
import { authPassOf } from "./authentication.ts";
import { completeGarp } from "./garp.ts";
import type { GlobalDefs } from "./global-defs.ts";
import type { InstanceDraft } from "./instance.ts";
import { lintInstance } from "./instance-lints.ts";
import { quote, type Report } from "./report.ts";
import { acceptOf, clearWhatStrictForbids } from "./strict.ts";
import { completePeers } from "./unicast.ts";
import { completeVirtualMac, type MacvlanNames } from "./virtual-mac.ts";

const OWNER_PRIORITY = 255;
const DEFAULT_PRIORITY = 100;
/** RFC 5798 §5.2.7: twelve bits of centiseconds. */
const LONGEST_V3_CENTISECONDS = 4_095;
/** The count of addresses in an advert is one byte. */
const MOST_ADDRESSES = 255;

/** Undefined when the instance could not run at all; the reasons are errors in `report`. */
export function completeInstance(
  draft: InstanceDraft,
  globals: GlobalDefs,
  macvlans: MacvlanNames,
  report: Report,
): VrrpInstance | undefined {
  const { defaults, model } = globals;
  const name = draft.name.text;
  const family = draft.unicast.family ?? "ipv4";
  const strict = draft.strict ?? defaults.strict;
  const version = versionOf(draft, family, defaults.version, report);
  const priority = priorityOf(draft, report);
  if (strict) clearWhatStrictForbids(draft, priority, version, report);
  const state = priority === OWNER_PRIORITY ? "MASTER" : (draft.state?.value ?? "BACKUP");
  const unicastPeers = completePeers(draft.unicast, draft.name, report);
  const nopreempt = keepsNopreempt(draft, state, priority, report);
  const preemptDelay = preemptDelayOf(draft, state, nopreempt, report);
  const advertInterval = advertIntervalOf(draft, version, report);
  const authPass = authPassOf(draft, version, report);
  const [advertised, excess] = advertisedOf(draft, version, strict, report);
  warnOfDuplicates(draft, report);
  const unicast = (unicastPeers?.length ?? 0) > 0;
  const device = draft.interface ?? (unicast && hasWhatRoutingNeeds(draft, report) ? NO_INTERFACE : undefined);
  const { virtualRouterId, trackers } = draft;
  if (device === undefined)
    report.error("keepalived/no-interface", draft.name, `(${name}) has no interface`, helpWithout(unicast));
  if (virtualRouterId === undefined) {
    const help = "Add virtual_router_id 1 to 255, the same on all routers of this address and on no other";
    report.error("keepalived/no-virtual-router-id", draft.name, `(${name}) the virtual router id must be set`, help);
  }
  if (device === undefined || virtualRouterId === undefined) return undefined;

  const of = { owner: name, virtualRouterId: virtualRouterId.value, family, unicast };
  const vmac = device === NO_INTERFACE ? undefined : completeVirtualMac(draft.vmac, of, macvlans, report);
  const placed = (line: AddressLine): VirtualAddress => {
    const { written: _, interface: own, ...address } = line;
    const main = device === NO_INTERFACE ? globals.defaultInterface : device;
    return { ...address, interface: own === undefined || own === device ? (vmac?.interface ?? main) : own };
  };
  const { proxyNames: _, serviceNames: __, ...tracked } = trackers;
  const { trackInterfaces: links, ...others } = tracked;
  const garp = completeGarp(draft.garp, defaults.garp);
  const group: IpAddress = family === "ipv4" ? model.mcastGroup4 : model.mcastGroup6;
  const instance: VrrpInstance = {
    name,
    state,
    interface: device,
    vmac,
    family,
    virtualRouterId: virtualRouterId.value,
    priority,
    version,
    advertInterval,
    authPass,
    virtualAddresses: advertised.map(placed),
    excludedAddresses: [...excess, ...draft.excluded].map(placed),
    virtualRoutes: draft.routes,
    virtualRules: draft.rules,
    promoteSecondaries: draft.promoteSecondaries,
    sourceAddress: draft.unicast.source?.value,
    trackSourceAddress: draft.unicast.trackSource !== undefined && device !== NO_INTERFACE,
    multicastGroup: (unicastPeers === undefined ? draft.unicast.group?.value : undefined) ?? group,
    unicastPeers,
    unicastTtl: unicast ? (draft.unicast.ttl?.value ?? 255) : 255,
    checkUnicastSource: unicast && (draft.unicast.checkSource ?? defaults.checkUnicastSource),
    checksumWithoutPseudoHeader:
      version === 3 && family === "ipv4" && (draft.checksumAsV2?.value ?? defaults.checksumAsV2),
    strict,
    accept: acceptOf(draft, strict, priority),
    ...others,
    trackInterfaces: links.filter((tracker) => isForeign(tracker, device, draft, report)),
    nopreempt,
    preemptDelay,
    ignoreOwnLink: draft.ignoreOwnLink,
    garp: strict ? { ...garp, lowerPrioDelay: seconds(0), lowerPrioRepeat: 0 } : garp,
    lowerPrioNoAdvert: strict || (draft.lowerPrioNoAdvert?.value ?? defaults.lowerPrioNoAdvert),
    higherPrioSendAdvert: !strict && (draft.higherPrioSendAdvert?.value ?? defaults.higherPrioSendAdvert),
    downTimerAdverts: strict ? 3 : (draft.downTimerAdverts?.value ?? defaults.downTimerAdverts),
    skipCheckAdvAddr: draft.skipCheckAdvAddr ?? model.skipCheckAdvAddr,
    ownerIgnoreAdverts: draft.ownerIgnoreAdverts ?? defaults.ownerIgnoreAdverts,
    timerExpiredBackup: draft.timerExpiredBackup,
    onVipLoss: draft.onVipLoss,
    notify: draft.notify,
    notifyPriorityChanges: draft.notifyPriorityChanges ?? defaults.notifyPriorityChanges,
    smtpAlert: draft.smtpAlert ?? defaults.smtpAlert,
  };
  lintInstance(instance, draft, report);
  return priority === OWNER_PRIORITY ? withoutWeights(instance) : instance;
}

const helpWithout = (unicast: boolean): string =>
  unicast ? "Add interface NAME, or unicast_src_ip ADDRESS to let the kernel route adverts" : "Add: interface NAME";

/**
 * Unicast may do without `interface` (keepalived 2.2.8 and newer; 2.2.7 refuses it by mistake). The kernel then routes the
 * adverts, so nobody but the file can say where they come from, and nothing can hang on a link that nobody knows.
 */
function hasWhatRoutingNeeds(
  { name: { text: name }, name: at, unicast, vmac }: InstanceDraft,
  report: Report,
): boolean {
  if (unicast.source === undefined) return false;
  report.note(
    "keepalived/routed-unicast",
    at,
    `(${name}) has no interface: its adverts go by the routing table, and no link of its own is tracked`,
    "Add track_interface for what it depends on; keepalived 2.2.7 refuses such an instance",
  );
  if (unicast.trackSource !== undefined) {
    const message = `(${name}) track_src_ip needs an interface - ignoring`;
    report.warning("keepalived/unicast-without-interface", unicast.trackSource, message, "Add interface NAME");
  }
  if (vmac.at !== undefined) {
    const message = `(${name}) use_vmac needs an interface - ignoring`;
    report.warning("keepalived/bad-vmac", vmac.at, message, "Add interface NAME");
  }
  return true;
}

/** The owner's priority is fixed: only what means FAULT is left to track. */
function withoutWeights(instance: VrrpInstance): VrrpInstance {
  const plain = <T extends { readonly weight: number }>(list: readonly T[]) =>
    list.filter(({ weight }) => weight === 0);
  return {
    ...instance,
    trackInterfaces: plain(instance.trackInterfaces),
    trackScripts: plain(instance.trackScripts),
    trackFiles: plain(instance.trackFiles),
    trackProcesses: plain(instance.trackProcesses),
    trackProxies: plain(instance.trackProxies),
    trackServices: plain(instance.trackServices),
  };
}

/** IPv6 has version 3 alone (RFC 5798 §1.1); keepalived lets version 2 pass without `strict_mode`, and nobody else speaks it. */
function versionOf({ version, name }: InstanceDraft, family: "ipv4" | "ipv6", general: 2 | 3, report: Report): 2 | 3 {
  if (family === "ipv4") return version?.value ?? general;
  if (version?.value !== 2) return 3;
  const message = `(${name.text}) cannot use IPv6 with VRRP version 2; setting version 3`;
  report.warning("keepalived/ipv6-version", version.at, message, "Remove the line");
  return 3;
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

/** Those in the adverts, and those that the instance holds without saying so. */
function advertisedOf(
  { name, addresses, noVirtualAddress }: InstanceDraft,
  version: 2 | 3,
  strict: boolean,
  report: Report,
): [advertised: readonly AddressLine[], excess: readonly AddressLine[]] {
  if (addresses.length === 0 && !noVirtualAddress) {
    const needed = version === 3 || strict;
    const message = `(${name.text}) No VIP specified; at least one is ${needed ? "required" : "sensible"}`;
    const help = "Add virtual_ipaddress { ADDRESS/LENGTH }, or no_virtual_ipaddress to say that none is meant";
    report.warning("keepalived/no-address", name, message, help);
  }
  const [first] = addresses.slice(MOST_ADDRESSES);
  if (first === undefined) return [addresses, []];
  const message = `(${name.text}) has ${addresses.length} addresses; an advert holds ${MOST_ADDRESSES} - excess moved to excluded`;
  const help = "Write the rest into virtual_ipaddress_excluded";
  report.warning("keepalived/too-many-addresses", first.written, message, help);
  return [addresses.slice(0, MOST_ADDRESSES), addresses.slice(MOST_ADDRESSES)];
}

/** The own link is tracked anyway, or not at all with `dont_track_primary`. */
function isForeign(tracker: TrackInterface, own: string, { name }: InstanceDraft, report: Report): boolean {
  if (tracker.interface !== own) return true;
  const message = `(${name.text}) Ignoring track_interface ${own} since own interface`;
  report.warning("keepalived/own-interface", name, message, "Remove the line: the own interface is tracked without it");
  return false;
}

function warnOfDuplicates({ name, addresses, excluded }: InstanceDraft, report: Report): void {
  const seen = new Set<string>();
  for (const { address, written } of [...addresses, ...excluded]) {
    if (seen.has(address)) {
      const message = `(${name.text}) address ${quote(address)} is given twice`;
      report.warning("keepalived/duplicate-address", written, message, "Remove one of the lines on all routers");
    }
    seen.add(address);
  }
}
