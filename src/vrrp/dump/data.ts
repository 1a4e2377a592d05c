/**
 * `/tmp/keepalived.data` and `/tmp/keepalived_parent.data`, as keepalived 2.2.7 writes them on SIGUSR1.
 *
 * Lines that exporters look for are word for word; descriptors and kernel settings that we do not have are not invented:
 * their lines are left out (`fd_in`, the sysctls of interfaces). docs/guides/keepalived.md lists them.
 */

import type { VrrpInstance } from "../../config/model/vrrp.ts";
import type { InstanceSnapshot } from "../messages.ts";
import type { Dumped, DumpInterface } from "./facts.ts";
import { renderGlobal } from "./global.ts";
import { renderInstance } from "./instance.ts";
import { commandText, notifyCommands, ownedCommandText } from "./words.ts";

export const renderParentData = (dumped: Dumped): string => text(renderGlobal(dumped, true));

export function renderData(dumped: Dumped): string {
  const { configuration, snapshot, facts } = dumped;
  const pairs = configuration.instances.flatMap((instance) => {
    const state = snapshot.instances.find(({ name }) => name === instance.name);
    return state === undefined ? [] : [[instance, state] as const];
  });
  return text([
    ...renderGlobal(dumped, false),
    ...section(
      "VRRP Topology",
      pairs.flatMap(([instance, state]) => renderInstance(dumped, instance, state)),
    ),
    ...section("VRRP Sockpool", sockets(pairs)),
    ...section("VRRP Sync groups", groups(dumped)),
    ...section("VRRP Scripts", scripts(dumped)),
    ...section("VRRP Track files", trackFiles(dumped)),
    ...section("VRRP Track processes", trackProcesses(dumped)),
    ...section(
      "Interfaces",
      facts.interfaces.flatMap((one) => interfaceLines(one, configuration.instances)),
    ),
  ]);
}

const text = (lines: readonly string[]): string => `${lines.join("\n")}\n`;
const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`------< ${title} >------`, ...lines];

/** Instances that share interface, family and manner of sending share a socket. */
function sockets(pairs: readonly (readonly [VrrpInstance, InstanceSnapshot])[]): string[] {
  const shared = new Map<string, { lines: string[]; members: string[] }>();
  for (const [instance, state] of pairs) {
    const { family, unicastPeers, vmac } = instance;
    const device = vmac === undefined || vmac.transmitOnBase ? instance.interface : vmac.interface;
    const unicast = unicastPeers !== undefined;
    const lines = [
      `   Interface = ${device}`,
      `   Family = ${family === "ipv4" ? "IPv4" : "IPv6"}`,
      "   Protocol = VRRP",
      `   Type = ${unicast ? "Unicast" : "Multicast"}`,
      ...(unicast ? [`   Address = ${state.source ?? instance.sourceAddress ?? ""}`] : []),
      "   Rx buf size = 0",
      "   VRRP instances",
    ];
    const key = lines.join();
    const pool = shared.get(key) ?? { lines, members: [] };
    pool.members.push(`     ${instance.name} vrid ${instance.virtualRouterId}`);
    shared.set(key, pool);
  }
  return [...shared.values()].flatMap(({ lines, members }) => [...lines, ...members]);
}

function groups({ configuration, snapshot, facts }: Dumped): string[] {
  return configuration.syncGroups.flatMap((group) => {
    const members = snapshot.instances.filter(({ name }) => group.members.includes(name));
    const count = (state: string) => members.filter((one) => one.state === state).length;
    return [
      ` VRRP Sync Group = ${group.name}, ${snapshot.groups.find(({ name }) => name === group.name)?.state ?? "INIT"}`,
      `   Num member fault ${count("FAULT")}, num member init ${count("INIT")}`,
      "   VRRP member instances :",
      ...group.members.map((name) => `     ${name}`),
      `   Using smtp notification = ${group.smtpAlert ? "yes" : "no"}`,
      ...notifyCommands(group.notify).map(
        ([kind, , command]) => `   ${kind} script = ${ownedCommandText(facts, command)}`,
      ),
    ];
  });
}

function tracking({ configuration }: Dumped, weightOf: (instance: VrrpInstance) => number | undefined): string[] {
  const lines = configuration.instances.flatMap((instance) => {
    const weight = weightOf(instance);
    return weight === undefined ? [] : [`     ${instance.name}, weight ${weight}`];
  });
  return lines.length === 0 ? [] : ["   Tracking instances :", ...lines];
}

function scripts(dumped: Dumped): string[] {
  const { configuration, snapshot, facts } = dumped;
  return configuration.scripts.flatMap((script) => {
    const { uid, gid } = facts.resolve(script.command);
    const state = snapshot.scripts.find(({ name }) => name === script.name)?.state ?? "unknown";
    return [
      ` VRRP Script = ${script.name}`,
      `   Command = ${commandText(facts, script.command)}`,
      `   Interval = ${script.interval / 1_000_000} sec`,
      `   Timeout = ${script.timeout / 1_000_000} sec`,
      `   Weight = ${script.weight}${script.reverse ? " reverse" : ""}`,
      `   Rise = ${script.rise}`,
      `   Fall = ${script.fall}`,
      "   Insecure = no",
      `   Init state = ${script.initFail ? "failed" : "unknown"}`,
      `   Status = ${{ ok: "GOOD", failed: "BAD", unknown: "INIT" }[state]}`,
      `   Script uid:gid = ${uid}:${gid}`,
      "   VRRP instances :",
      ...tracking(dumped, (instance) => instance.trackScripts.find((one) => one.script === script.name)?.weight),
    ];
  });
}

const trackFiles = (dumped: Dumped): string[] =>
  dumped.configuration.trackFiles.flatMap((file) => [
    ` Track file = ${file.name}`,
    `   File = ${file.file}`,
    `   Weight = ${file.weight}`,
    ...tracking(dumped, (instance) => instance.trackFiles.find((one) => one.name === file.name)?.weight),
  ]);

const trackProcesses = (dumped: Dumped): string[] =>
  dumped.configuration.trackProcesses.flatMap((one) => [
    ` VRRP Track process = ${one.name}`,
    `   Process = ${one.command[0] ?? ""}`,
    `   Min processes = ${one.quorum}`,
    `   Weight = ${one.weight}`,
    `   Terminate delay = ${(one.terminateDelay / 1_000_000).toFixed(6)}s`,
    `   Fork delay = ${(one.forkDelay / 1_000_000).toFixed(6)}s`,
    `   Full command = ${one.fullCommand}`,
    ...tracking(dumped, (instance) => instance.trackProcesses.find((tracked) => tracked.name === one.name)?.weight),
  ]);

const IFF_UP = 0x1;
const IFF_BROADCAST = 0x2;
const IFF_POINTOPOINT = 0x10;
const IFF_RUNNING = 0x40;
const IFF_NOARP = 0x80;
const IFF_MULTICAST = 0x1000;

function interfaceLines(one: DumpInterface, instances: readonly VrrpInstance[]): string[] {
  const has = (flag: number) => (one.flags & flag) !== 0;
  const words = [
    has(IFF_UP) ? "UP" : "DOWN",
    has(IFF_RUNNING) ? "RUNNING" : "not RUNNING",
    has(IFF_BROADCAST) ? undefined : "no broadcast",
    one.loopback ? "loopback" : undefined,
    has(IFF_POINTOPOINT) ? "point to point" : undefined,
    has(IFF_NOARP) ? "no arp" : undefined,
    has(IFF_MULTICAST) ? undefined : "no multicast",
  ];
  const follows = instances.flatMap((instance) => {
    const tracked = instance.trackInterfaces.find((tracker) => tracker.interface === one.name);
    const own = !instance.ignoreOwnLink && [instance.interface, instance.vmac?.interface].includes(one.name);
    return tracked === undefined && !own ? [] : [`     ${instance.name}, weight ${tracked?.weight ?? 0}`];
  });
  return [
    ` Name = ${one.name}`,
    `   index = ${one.index}`,
    `   IPv4 address = ${one.ipv4 ?? "(none)"}`,
    `   IPv6 address = ${one.ipv6 ?? "(none)"}`,
    ...(one.mac === undefined || one.loopback ? [] : [`   MAC = ${one.mac}`, "   MAC broadcast = ff:ff:ff:ff:ff:ff"]),
    `   State = ${words.filter((word) => word !== undefined).join(", ")}`,
    `   MTU = ${one.mtu}`,
    `   HW Type = ${one.loopback ? "LOOPBACK" : "ETHERNET"}`,
    "   NIC netlink status update",
    ...(follows.length === 0 ? [] : ["   Tracking VRRP instances :", ...follows]),
  ];
}
