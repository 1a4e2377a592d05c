/** One instance in `/tmp/keepalived.data`: ` VRRP Instance = VI_1` and what stands below it (keepalived 2.2.7). */

import type { Duration } from "../../base/time.ts";
import type { VirtualAddress, VrrpInstance } from "../../config/model/vrrp.ts";
import type { InstanceSnapshot } from "../messages.ts";
import { masterDownInterval } from "../timers.ts";
import { type Dumped, masterPriority, wantedState } from "./facts.ts";
import { routeText, ruleText } from "./routes.ts";
import { list, trackerLines } from "./trackers.ts";
import { addressText, notifyCommands, ownedCommandText, promotes, shownState } from "./words.ts";

const whole = (span: Duration): number => Math.round(span / 1_000_000);
const able = (value: boolean): string => (value ? "enabled" : "disabled");
const yes = (value: boolean): string => (value ? "yes" : "no");

export function renderInstance(dumped: Dumped, instance: VrrpInstance, state: InstanceSnapshot): string[] {
  return [
    ...identity(dumped, instance, state),
    ...sending(dumped, instance, state),
    ...announcing(instance),
    ...deciding(instance, state),
    ...holding(instance, state),
    ...unicast(instance),
    ...list("Virtual Routes", instance.virtualRoutes, routeText),
    ...list("Virtual Rules", instance.virtualRules, ruleText),
    ...trackerLines(instance, "Tracked processes"),
    `   Using smtp notification = ${yes(instance.smtpAlert)}`,
    `   Notify deleted = ${instance.notify.deleted === undefined ? "Fault" : "Deleted"}`,
    ...notifyCommands(instance.notify).map(
      ([kind, , command]) => `   ${kind} script = ${ownedCommandText(dumped.facts, command)}`,
    ),
    `   Notify priority changes = ${instance.notifyPriorityChanges}`,
  ];
}

function identity({ facts }: Dumped, instance: VrrpInstance, state: InstanceSnapshot): string[] {
  const moment = (label: string, at: InstanceSnapshot["since"]) => {
    const { microseconds, day, year } = facts.wall(at);
    const fraction = String(microseconds % 1_000_000).padStart(6, "0");
    return `   ${label} = ${Math.floor(microseconds / 1_000_000)}.${fraction} (${day}.${fraction} ${year})`;
  };
  const { version } = instance;
  const down = masterDownInterval(
    version,
    state.effectivePriority,
    state.masterAdvertInterval,
    instance.downTimerAdverts,
  );
  const faults = state.state === "FAULT" ? state.faults.length : 0;
  return [
    ` VRRP Instance = ${instance.name}`,
    `   VRRP Version = ${version}`,
    ...(state.group === undefined ? [] : [`   Sync group = ${state.group}`]),
    ...(instance.family === "ipv6" ? ["   Using Native IPv6"] : []),
    `   State = ${shownState(state.state)}`,
    ...(state.state === "BACKUP" ? master(instance, state) : []),
    ...flags(instance),
    `   Wantstate = ${wantedState(state)}`,
    "   Number of config faults = 0",
    `   Number of interface and track script faults = ${faults}`,
    `   Number of track scripts init = ${state.state === "INIT" ? state.faults.length : 0}`,
    moment("Last transition", state.since),
    state.deadline === undefined ? "   Read timeout = DISABLED" : moment("Read timeout", state.deadline),
    `   Master down timer = ${down} usecs`,
  ];
}

function master({ version }: VrrpInstance, state: InstanceSnapshot): string[] {
  const seconds = (state.masterAdvertInterval / 1_000_000).toFixed(2);
  return [
    `   Master router = ${state.lastAdvert?.from ?? "0.0.0.0"}`,
    `   Master priority = ${masterPriority(state)}`,
    ...(version === 3 ? [`   Master advert int = ${seconds} sec`] : []),
  ];
}

/** Unicast is the only flag with a name; the others leave the list empty. */
function flags(instance: VrrpInstance): string[] {
  if (instance.unicastPeers !== undefined) return ["   Flags:", "     Using unicast"];
  const some =
    instance.vmac !== undefined ||
    instance.nopreempt ||
    instance.trackSourceAddress ||
    instance.skipCheckAdvAddr ||
    instance.promoteSecondaries ||
    instance.ignoreOwnLink;
  return [some ? "   Flags:" : "   Flags: none"];
}

function sending({ facts }: Dumped, instance: VrrpInstance, { source }: InstanceSnapshot): string[] {
  const { vmac, sourceAddress, unicastPeers } = instance;
  const from = sourceAddress ?? source;
  const device =
    vmac === undefined
      ? [`   Interface = ${instance.interface}`]
      : [
          `   Use VMAC, i/f name ${vmac.interface}, is_up = true, xmit_base = ${vmac.transmitOnBase}`,
          `   Interface = ${vmac.interface}, vmac on ${instance.interface}${vmac.transmitOnBase ? ", xmit base i/f" : ""}`,
        ];
  const index = facts.interfaces.find(({ name }) => name === sendingOn(instance))?.index;
  const on = instance.family === "ipv6" && index !== undefined ? `, ifindex ${index}` : "";
  return [
    ...device,
    ...(instance.ignoreOwnLink ? ["   VRRP interface tracking disabled"] : []),
    ...(instance.skipCheckAdvAddr ? ["   Skip checking advert IP addresses"] : []),
    ...(instance.strict ? ["   Enforcing strict VRRP compliance"] : []),
    ...(from === undefined
      ? []
      : [`   Using src_ip = ${from}${sourceAddress === undefined ? "" : " (from configuration)"}`]),
    ...(unicastPeers === undefined ? [`   Multicast address ${instance.multicastGroup}${on}`] : []),
  ];
}

const sendingOn = ({ vmac, interface: base }: VrrpInstance): string =>
  vmac === undefined || vmac.transmitOnBase ? base : vmac.interface;

function announcing(instance: VrrpInstance): string[] {
  const { garp } = instance;
  return [
    `   Gratuitous ARP delay = ${whole(garp.masterDelay)}`,
    `   Gratuitous ARP repeat = ${garp.masterRepeat}`,
    `   Gratuitous ARP refresh = ${whole(garp.masterRefresh)}`,
    `   Gratuitous ARP refresh repeat = ${garp.masterRefreshRepeat}`,
    `   Gratuitous ARP lower priority delay = ${whole(garp.lowerPrioDelay)}`,
    `   Gratuitous ARP lower priority repeat = ${garp.lowerPrioRepeat}`,
    `   Down timer adverts = ${instance.downTimerAdverts}`,
    `   Send advert after receive lower priority advert = ${!instance.lowerPrioNoAdvert}`,
    `   Send advert after receive higher priority advert = ${instance.higherPrioSendAdvert}`,
  ];
}

function deciding(instance: VrrpInstance, state: InstanceSnapshot): string[] {
  const { version, advertInterval, preemptDelay } = instance;
  const interval = version === 2 ? `${whole(advertInterval)} sec` : `${advertInterval / 1_000} milli-sec`;
  return [
    `   Virtual Router ID = ${instance.virtualRouterId}`,
    `   Priority = ${instance.priority}`,
    `   Effective priority = ${state.effectivePriority}`,
    `   Total priority = ${state.effectivePriority}`,
    `   Advert interval = ${interval}`,
    ...(version === 3 && state.state === "BACKUP"
      ? [`   Master advert interval = ${state.masterAdvertInterval / 1_000} milli-sec`]
      : []),
    `   Accept = ${able(instance.accept)}`,
    `   Preempt = ${able(!instance.nopreempt)}`,
    ...(preemptDelay > 0 ? [`   Preempt delay = ${preemptDelay / 1_000_000} secs`] : []),
    `   Promote_secondaries = ${able(promotes(instance))}`,
    ...(instance.authPass === undefined
      ? version === 2
        ? ["   Authentication type = none"]
        : []
      : ["   Authentication type = SIMPLE_PASSWORD", `   Password = ${instance.authPass}`]),
  ];
}

function holding(instance: VrrpInstance, { holdsAddresses }: InstanceSnapshot): string[] {
  const { virtualAddresses, excludedAddresses } = instance;
  const shown = (address: VirtualAddress) => addressText(instance, address, holdsAddresses);
  return [
    ...list(`Virtual IP (${virtualAddresses.length})`, virtualAddresses, shown).map((line) => line.replace(" :", ":")),
    ...list("Virtual IP Excluded", excludedAddresses, shown),
  ];
}

function unicast({
  unicastPeers,
  unicastTtl,
  checkUnicastSource,
  checksumWithoutPseudoHeader,
}: VrrpInstance): string[] {
  if (unicastPeers === undefined) return [];
  return [
    `   Unicast TTL = ${unicastTtl}`,
    `   Check unicast src : ${yes(checkUnicastSource)}`,
    ...list("Unicast Peer", unicastPeers, (one) => `${one.address} min_ttl ${one.minTtl} max_ttl ${one.maxTtl}`),
    `   Unicast checksum compatibility = ${yes(checksumWithoutPseudoHeader)}`,
  ];
}
