/** Addresses and commands in the words of keepalived 2.2.7's dumps. */

import { isIpv4 } from "../../base/ip.ts";
import type { NotifyScripts, ScriptCommand, VirtualAddress, VrrpInstance } from "../../config/model/vrrp.ts";
import type { StateName } from "../messages.ts";
import { OWNER_PRIORITY } from "../router-state.ts";
import type { DumpFacts } from "./facts.ts";

/** What has not begun for want of the first results of its scripts is in FAULT for keepalived. */
export const shownState = (state: StateName): StateName => (state === "INIT" ? "FAULT" : state);

/** `10.9.0.100/24 dev eth0 scope global set`; a host's own prefix length is left out. */
export function addressText(instance: VrrpInstance, address: VirtualAddress, set: boolean): string {
  const onVmac = instance.vmac !== undefined && address.interface === instance.vmac.interface;
  const device = onVmac ? `${address.interface}@${instance.interface}` : address.interface;
  const text = textOf(address, device, set);
  const dropped = set && !instance.accept && instance.priority !== OWNER_PRIORITY;
  return dropped ? `${text} nftable_set` : text;
}

/** Static addresses are set when the daemon runs. */
export const staticAddressText = (address: VirtualAddress): string => textOf(address, address.interface, true);

function textOf(address: VirtualAddress, device: string, set: boolean): string {
  const ipv4 = isIpv4(address.address);
  const bits = (one: VirtualAddress["address"]) => (isIpv4(one) ? 32 : 128);
  const prefix = address.prefixLength === bits(address.address) ? "" : `/${address.prefixLength}`;
  const words = [
    `${address.address}${prefix}`,
    address.broadcast === undefined ? undefined : `brd ${address.broadcast}`,
    `dev ${device}`,
    `scope ${address.scope}`,
    address.label === undefined ? undefined : `label ${address.label}`,
    address.peer === undefined ? undefined : `peer ${address.peer}/${bits(address.peer)}`,
    ...address.flags,
    address.noTrack ? "no_track" : undefined,
    ipv4 ? undefined : preferred(address.preferredLifetime),
    set ? "set" : undefined,
  ];
  return words.filter((word) => word !== undefined).join(" ");
}

function preferred(lifetime: VirtualAddress["preferredLifetime"]): string {
  if (lifetime === undefined || lifetime === 0) return "deprecated";
  return `preferred_lft ${lifetime === "forever" ? "forever" : Math.round(lifetime / 1_000_000)}`;
}

/** `'/usr/bin/true' 'x'`. */
export const commandText = (facts: DumpFacts, command: ScriptCommand): string =>
  facts
    .resolve(command)
    .argv.map((word) => `'${word}'`)
    .join(" ");

export function ownedCommandText(facts: DumpFacts, command: ScriptCommand): string {
  const { uid, gid } = facts.resolve(command);
  return `${commandText(facts, command)}, uid:gid ${uid}:${gid}`;
}

/** In the order in which keepalived lists them. */
export function notifyCommands(notify: NotifyScripts): [kind: string, key: string, command: ScriptCommand][] {
  const all: [string, string, NotifyScripts["deleted"]][] = [
    ["Backup state transition", "script_backup", notify.backup],
    ["Master state transition", "script_master", notify.master],
    ["Fault state transition", "script_fault", notify.fault],
    ["Stop state transition", "script_stop", notify.stop],
    ["Deleted state transition", "script_deleted", notify.deleted],
    ["Master rx lower priority", "script_master_rx_lower_pri", notify.masterRxLowerPri],
    ["Generic state transition", "script", notify.any],
  ];
  return all.flatMap(([kind, key, command]) =>
    command === undefined || command === "say-deleted" ? [] : [[kind, key, command] as [string, string, ScriptCommand]],
  );
}

/** A macvlan of our own always does; keepalived then ignores the keyword. */
export const promotes = ({ promoteSecondaries, vmac }: VrrpInstance): boolean =>
  promoteSecondaries && vmac === undefined;
