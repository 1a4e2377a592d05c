/**
 * Neighbours that ought to be heard and are not. Silence proves little: backups say nothing, and a router may be alone on
 * purpose. So only what the configuration or other evidence speaks against is told, and carefully.
 */

import { between, type Instant, seconds } from "../../base/time.ts";
import type { InstanceSnapshot } from "../messages.ts";
import { OWNER_PRIORITY } from "../router-state.ts";
import { CLAIM_LINGERS } from "./address-claims.ts";
import type { Finding } from "./findings.ts";
import { instanceOf, type NeighbourhoodState } from "./state.ts";

/** Master for so long without having heard anybody since the start. */
const PATIENCE = seconds(3);

export function judgeSilence(state: NeighbourhoodState, now: Instant): Finding[] {
  return state.instances.flatMap((mine) => {
    const settled = mine.state === "MASTER" && !mine.leaving && between(mine.since, now) >= PATIENCE;
    if (!settled || state.heard.includes(mine.name)) return [];
    const configured = instanceOf(state, mine.name);
    if (configured?.unicastPeers !== undefined) {
      // Those that answer that they speak no VRRP are told of already.
      return configured.unicastPeers.flatMap(({ address }) =>
        isTold(state, mine, address)
          ? []
          : [
              finding(mine, now, {
                code: "unicast-peer-silent",
                severity: "note",
                peer: { ip: address, mac: undefined },
                text: "has not been heard since this host started, which is master",
                cure: "is VRRP running there, does its unicast_peer name this host, and does a firewall let protocol 112 through?",
              }),
            ],
      );
    }
    const rival = state.claims.find(
      (claim) =>
        between(claim.lastAt, now) <= CLAIM_LINGERS && mine.addresses.some(({ address }) => address === claim.address),
    );
    const group = configured?.multicastGroup ?? "the group";
    if (rival !== undefined) {
      return [
        finding(mine, now, {
          code: "peer-not-heard",
          severity: "error",
          peer: { ip: undefined, mac: rival.mac },
          text: `holds ${rival.address} as this host does, and no advert of anybody has come since the start`,
          cure: `if it is the other router, multicast to ${group} is dropped on the way: IGMP snooping without a querier, a firewall for protocol 112, or a cloud network that needs unicast_peer`,
        }),
      ];
    }
    if (configured?.state !== "BACKUP" || configured.priority === OWNER_PRIORITY) return [];
    return [
      finding(mine, now, {
        code: "peer-not-heard",
        severity: "note",
        peer: undefined,
        text: "master, and no other router has been heard since the start",
        cure: `if there is another one, multicast to ${group} does not arrive; if not, nobody takes over from this host`,
      }),
    ];
  });
}

const isTold = (state: NeighbourhoodState, mine: InstanceSnapshot, address: string): boolean =>
  state.held.some(
    ({ finding: one, expiresAt }) =>
      one.code === "unicast-peer-silent" &&
      one.instance === mine.name &&
      one.peer?.ip === address &&
      expiresAt !== null,
  );

const finding = (
  mine: InstanceSnapshot,
  now: Instant,
  what: Pick<Finding, "code" | "severity" | "peer" | "text" | "cure">,
): Finding => ({ ...what, instance: mine.name, interface: mine.interface, since: now, lastSeen: now });
