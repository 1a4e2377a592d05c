/**
 * Several masters of one virtual router at once, and adverts that a host receives and its VRRP process does not.
 *
 * While one router takes over from another, both may send an advert; only what goes on after that is a finding.
 */

import { between, type Instant, instantAt, seconds } from "../../base/time.ts";
import type { InstanceSnapshot } from "../messages.ts";
import { type Finding, type FindingCode, named } from "./findings.ts";
import { instanceOf, isSending, longEnough, type NeighbourhoodState, type Peer, rowOf } from "./state.ts";

/** Remarks with which no advert is taken for one of this virtual router, whoever looks at it. */
const NOT_MEANT_FOR_US: readonly FindingCode[] = [
  "duplicate-vrid",
  "vrid-differs",
  "unicast-multicast-mixed",
  "unknown-unicast-peer",
  "ah-used",
  "malformed",
];
/** Of a row of adverts none of which has reached the process: so long, and so many intervals. */
const FILTERED_AFTER = seconds(2);
const FILTERED_ADVERTS = 2.5;

export function judgeMasters(state: NeighbourhoodState, now: Instant): Finding[] {
  const sending = state.peers.filter((peer) => isSending(peer, now) && !peer.remarks.includes("duplicate-vrid"));
  const byInstance = Map.groupBy(sending, ({ instance }) => instance);
  return state.instances.flatMap((mine) => {
    const others = byInstance.get(mine.name);
    if (others === undefined) return [];
    return [...rivals(state, mine, others, now), ...filtered(mine, others, now)];
  });
}

function rivals(state: NeighbourhoodState, mine: InstanceSnapshot, others: readonly Peer[], now: Instant): Finding[] {
  const about = { instance: mine.name, interface: mine.interface, code: "two-masters", severity: "error" } as const;
  const self = state.interfaces.find(({ name }) => name === mine.interface);
  if (mine.state === "MASTER" && !mine.leaving) {
    const us = `this host, ${named({ ip: sourceOf(state, mine), mac: self?.macs[0] })}, with priority ${mine.effectivePriority}`;
    return others
      .filter((peer) => longEnough(rowOf(peer, mine.since), peer.interval))
      .map((peer) => ({
        ...about,
        peer: { ip: peer.ip, mac: peer.mac },
        text: `is master with priority ${peer.priority}, and so is ${us}`,
        cure: whyDeaf(state, peer),
        since: later(mine.since, peer.firstAt),
        lastSeen: now,
      }));
  }
  const [first, ...more] = others.toSorted((a, b) => b.priority - a.priority);
  if (first === undefined) return [];
  return more
    .filter((peer) => longEnough(overlap(first, peer), peer.interval))
    .map((peer) => ({
      ...about,
      peer: { ip: peer.ip, mac: peer.mac },
      text: `is master with priority ${peer.priority}, and so is ${named(first)} with priority ${first.priority}`,
      cure: "the two do not hear each other, or refuse each other's adverts: look at their logs",
      since: later(peer.firstAt, first.firstAt),
      lastSeen: now,
    }));
}

const later = (one: Instant, other: Instant): Instant => instantAt(Math.max(one, other));
const overlap = (one: Peer, other: Peer) =>
  between(later(one.firstAt, other.firstAt), instantAt(Math.min(one.lastAt, other.lastAt)));

function sourceOf(state: NeighbourhoodState, mine: InstanceSnapshot) {
  const configured = instanceOf(state, mine.name)?.sourceAddress;
  const virtual = mine.addresses.map(({ address }) => address);
  const here = state.interfaces.find(({ name }) => name === mine.interface)?.addresses ?? [];
  return configured ?? here.find((one) => !virtual.includes(one) && one.includes(":") === (mine.family === "ipv6"));
}

function whyDeaf(state: NeighbourhoodState, peer: Peer): string {
  const same = ({ finding }: NeighbourhoodState["held"][number]) =>
    finding.instance === peer.instance && finding.peer?.ip === peer.ip && finding.severity === "error";
  const reasons = state.held.filter(same).map(({ finding }) => finding.code);
  const others = [...new Set(reasons)].filter((code) => code !== "two-masters");
  if (others.length > 0) return `end what keeps them apart: ${others.join(", ")}`;
  return "adverts of this host do not reach it, or it refuses them: look at its log, its firewall and the switch between";
}

function filtered(mine: InstanceSnapshot, others: readonly Peer[], now: Instant): Finding[] {
  if (mine.state !== "MASTER" && mine.state !== "BACKUP") return [];
  // In FAULT it counts no advert; a MASTER has been BACKUP before, and deaf for all of it if no advert is newer.
  const reached = [mine.lastAdvert?.at, mine.lastRefused?.at, mine.state === "BACKUP" ? mine.since : undefined];
  return others.flatMap((peer) => {
    const since = reached.reduce<Instant>((last, at) => later(last, at ?? last), peer.firstAt);
    const row = rowOf(peer, since);
    const long = peer.count >= 3 && row >= FILTERED_AFTER && row >= peer.interval * FILTERED_ADVERTS;
    if (!long || peer.remarks.some((code) => NOT_MEANT_FOR_US.includes(code))) return [];
    return [
      {
        code: "adverts-filtered",
        instance: mine.name,
        interface: mine.interface,
        severity: "error",
        peer: { ip: peer.ip, mac: peer.mac },
        text: `its adverts reach ${mine.interface}, and this host drops them before VRRP sees them`,
        cure: "let IP protocol 112 in (nft list ruleset, iptables -S); a strict rp_filter drops what comes from another network",
        since,
        lastSeen: now,
      },
    ];
  });
}
