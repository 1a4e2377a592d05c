/**
 * What the trackers make of a virtual router: its effective priority, and the reasons why it may not take part.
 *
 * keepalived.conf(5) `track_interface`, `track_script`, `track_file`, `track_process`, and our own `track_proxy` and
 * `track_service`: a weight of 0 means FAULT, any other weight is added to the priority. Trackers of a sync group count for
 * each member. The interfaces of virtual addresses, routes and rules are tracked without
 * being named, unless one says `no_track`.
 */

import type { IpAddress } from "../base/ip.ts";
import {
  NO_INTERFACE,
  type SyncGroup,
  type Tracker,
  type Trackers,
  type VrrpConfiguration,
  type VrrpInstance,
} from "../config/model/vrrp.ts";
import { allAddresses } from "./garp.ts";
import type { InterfaceState, ServiceState } from "./host-state.ts";
import { OWNER_PRIORITY } from "./router-state.ts";
import type { ScriptState } from "./scripts.ts";
import type { Verdict } from "./verdict.ts";

/** What is known of the host. Undefined: not reported yet. */
export interface HostView {
  readonly configuration: VrrpConfiguration;
  readonly interface: (name: string) => InterfaceState | undefined;
  /** The instance has an address to send adverts from. */
  readonly hasSource: boolean;
  readonly hasAddress: (name: string, address: IpAddress) => boolean;
  readonly script: (name: string) => ScriptState | undefined;
  readonly fileValue: (name: string) => number | undefined;
  readonly processCount: (name: string) => number | undefined;
  readonly service: (kind: ServiceState["kind"], name: string) => ServiceState | undefined;
}

export interface Standing {
  /** 1..254, or 255 for an owner. */
  readonly priority: number;
  readonly verdicts: readonly Verdict[];
}

export function standingOf(instance: VrrpInstance, group: SyncGroup | undefined, view: HostView): Standing {
  const trackers = trackersOf(instance, group);
  const verdicts = [
    ...linksOf(instance, view),
    ...trackers.trackInterfaces
      .filter((one) => one.weight !== 0 || !ownsOrNeeds(instance, one.interface))
      .map(({ interface: name, weight, reverse }) => {
        const { up, says } = linkInWords(view, name);
        const line = `: entering FAULT state (interface ${name} ${reverse ? "up" : "down"})`;
        return judged(`interface ${name}`, { weight, reverse }, up, says, line);
      }),
    ...trackers.trackScripts.flatMap(({ script, ...tracker }) => scriptVerdict(view.script(script), tracker)),
    ...trackers.trackFiles.map((tracker) => fileVerdict(view, tracker)),
    ...trackers.trackProcesses.flatMap((tracker) => processVerdict(view, tracker)),
    ...trackers.trackProxies.map((tracker) => serviceVerdict(view, "proxy", tracker)),
    ...trackers.trackServices.map((tracker) => serviceVerdict(view, "service", tracker)),
  ];
  const points = verdicts.reduce((sum, verdict) => sum + verdict.points, 0);
  const priority =
    instance.priority === OWNER_PRIORITY
      ? OWNER_PRIORITY
      : Math.min(OWNER_PRIORITY - 1, Math.max(1, instance.priority + points));
  return { priority, verdicts };
}

// ---- without being named

function linksOf(instance: VrrpInstance, view: HostView): Verdict[] {
  const verdicts: Verdict[] = [];
  const link = (name: string) => {
    const { up, says } = linkInWords(view, name);
    verdicts.push(
      judged(`interface ${name}`, FAULT_WITHOUT, up, says, `: entering FAULT state (interface ${name} down)`),
    );
  };
  if (!instance.ignoreOwnLink && instance.interface !== NO_INTERFACE) link(instance.interface);
  const family = instance.family === "ipv6" ? "IPv6" : "IPv4";
  const lineWithout = ` entering FAULT state (no ${family} address for interface)`;
  const sourceSays = view.hasSource
    ? `${instance.interface} has an ${family} address`
    : `${instance.interface} has no ${family} address`;
  verdicts.push(judged("source", FAULT_WITHOUT, view.hasSource, sourceSays, lineWithout));
  const { sourceAddress } = instance;
  if (instance.trackSourceAddress && sourceAddress !== undefined) {
    const there = view.hasAddress(instance.interface, sourceAddress);
    const says = `${sourceAddress} is ${there ? "" : "not "}on ${instance.interface}`;
    verdicts.push(
      judged("source address", FAULT_WITHOUT, there, says, ": entering FAULT state (src address not configured)"),
    );
  }
  if (instance.unicastPeers?.length === 0) {
    verdicts.push(
      judged(
        "peers",
        FAULT_WITHOUT,
        false,
        "it has no unicast peer",
        " Cannot use unicast without any peers - going to fault state",
      ),
    );
  }
  for (const name of interfacesNeeded(instance)) link(name);
  return verdicts;
}

/** Those of its addresses, routes and rules besides its own, which `dont_track_primary` is about, its macvlan included. */
function interfacesNeeded(instance: VrrpInstance): ReadonlySet<string> {
  const own = [instance.interface, ...(instance.ignoreOwnLink ? [instance.vmac?.interface] : [])];
  const named = [
    ...allAddresses(instance)
      .filter(isTracked)
      .map((address) => address.interface),
    ...instance.virtualRoutes
      .filter(isTracked)
      .flatMap((route) => [route.interface, ...route.nextHops.map((hop) => hop.interface)]),
    ...instance.virtualRules.filter(isTracked).flatMap((rule) => [rule.incomingInterface, rule.outgoingInterface]),
  ];
  return new Set(named.filter((name): name is string => name !== undefined && !own.includes(name)));
}

const isTracked = ({ noTrack }: { readonly noTrack: boolean }): boolean => !noTrack;

const ownsOrNeeds = (instance: VrrpInstance, name: string): boolean =>
  name === instance.interface || interfacesNeeded(instance).has(name);

function linkInWords(view: HostView, name: string): { readonly up: boolean; readonly says: string } {
  const found = view.interface(name);
  if (found?.up === true) return { up: true, says: found.wasUp ? `${name} is up again` : `${name} is up` };
  const lost = found?.wasUp === true;
  switch (found?.lack) {
    case "interface":
      return { up: false, says: lost ? `${name} was removed` : `there is no ${name}` };
    case "up":
      return { up: false, says: lost ? `${name} was set down` : `${name} is set down` };
    case "carrier":
      return { up: false, says: lost ? `${name} lost carrier` : `${name} has no carrier` };
    default:
      if (found === undefined) return { up: false, says: `there is no ${name}` };
      return { up: false, says: lost ? `${name} went down` : `${name} is down` };
  }
}

// ---- trackers

type Weighting = Pick<Tracker, "weight" | "reverse">;
const FAULT_WITHOUT: Weighting = { weight: 0, reverse: false };

function judged(key: string, tracker: Weighting, good: boolean, says: string, line: string): Verdict {
  const fault = tracker.weight === 0 && good === tracker.reverse;
  return { key, says, line, fault, pending: false, points: earned(tracker, good) };
}

/**
 * A positive weight is a reward, a negative one a punishment. With `reverse` keepalived 2.2.7 takes what it would add and
 * adds what it would take, at the same times: -20 reverse is 20 more while a script fails.
 */
const earned = ({ weight, reverse }: Weighting, good: boolean): number =>
  weight === 0 || good !== weight > 0 ? 0 : reverse ? -weight : weight;

/** What decides alone and is not known yet holds back a start; what only weighs does not. */
const unknown = (key: string, { weight }: Weighting): Verdict => ({
  key,
  says: `${key} has not reported yet`,
  line: "",
  fault: false,
  pending: weight === 0,
  points: 0,
});

function scriptVerdict(script: ScriptState | undefined, tracker: Weighting): Verdict[] {
  if (script === undefined) return [];
  const key = `script ${script.name}`;
  if (script.verdict === "unknown") return [unknown(key, tracker)];
  return [judged(key, tracker, script.verdict === "ok", `${key} ${script.last}`, ` entering FAULT state (${key})`)];
}

/** Value times weight, where -254 and below is a FAULT whatever else adds up; without weight any value but 0 is. */
function fileVerdict(view: HostView, { name, weight, reverse }: Tracker): Verdict {
  const value = view.fileValue(name) ?? 0;
  const path = view.configuration.trackFiles.find((file) => file.name === name)?.file ?? name;
  const sign = reverse ? -1 : 1;
  const status = weight !== 0 ? clamped(value * weight * sign) : (value === 0) === reverse ? LEAST_STATUS : 0;
  const fault = status <= LEAST_STATUS;
  const line = `: entering FAULT state (tracked file ${name} has status ${status})`;
  return {
    key: `file ${name}`,
    says: `${path} holds ${value}`,
    line,
    fault,
    pending: false,
    points: fault ? 0 : status,
  };
}

const LEAST_STATUS = -254;
const clamped = (status: number): number => Math.min(253, Math.max(LEAST_STATUS, status));

function processVerdict(view: HostView, { name, weight, reverse }: Tracker): Verdict[] {
  const tracked = view.configuration.trackProcesses.find((process) => process.name === name);
  if (tracked === undefined) return [];
  const key = `process ${name}`;
  const count = view.processCount(name);
  if (count === undefined) return [unknown(key, { weight, reverse })];
  const most = tracked.quorumMax ?? Number.POSITIVE_INFINITY;
  const enough = count >= tracked.quorum && count <= most;
  const runs = count === 0 ? "does not run" : count === 1 ? "runs" : `runs ${count} times`;
  const limit = enough
    ? ""
    : count > most
      ? `, ${most} at most`
      : tracked.quorum > 1
        ? `, needs ${tracked.quorum}`
        : "";
  const line = ` entering FAULT state (tracked process ${name} quorum not achieved)`;
  return [judged(key, { weight, reverse }, enough, `${key} ${runs}${limit}`, line)];
}

/**
 * Nobody can say (null) when the director has been gone for long. It judged, it did not serve: to give up the address for
 * that would let one fault take it from every router. But a reward is for those who know.
 */
function serviceVerdict(view: HostView, kind: ServiceState["kind"], { name, weight, reverse }: Tracker): Verdict {
  const key = `${kind} ${name}`;
  const state = view.service(kind, name);
  if (state === undefined) return unknown(key, { weight, reverse });
  if (state.up !== null)
    return judged(key, { weight, reverse }, state.up, state.cause, ` entering FAULT state (${state.cause})`);
  const points = weight < 0 ? weight : 0;
  return { key, says: state.cause, line: "", fault: false, pending: false, points };
}

/** Members of a group must agree, so their own weights do not count unless `sync_group_tracking_weight` says so. */
function trackersOf(instance: VrrpInstance, group: SyncGroup | undefined): Trackers {
  if (group === undefined) return instance;
  const counts = ({ weight }: { readonly weight: number }) => weight === 0 || group.trackingWeight;
  return {
    trackInterfaces: [...instance.trackInterfaces.filter(counts), ...group.trackInterfaces],
    trackScripts: [...instance.trackScripts.filter(counts), ...group.trackScripts],
    trackFiles: [...instance.trackFiles.filter(counts), ...group.trackFiles],
    trackProcesses: [...instance.trackProcesses.filter(counts), ...group.trackProcesses],
    trackProxies: [...instance.trackProxies.filter(counts), ...group.trackProxies],
    trackServices: [...instance.trackServices.filter(counts), ...group.trackServices],
  };
}
