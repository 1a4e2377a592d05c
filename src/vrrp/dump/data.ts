/**
 * `/tmp/keepalived.data` and `/tmp/keepalived_parent.data`, as keepalived 2.2.7 writes them on SIGUSR1.
 *
 * Lines that exporters look for are word for word; descriptors and kernel settings that we do not have are not invented:
 * their lines are left out (`fd_in`, the sysctls of interfaces). docs/guides/keepalived.md lists them.
 */

import type { VrrpInstance } from "../../config/model/vrrp.ts";
import type { InstanceSnapshot } from "../messages.ts";
import type { Dumped } from "./facts.ts";
import { renderGlobal } from "./global.ts";
import { renderInstance } from "./instance.ts";
import { interfaceLines } from "./interfaces.ts";
import { routeText, ruleText } from "./routes.ts";
import { fileLines, groupLines, processLines, scriptLines } from "./trackers.ts";
import { staticAddressText } from "./words.ts";

export const renderParentData = (dumped: Dumped): string => text(renderGlobal(dumped, true));

export function renderData(dumped: Dumped): string {
  const { configuration, snapshot } = dumped;
  const pairs = configuration.instances.flatMap((instance) => {
    const state = snapshot.instances.find(({ name }) => name === instance.name);
    return state === undefined ? [] : [[instance, state] as const];
  });
  return text([
    ...renderGlobal(dumped, false),
    ...section(
      "Static Addresses",
      configuration.statics.addresses.map((one) => `     ${staticAddressText(one)}`),
    ),
    ...section(
      "Static Routes",
      configuration.statics.routes.map((one) => `     ${routeText(one)}`),
    ),
    ...section(
      "Static Rules",
      configuration.statics.rules.map((one) => `     ${ruleText(one)}`),
    ),
    ...section(
      "VRRP Topology",
      pairs.flatMap(([instance, state]) => renderInstance(dumped, instance, state)),
    ),
    ...section("VRRP Sockpool", sockets(pairs)),
    ...section("VRRP Sync groups", groupLines(dumped)),
    ...section("VRRP Scripts", scriptLines(dumped)),
    ...section("VRRP Track files", fileLines(dumped)),
    ...section("VRRP Track processes", processLines(dumped)),
    ...section("Interfaces", interfaceLines(dumped)),
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
