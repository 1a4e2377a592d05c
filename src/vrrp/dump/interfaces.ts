/** `------< Interfaces >------` of keepalived's `.data`. */

import type { VrrpInstance } from "../../config/model/vrrp.ts";
import type { Dumped, DumpInterface } from "./facts.ts";
import { trackingInstances, weightText } from "./trackers.ts";

const IFF_UP = 0x1;
const IFF_BROADCAST = 0x2;
const IFF_POINTOPOINT = 0x10;
const IFF_RUNNING = 0x40;
const IFF_NOARP = 0x80;
const IFF_MULTICAST = 0x1000;

/** keepalived's weight of a link that is watched and decides nothing (`dont_track_primary`). */
const NOT_COUNTED = 255;

export function interfaceLines(dumped: Dumped): string[] {
  return dumped.facts.interfaces.flatMap((one) => {
    const delay = dumped.configuration.global.interfaceDelays.find((delays) => delays.interface === one.name);
    const follows = followers(dumped, one.name);
    return [
      ` Name = ${one.name}`,
      `   index = ${one.index}`,
      `   IPv4 address = ${one.ipv4 ?? "(none)"}`,
      `   IPv6 address = ${one.ipv6 ?? "(none)"}`,
      ...(one.mac === undefined || one.loopback ? [] : [`   MAC = ${one.mac}`, "   MAC broadcast = ff:ff:ff:ff:ff:ff"]),
      `   State = ${stateText(one)}`,
      `   Up debounce timer = ${delay?.up ?? 0}us`,
      `   Down debounce timer = ${delay?.down ?? 0}us`,
      ...virtualMac(dumped, one.name),
      `   MTU = ${one.mtu}`,
      `   HW Type = ${one.loopback ? "LOOPBACK" : "ETHERNET"}`,
      "   NIC netlink status update",
      ...(follows.length === 0 ? [] : ["   Tracking VRRP instances :", ...follows]),
    ];
  });
}

function stateText({ flags, loopback }: DumpInterface): string {
  const has = (flag: number) => (flags & flag) !== 0;
  const words = [
    has(IFF_UP) ? "UP" : "not UP",
    has(IFF_RUNNING) ? "RUNNING" : "not RUNNING",
    has(IFF_BROADCAST) ? undefined : "no broadcast",
    loopback ? "loopback" : undefined,
    has(IFF_POINTOPOINT) ? "point to point" : undefined,
    has(IFF_NOARP) ? "no arp" : undefined,
    has(IFF_MULTICAST) ? undefined : "no multicast",
  ];
  return words.filter((word) => word !== undefined).join(", ");
}

function virtualMac({ configuration, facts }: Dumped, name: string): string[] {
  const instance = configuration.instances.find(({ vmac }) => vmac?.interface === name);
  const base = facts.interfaces.find((one) => one.name === instance?.interface);
  if (base === undefined) return [];
  return [
    `   VMAC type private, underlying interface = ${base.name}, state = ${stateText(base)}`,
    "   I/f created by keepalived",
  ];
}

function followers(dumped: Dumped, name: string): string[] {
  const found = trackingInstances(
    dumped,
    (instance) => instance.trackInterfaces.find((one) => one.interface === name) ?? unnamed(instance, name),
    (group) => group.trackInterfaces.find((one) => one.interface === name),
  );
  return found.map(([instance, tracker]) => `     ${instance}, ${weightText(tracker)}`);
}

/** Tracked without being named: its own link, and those that its addresses, routes and rules need. */
function unnamed(instance: VrrpInstance, name: string) {
  const { vmac, virtualAddresses, excludedAddresses, virtualRoutes, virtualRules } = instance;
  if (name === instance.interface || name === vmac?.interface)
    return { weight: instance.ignoreOwnLink ? NOT_COUNTED : 0, reverse: false };
  const needed = [
    ...[...virtualAddresses, ...excludedAddresses].filter(({ noTrack }) => !noTrack).map((one) => one.interface),
    ...virtualRoutes
      .filter(({ noTrack }) => !noTrack)
      .flatMap((one) => [one.interface, ...one.nextHops.map((hop) => hop.interface)]),
    ...virtualRules.filter(({ noTrack }) => !noTrack).flatMap((one) => [one.incomingInterface, one.outgoingInterface]),
  ];
  return needed.includes(name) ? { weight: 0, reverse: false } : undefined;
}
