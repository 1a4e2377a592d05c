/**
 * Who says that it has a virtual address, and should not: a third machine, or a router that has died and left it behind.
 *
 * Address claims come by ARP and by neighbour advertisements, unasked or in answer to a probe (`probing.ts`).
 */

import type { MacAddress } from "../../base/mac.ts";
import { after, between, type Instant, seconds } from "../../base/time.ts";
import type { InstanceSnapshot } from "../messages.ts";
import type { Finding } from "./findings.ts";
import { type Claim, instanceOf, isSending, type NeighbourhoodState, silenceOf } from "./state.ts";

/** A claim counts for so long: longer than it takes to ask again. */
export const CLAIM_LINGERS = seconds(8);
/** After a change of masters the one before may still answer. */
const SETTLED_AFTER = seconds(2);

export function judgeClaims(state: NeighbourhoodState, now: Instant): Finding[] {
  return state.claims
    .filter((claim) => between(claim.lastAt, now) <= CLAIM_LINGERS)
    .flatMap((claim) =>
      state.instances
        .filter((mine) =>
          mine.addresses.some(
            (one) => one.address === claim.address && placeOf(state, mine, one.interface) === claim.interface,
          ),
        )
        .flatMap((mine) => judge(state, mine, claim, now)),
    );
}

/** Where an address is seen from outside: a macvlan's base interface. */
export function placeOf(state: NeighbourhoodState, mine: InstanceSnapshot, name: string): string {
  const own = instanceOf(state, mine.name);
  return own?.vmac?.interface === name ? own.interface : name;
}

function judge(state: NeighbourhoodState, mine: InstanceSnapshot, claim: Claim, now: Instant): Finding[] {
  const router = state.peers.find((peer) => peer.mac === claim.mac && peer.interface === claim.interface);
  const finding = (text: string, cure: string): Finding[] => [
    {
      code: "address-owned-elsewhere",
      instance: mine.name,
      interface: claim.interface,
      severity: "error",
      peer: { ip: router?.ip, mac: claim.mac },
      text,
      cure,
      since: claim.firstAt,
      lastSeen: claim.lastAt,
    },
  ];
  if (mine.state === "MASTER" && !mine.leaving) {
    if (claim.lastAt < after(mine.since, SETTLED_AFTER)) return [];
    // Then they are two masters, which says more; or it was master when it said so.
    if (router !== undefined && (isSending(router, now) || between(router.lastAt, claim.lastAt) < silenceOf(router)))
      return [];
    if (router === undefined) return finding(`has ${claim.address} too, which this host holds as master`, THIRD);
    const apart = router.remarks.join(", ");
    return finding(
      `still has ${claim.address}, and this host is master and hears no advert of it`,
      apart === ""
        ? "if its VRRP was killed, it left the address behind: start it there, or remove the address by hand"
        : `end what keeps the two apart: ${apart}`,
    );
  }
  if (between(claim.firstAt, now) < SETTLED_AFTER || isVirtualMac(claim.mac, mine)) return [];
  const master = state.peers.find((peer) => peer.instance === mine.name && isSending(peer, now));
  if (master === undefined || router !== undefined) return [];
  return finding(`says that it has ${claim.address}, and the master is ${master.ip} (${master.mac})`, THIRD);
}

const THIRD =
  "a machine outside this virtual router has the address configured (ip address; a real server wants arp_ignore, see evenkeel doctor), or a router whose adverts do not arrive";

/** RFC 9568 §7.3. */
const isVirtualMac = (mac: MacAddress, { family, virtualRouterId }: InstanceSnapshot): boolean =>
  mac === `00:00:5e:00:0${family === "ipv4" ? 1 : 2}:${virtualRouterId.toString(16).padStart(2, "0")}`;
