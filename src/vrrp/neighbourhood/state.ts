/**
 * What the neighbourhood machine remembers. Plain JSON, and bounded: nobody who sends packets makes it grow past the
 * limits here.
 */

import type { IpAddress } from "../../base/ip.ts";
import type { MacAddress } from "../../base/mac.ts";
import { after, between, type Duration, type Instant, instantAt, microseconds, seconds } from "../../base/time.ts";
import type { VrrpConfiguration, VrrpInstance } from "../../config/model/vrrp.ts";
import { indexOf } from "../configuration-index.ts";
import type { InstanceSnapshot } from "../messages.ts";
import type { Finding, FindingCode, OwnInterface } from "./findings.ts";

/** Neighbours and claims an interface, and findings of all of them; and so many more for each instance. */
export const MOST_EACH = 256;
const MOST_AN_INSTANCE = 4;
/**
 * A finding lasts as long after the last packet that showed it, or for some adverts when those come less often. keepalived
 * 2.2.7 puts off its own adverts whenever it refuses one, for many seconds when both have the same rhythm.
 */
export const LINGER = seconds(10);
/** How long a router that has fallen silent is still known by its link-layer address. */
const REMEMBERED = seconds(600);
/** Adverts that may be missing before a neighbour no longer counts as sending them. */
const MISSING_ADVERTS = 3.2;
const SHORTEST_SILENCE = seconds(3);
/** However short the interval: a router that is started again may be back within a moment. */
const SHORTEST_PROOF = seconds(1);

/** A router that has sent packets with the number of an instance of ours. */
export interface Peer {
  readonly instance: string;
  readonly interface: string;
  readonly ip: IpAddress;
  readonly mac: MacAddress | undefined;
  /** Of an unbroken row of adverts that claim to be master. */
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  readonly count: number;
  readonly priority: number;
  readonly interval: Duration;
  readonly remarks: readonly FindingCode[];
}

/** Somebody else has said that it has one of our addresses. */
export interface Claim {
  readonly interface: string;
  readonly address: IpAddress;
  readonly mac: MacAddress;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
}

export interface Held {
  /** What makes it the same finding when it is seen again. */
  readonly key: string;
  readonly finding: Finding;
  /** null: found by looking at the whole, and gone when it is not found again. */
  readonly expiresAt: Instant | null;
}

export interface Probing {
  readonly instance: string;
  /** MASTER since. */
  readonly since: Instant;
  readonly round: number;
  readonly nextAt: Instant;
}

export interface NeighbourhoodState {
  readonly configuration: VrrpConfiguration | undefined;
  readonly interfaces: readonly OwnInterface[];
  readonly instances: readonly InstanceSnapshot[];
  readonly startedAt: Instant | undefined;
  readonly peers: readonly Peer[];
  readonly claims: readonly Claim[];
  readonly held: readonly Held[];
  /** Instances whose number has been heard from somebody else since the start. */
  readonly heard: readonly string[];
  readonly probing: readonly Probing[];
  /** Still to be asked for. */
  readonly asking: readonly { readonly instance: string; readonly interface: string; readonly address: IpAddress }[];
}

export const initialNeighbourhood = (): NeighbourhoodState => ({
  configuration: undefined,
  interfaces: [],
  instances: [],
  startedAt: undefined,
  peers: [],
  claims: [],
  held: [],
  heard: [],
  probing: [],
  asking: [],
});

export function instanceOf({ configuration }: NeighbourhoodState, name: string): VrrpInstance | undefined {
  const position = configuration && indexOf(configuration).positions.get(name);
  return position === undefined ? undefined : configuration?.instances[position];
}

/** A neighbour that is silent for longer has ceased to send. */
export const silenceOf = (peer: Pick<Peer, "interval">): Duration =>
  microseconds(Math.max(SHORTEST_SILENCE, peer.interval * MISSING_ADVERTS));

export const isSending = (peer: Peer, now: Instant): boolean =>
  peer.priority > 0 && between(peer.lastAt, now) <= silenceOf(peer);

/** For how long both have been sending: adverts that cross are no proof. */
export const rowOf = (peer: Peer, since: Instant = peer.firstAt): Duration =>
  between(instantAt(Math.max(since, peer.firstAt)), peer.lastAt);

export const longEnough = (row: Duration, interval: Duration): boolean =>
  row >= Math.max(interval * 1.5, SHORTEST_PROOF);

/** On one interface, or all together. */
export const mostOf = (state: NeighbourhoodState, name?: string): number =>
  MOST_EACH +
  MOST_AN_INSTANCE *
    (state.configuration?.instances.filter((one) => name === undefined || one.interface === name).length ?? 0);

/** With one more advert of this router; the oldest makes room. */
export function withPeer(
  peers: readonly Peer[],
  heard: Omit<Peer, "firstAt" | "count">,
  most: number,
): readonly Peer[] {
  const same = (one: Peer) => one.instance === heard.instance && one.ip === heard.ip && one.mac === heard.mac;
  const known = peers.find(same);
  const goesOn =
    known !== undefined &&
    known.priority > 0 &&
    between(known.lastAt, heard.lastAt) <= Math.max(SHORTEST_PROOF, known.interval * MISSING_ADVERTS);
  const peer = goesOn
    ? { ...heard, firstAt: known.firstAt, count: known.count + 1 }
    : { ...heard, firstAt: heard.lastAt, count: 1 };
  if (known !== undefined) return peers.map((one) => (one === known ? peer : one));
  const there = peers.filter((one) => one.interface === heard.interface);
  if (there.length < most) return [...peers, peer];
  const oldest = there.reduce((a, b) => (a.lastAt <= b.lastAt ? a : b));
  return [...peers.filter((one) => one !== oldest), peer];
}

export function withClaim(
  claims: readonly Claim[],
  said: Omit<Claim, "firstAt" | "lastAt">,
  now: Instant,
): readonly Claim[] {
  const known = claims.find(
    (one) => one.interface === said.interface && one.address === said.address && one.mac === said.mac,
  );
  if (known !== undefined) return claims.map((one) => (one === known ? { ...one, lastAt: now } : one));
  if (claims.filter((one) => one.interface === said.interface).length >= MOST_EACH) return claims;
  return [...claims, { ...said, firstAt: now, lastAt: now }];
}

/** Without those that nothing has been heard of for long. */
export const forget = (state: NeighbourhoodState, now: Instant): NeighbourhoodState => ({
  ...state,
  peers: state.peers.filter((one) => between(one.lastAt, now) <= Math.max(REMEMBERED, silenceOf(one))),
  claims: state.claims.filter((one) => between(one.lastAt, now) <= REMEMBERED),
});

export const lingering = (now: Instant, peer: Pick<Peer, "interval">): Instant =>
  after(now, microseconds(Math.max(LINGER, silenceOf(peer))));
