/** One instance in `/tmp/keepalived.data`: ` VRRP Instance = VI_1` and what stands below it (keepalived 2.2.7). */

import type { Duration } from "../../base/time.ts";
import type { Tracker, VirtualAddress, VrrpInstance } from "../../config/model/vrrp.ts";
import type { InstanceSnapshot } from "../messages.ts";
import { masterDownInterval } from "../timers.ts";
import { type Dumped, wantedState } from "./facts.ts";
import { addressText, notifyCommands, ownedCommandText } from "./words.ts";

const whole = (span: Duration): number => Math.round(span / 1_000_000);
const able = (value: boolean): string => (value ? "enabled" : "disabled");
const yes = (value: boolean): string => (value ? "yes" : "no");

export function renderInstance(dumped: Dumped, instance: VrrpInstance, state: InstanceSnapshot): string[] {
  return [
    ...identity(dumped, instance, state),
    ...sending(instance, state),
    ...announcing(instance),
    ...deciding(instance, state),
    ...holding(instance, state),
    ...unicast(instance),
    ...list("Virtual Routes", instance.virtualRoutes, ({ written }) => written),
    ...list("Virtual Rules", instance.virtualRules, ({ written }) => written),
    ...list("Tracked interfaces", instance.trackInterfaces, (one) => `${one.interface} weight ${one.weight}`),
    ...list("Tracked scripts", instance.trackScripts, (one) => `${one.script} weight ${one.weight}`),
    ...list("Tracked files", instance.trackFiles, trackerText),
    ...list("Tracked processes", instance.trackProcesses, trackerText),
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
    `   State = ${state.state}`,
    ...flags(instance),
    `   Wantstate = ${wantedState(state)}`,
    "   Number of config faults = 0",
    `   Number of interface and track script faults = ${faults}`,
    `   Number of track scripts init = ${state.state === "INIT" ? state.faults.length : 0}`,
    moment("Last transition", state.since),
    ...(state.deadline === undefined ? [] : [moment("Read timeout", state.deadline)]),
    `   Master down timer = ${down} usecs`,
  ];
}

function flags({ unicastPeers, vmac }: VrrpInstance): string[] {
  if (unicastPeers !== undefined) return ["   Flags:", "     Using unicast"];
  return vmac === undefined ? ["   Flags: none"] : ["   Flags:"];
}

function sending(instance: VrrpInstance, { source }: InstanceSnapshot): string[] {
  const { vmac, sourceAddress, unicastPeers } = instance;
  const from = sourceAddress ?? source;
  const device =
    vmac === undefined
      ? [`   Interface = ${instance.interface}`]
      : [
          `   Use VMAC, i/f name ${vmac.interface}, is_up = true, xmit_base = ${vmac.transmitOnBase}`,
          `   Interface = ${vmac.interface}, vmac on ${instance.interface}`,
        ];
  return [
    ...device,
    ...(from === undefined
      ? []
      : [`   Using src_ip = ${from}${sourceAddress === undefined ? "" : " (from configuration)"}`]),
    ...(unicastPeers === undefined ? [`   Multicast address ${instance.multicastGroup}`] : []),
  ];
}

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
    `   Accept = ${able(instance.accept)}`,
    `   Preempt = ${able(!instance.nopreempt)}`,
    ...(preemptDelay > 0 ? [`   Preempt delay = ${preemptDelay / 1_000_000} secs`] : []),
    `   Promote_secondaries = ${able(instance.promoteSecondaries)}`,
    ...(instance.authPass === undefined
      ? []
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

const trackerText = ({ name, weight, reverse }: Tracker): string =>
  `${name}, weight ${weight}${reverse ? " reverse" : ""}`;

const list = <T>(title: string, items: readonly T[], show: (item: T) => string): string[] =>
  items.length === 0 ? [] : [`   ${title} :`, ...items.map((item) => `     ${show(item)}`)];
