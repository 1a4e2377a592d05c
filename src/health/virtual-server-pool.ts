/**
 * Which real servers a virtual server's table is to hold, with which weights, and the smallest change that gets it there.
 *
 * keepalived's rules: a server that is down leaves, or stays with weight 0 (`inhibit_on_failure`); below the quorum the sorry
 * server takes the place of all of them. Both sides of that change are one step here, so no packet meets an empty table.
 */

import type { RealServer, VirtualServer } from "../config/model/virtual-server.ts";
import type { ServerKey } from "../director/plane.ts";
import type {
  PoolMember,
  RealServerState,
  VirtualServerOutput,
  VirtualServerState,
} from "./virtual-server-messages.ts";

/** IPVS's and keepalived's. */
const HEAVIEST = 65_535;

export const sameKey = (a: ServerKey, b: ServerKey): boolean => a.address === b.address && a.port === b.port;

/** What the configuration, MISC_CHECK's exit status and FILE_CHECK's numbers make of its weight; 0..65535. */
export function weightOf(server: RealServer, state: RealServerState): number {
  let base = server.settings.weight;
  let added = 0;
  for (const [index, checker] of server.checkers.entries()) {
    const weight = state.checkers[index]?.weight;
    if (weight === undefined) continue;
    if (checker.type === "FILE_CHECK") added += weight;
    else base = weight;
  }
  return Math.min(HEAVIEST, Math.max(0, base + added));
}

/** Sum over the servers that are up; one that is drained counts for nothing. */
export const liveWeight = (parameters: VirtualServer, servers: readonly RealServerState[]): number =>
  parameters.realServers.reduce((sum, server, index) => {
    const state = servers[index];
    return state?.alive === true && state.drain === undefined ? sum + weightOf(server, state) : sum;
  }, 0);

/** In scheduling order, as IPVS has it after adding the servers of the file one by one: the last one first. */
export function wantedPool(
  parameters: VirtualServer,
  { quorumUp, servers }: Pick<VirtualServerState, "quorumUp" | "servers">,
): PoolMember[] {
  const { sorryServer } = parameters;
  const apologising = sorryServer !== undefined && !quorumUp;
  const members: PoolMember[] = [];
  for (const [index, server] of parameters.realServers.entries()) {
    const state = servers[index];
    if (state === undefined) continue;
    const { key, settings } = server;
    // A server that is drained keeps its connections, whatever happens to the others.
    if (state.drain !== undefined) members.push({ key, settings: { ...settings, weight: 0, draining: true } });
    else if (state.alive && !apologising)
      members.push({ key, settings: { ...settings, weight: weightOf(server, state) } });
    else if (server.inhibitOnFailure) members.push({ key, settings: { ...settings, weight: 0 } });
  }
  if (sorryServer !== undefined && !members.some(({ key }) => sameKey(key, sorryServer.key))) {
    const { key, settings, inhibit } = sorryServer;
    if (apologising) members.push({ key, settings });
    else if (inhibit) members.push({ key, settings: { ...settings, weight: 0 } });
  }
  return members.reverse();
}

export function poolChange(from: readonly PoolMember[], to: readonly PoolMember[]): VirtualServerOutput[] {
  const before = new Map(from.map((member) => [nameOf(member), member]));
  const after = new Map(to.map((member) => [nameOf(member), member]));
  const gone = from.filter((member) => !after.has(nameOf(member)));
  const come = to.filter((member) => !before.has(nameOf(member)));
  const edited = to.filter((member) => {
    const old = before.get(nameOf(member));
    return old !== undefined && JSON.stringify(old.settings) !== JSON.stringify(member.settings);
  });
  if (gone.length + come.length + edited.length > 1) return [{ type: "replace-servers", members: to }];
  return [
    ...come.map((member) => ({ type: "add-server", member }) as const),
    ...edited.map((member) => ({ type: "edit-server", member }) as const),
    ...gone.map(({ key }) => ({ type: "delete-server", key }) as const),
  ];
}

const nameOf = ({ key }: PoolMember): string => `${key.address} ${key.port}`;
