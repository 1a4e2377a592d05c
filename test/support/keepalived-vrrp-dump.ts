/** A model of VRRP as the lines of keepalived 2.2.7's `--dump-conf` that say the same, and those lines out of its log. */

import { type IpAddress, isIpv4 } from "../../src/base/ip.ts";
import type { VirtualRoute, VirtualRule } from "../../src/config/model/route.ts";
import type { VirtualAddress, VrrpConfiguration, VrrpInstance } from "../../src/config/model/vrrp.ts";

/** Lines of a plain instance: left out of every dump, so that each shows what is special. */
const USUAL: ReadonlySet<string> = new Set([
  "VRRP Version = 2",
  "Wantstate = BACKUP",
  "Virtual Router ID = 7",
  "Priority = 100",
  "Advert interval = 1 sec",
  "Accept = enabled",
  "Preempt = enabled",
  "Promote_secondaries = disabled",
  "Gratuitous ARP delay = 5",
  "Gratuitous ARP repeat = 5",
  "Gratuitous ARP refresh = 0",
  "Gratuitous ARP refresh repeat = 1",
  "Gratuitous ARP lower priority delay = 5",
  "Gratuitous ARP lower priority repeat = 5",
  "Down timer adverts = 3",
  "Send advert after receive lower priority advert = true",
  "Send advert after receive higher priority advert = false",
  "Unicast TTL = 255",
  "Check unicast src : no",
  "Multicast address 224.0.0.18",
  "Notify priority changes = false",
  "Using smtp notification = no",
]);

const HEADS =
  /^(VRRP Instance|VRRP Version|Wantstate|Virtual Router ID|Priority|Advert interval|Accept|Preempt|Promote_secondaries|Gratuitous ARP (delay|repeat|refresh|lower)[a-z ]*|Down timer adverts|Send advert after|Unicast TTL|Check unicast src|Multicast address|Notify priority changes|Using smtp notification|Password|Use VMAC|Enforcing strict|Skip checking|Tracked|Virtual (IP|Routes|Rules)|Unicast Peer)/;

/** Of `keepalived -n -l -d`: its instances, without addresses of the host and without state. */
export function dumpedInstances(log: string): string[] {
  const lines = log.split("\n").map((line) => line.replace(/^\w{3} \w{3} +\d+ [\d:]{8} \d{4}: /, ""));
  const from = lines.findIndex((line) => line.includes("VRRP Topology >"));
  const rest = lines.slice(from + 1);
  const to = rest.findIndex((line) => /^------< (?!VRRP Topology)/.test(line));
  if (from < 0) return [];
  return rest
    .slice(0, to < 0 ? undefined : to)
    .filter((line) => line.startsWith("     ") || HEADS.test(line.trim()))
    .map((line) => line.trim())
    .filter((line) => !/^(Using unicast|Unicast config option|If unicast go|MAC = |proto )/.test(line))
    .map(plain)
    .filter((line) => !USUAL.has(line));
}

/** Without what is state or is documented to differ. */
const plain = (line: string): string =>
  line
    .replace(", is_up = true", "")
    .replace(/(Multicast address \S+), ifindex \d+$/, "$1")
    .replace(/ (preferred_lft forever|deprecated)(?= |$)/, "")
    .replace(/ dev (\S+)@\S+/, " dev $1")
    .replace(" use_vmac", "")
    .replace(/ proto(col)? 18(?= |$)/, "")
    .replace("from 0.0.0.0/0 ", "from all ")
    .replace(" mtu lock ", " mtu ");

export function instancesInDump(vrrp: VrrpConfiguration | undefined): string[] {
  return (vrrp?.instances ?? []).flatMap(instanceLines).filter((line) => !USUAL.has(line));
}

const enabled = (value: boolean): string => (value ? "enabled" : "disabled");
const inSeconds = (microseconds: number): number => microseconds / 1_000_000;

function instanceLines(one: VrrpInstance): string[] {
  const { garp, unicastPeers, vmac } = one;
  const interval =
    one.version === 2 ? `${inSeconds(one.advertInterval)} sec` : `${one.advertInterval / 1_000} milli-sec`;
  const list = <T>(head: string, items: readonly T[], lineOf: (item: T) => string) =>
    items.length === 0 ? [] : [head, ...items.map(lineOf)];
  const weight = (item: { readonly weight: number; readonly reverse: boolean }) =>
    `weight ${item.weight}${item.reverse ? " reverse" : ""}`;
  const unicast = unicastPeers !== undefined && unicastPeers.length > 0;
  return [
    `VRRP Instance = ${one.name}`,
    `VRRP Version = ${one.version}`,
    `Wantstate = ${one.state}`,
    ...(vmac === undefined ? [] : [`Use VMAC, i/f name ${vmac.interface}, xmit_base = ${vmac.transmitOnBase}`]),
    ...(one.skipCheckAdvAddr ? ["Skip checking advert IP addresses"] : []),
    ...(one.strict ? ["Enforcing strict VRRP compliance"] : []),
    ...(unicast ? [] : [`Multicast address ${one.multicastGroup}`]),
    `Gratuitous ARP delay = ${inSeconds(garp.masterDelay)}`,
    `Gratuitous ARP repeat = ${garp.masterRepeat}`,
    `Gratuitous ARP refresh = ${inSeconds(garp.masterRefresh)}`,
    `Gratuitous ARP refresh repeat = ${garp.masterRefreshRepeat}`,
    `Gratuitous ARP lower priority delay = ${inSeconds(garp.lowerPrioDelay)}`,
    `Gratuitous ARP lower priority repeat = ${garp.lowerPrioRepeat}`,
    `Down timer adverts = ${one.downTimerAdverts}`,
    `Send advert after receive lower priority advert = ${!one.lowerPrioNoAdvert}`,
    `Send advert after receive higher priority advert = ${one.higherPrioSendAdvert}`,
    `Virtual Router ID = ${one.virtualRouterId}`,
    `Priority = ${one.priority}`,
    `Advert interval = ${interval}`,
    `Accept = ${enabled(one.accept)}`,
    `Preempt = ${enabled(!one.nopreempt)}`,
    `Promote_secondaries = ${enabled(one.promoteSecondaries)}`,
    ...(one.authPass === undefined ? [] : [`Password = ${one.authPass}`]),
    ...list(`Virtual IP (${one.virtualAddresses.length}):`, one.virtualAddresses, addressLine),
    ...(unicast
      ? [`Unicast TTL = ${one.unicastTtl}`, `Check unicast src : ${one.checkUnicastSource ? "yes" : "no"}`]
      : []),
    ...list(
      "Unicast Peer :",
      unicastPeers ?? [],
      (peer) => `${peer.address} min_ttl ${peer.minTtl} max_ttl ${peer.maxTtl}`,
    ),
    ...list("Virtual IP Excluded :", one.excludedAddresses, addressLine),
    ...list("Virtual Routes :", one.virtualRoutes, routeLine),
    ...list("Virtual Rules :", one.virtualRules, ruleLine),
    ...list("Tracked interfaces :", one.trackInterfaces, (item) => `${item.interface} ${weight(item)}`),
    ...list("Tracked scripts :", one.trackScripts, (item) => `${item.script} ${weight(item)}`),
    ...list("Tracked files :", one.trackFiles, (item) => `${item.name}, ${weight(item)}`),
    ...list("Tracked processes :", one.trackProcesses, (item) => `${item.name}, ${weight(item)}`),
    `Using smtp notification = ${one.smtpAlert ? "yes" : "no"}`,
    `Notify priority changes = ${one.notifyPriorityChanges}`,
  ];
}

const bitsOf = (address: IpAddress): number => (isIpv4(address) ? 32 : 128);
const when = (wanted: boolean, words: string): string => (wanted ? ` ${words}` : "");
const given = (word: string, value: string | number | undefined): string =>
  value === undefined ? "" : ` ${word} ${value}`;

function addressLine(one: VirtualAddress): string {
  const { address, prefixLength, peer, preferredLifetime: lifetime } = one;
  const length = prefixLength === bitsOf(address) ? "" : `/${prefixLength}`;
  const far = peer === undefined ? "" : ` peer ${peer}/${bitsOf(peer)}`;
  const flags = ["home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin"].filter((flag) =>
    flag === "-nodad" ? one.nodad : (one.flags as readonly string[]).includes(flag),
  );
  const lasting = typeof lifetime === "number" && lifetime > 0 && !isIpv4(address) ? inSeconds(lifetime) : undefined;
  return `${address}${length}${given("brd", one.broadcast)} dev ${one.interface} scope ${one.scope}${given("label", one.label)}${far}${flags.map((flag) => ` ${flag}`).join("")}${when(one.noTrack, "no_track")}${given("preferred_lft", lasting)}`;
}

function routeLine(one: VirtualRoute): string {
  const family = one.family === "ipv4" ? "inet" : "inet6";
  const via = (address: IpAddress | undefined) => (address === undefined ? "" : ` via ${family} ${address}`);
  const hops = one.nextHops.map(
    (hop) =>
      ` nexthop${via(hop.via)}${given("dev", hop.interface)}${when(hop.weight > 1, `weight ${hop.weight}`)}${when(hop.onlink, "onlink")}`,
  );
  const named = one.type === "unicast" ? "" : ` ${one.type}`;
  const written = TYPES.has(one.written.split(" ")[0] ?? "");
  return `${written ? "add" : "prepend"}${named} ${one.destination.address}/${one.destination.length}${given("src", one.source)}${when(one.typeOfService > 0, `tos ${one.typeOfService}`)}${via(one.via)}${given("dev", one.interface)}${given("table", one.table === 254 ? undefined : one.table)}${given("scope", one.scope)}${given("metric", one.metric)}${when(one.onlink, "onlink")}${given("mtu", one.mtu)}${hops.join("")}${when(one.noTrack, "no_track")}`;
}

const TYPES: ReadonlySet<string> = new Set(["unicast", "local", "blackhole", "unreachable", "prohibit", "throw"]);

function ruleLine(one: VirtualRule): string {
  const prefix = ({ address, length }: { readonly address: IpAddress; readonly length: number }) =>
    `${address}${length === bitsOf(address) ? "" : `/${length}`}`;
  const mark =
    one.mark === undefined
      ? ""
      : ` fwmark 0x${one.mark.value.toString(16)}${one.mark.mask === 0xffff_ffff ? "" : `/0x${one.mark.mask.toString(16)}`}`;
  const { action } = one;
  const does =
    action.type === "table"
      ? `lookup ${action.table}`
      : action.type === "goto"
        ? `goto ${action.preference}`
        : action.type === "nop"
          ? "nop"
          : `type ${action.type}`;
  return `${one.not ? "not " : ""}from ${one.from === undefined ? "all" : prefix(one.from)}${one.to === undefined ? "" : ` to ${prefix(one.to)}`} priority ${one.preference} tos 0x${one.typeOfService.toString(16)}${mark}${given("iif", one.incomingInterface)}${given("oif", one.outgoingInterface)} ${does}${when(one.noTrack, "no_track")}`;
}
