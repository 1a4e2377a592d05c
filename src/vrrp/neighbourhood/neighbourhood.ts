/**
 * Says what is wrong between this host and its neighbours: who is configured otherwise, who is not heard, who else is
 * master, who else holds a virtual address. Beside the VRRP machine and without influence on it.
 *
 * Pure, as `host.ts` is: takes what was observed and the time, returns the next state and what is new. `daemon/vrrp/observer`
 * listens and asks.
 */

import { after, type Instant, microseconds, seconds } from "../../base/time.ts";
import type { VrrpInstance } from "../../config/model/vrrp.ts";
import { judgeClaims } from "./address-claims.ts";
import { compareAdvert, inCommon } from "./compare-advert.ts";
import type { Finding, NeighbourhoodOutput, Observation, Severity } from "./findings.ts";
import { type ForeignAdvert, readForeign } from "./foreign-packet.ts";
import { ask } from "./probing.ts";
import { judgeSilence } from "./silence.ts";
import { forget, type Held, lingering, mostOf, type NeighbourhoodState, withClaim, withPeer } from "./state.ts";
import { judgeMasters } from "./two-masters.ts";

export { initialNeighbourhood, type NeighbourhoodState } from "./state.ts";

type Step = { readonly state: NeighbourhoodState; readonly outputs: readonly NeighbourhoodOutput[] };

export function observe(state: NeighbourhoodState, observation: Observation, now: Instant): Step {
  switch (observation.type) {
    case "own":
      return own(state, observation, now);
    case "tick":
      return tick({ ...state, instances: observation.instances }, now);
    case "packet":
      return packet(state, observation, now);
    case "claim": {
      const { type: _, ...claim } = observation;
      const mine = state.interfaces.find(({ name }) => name === claim.interface);
      if (mine === undefined || mine.macs.includes(claim.mac)) return quiet(state);
      return quiet({ ...state, claims: withClaim(state.claims, claim, now) });
    }
    case "unreachable":
      return unreachable(state, observation, now);
    case "overrun":
      return hold(state, [overrun(observation.interface, now)], now);
    default:
      return observation satisfies never;
  }
}

const SEVERITIES: readonly Severity[] = ["error", "warning", "note"];

/** Those that hold now, the worst first. */
export const findings = (state: NeighbourhoodState): readonly Finding[] =>
  state.held
    .map(({ finding }) => finding)
    .toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || a.since - b.since);

const quiet = (state: NeighbourhoodState): Step => ({ state, outputs: [] });

function own(state: NeighbourhoodState, told: Extract<Observation, { type: "own" }>, now: Instant): Step {
  const { configuration, interfaces } = told;
  const exists = (name: string | undefined) =>
    name === undefined || configuration.instances.some((one) => one.name === name);
  // Under another number or on another interface it is another router: what was said of the one before is over.
  const before = (name: string) => state.configuration?.instances.find((one) => one.name === name);
  const stays = (name: string | undefined) => {
    const [was, is] = [before(name ?? ""), configuration.instances.find((one) => one.name === name)];
    const same = was?.virtualRouterId === is?.virtualRouterId && was?.interface === is?.interface;
    return exists(name) && (was === undefined || same);
  };
  const gone = state.held.filter(({ finding }) => !stays(finding.instance));
  return {
    state: {
      ...state,
      configuration,
      interfaces,
      startedAt: state.startedAt ?? now,
      peers: state.peers.filter(({ instance }) => stays(instance)),
      heard: state.heard.filter(stays),
      held: state.held.filter((one) => !gone.includes(one)),
      probing: state.probing.filter(({ instance }) => exists(instance)),
      asking: state.asking.filter(({ instance }) => exists(instance)),
    },
    outputs: gone.map(({ finding }) => ({ type: "resolved", finding })),
  };
}

function packet(state: NeighbourhoodState, seen: Extract<Observation, { type: "packet" }>, now: Instant): Step {
  const theirs = readForeign(seen.packet);
  const mine =
    theirs === undefined
      ? undefined
      : (instanceFor(state, seen.interface, theirs) ?? rivalOf(state, seen.interface, theirs));
  if (theirs === undefined || mine === undefined) return quiet(state);
  const here = state.interfaces.find(({ name }) => name === seen.interface);
  if (here?.addresses.includes(theirs.source)) return quiet(state);
  const remarks = compareAdvert(mine, theirs);
  // A stranger's claim of an interval must not keep a finding alive for ever.
  const interval = microseconds(Math.min(theirs.advertInterval, Math.max(mine.advertInterval * 4, seconds(40))));
  const peer = { ip: theirs.source, mac: seen.sourceMac };
  const about = { instance: mine.name, interface: seen.interface };
  const foreign = remarks.some(({ code }) => code === "duplicate-vrid");
  const most = mostOf(state, seen.interface);
  const next: NeighbourhoodState = {
    ...state,
    heard: foreign || state.heard.includes(mine.name) ? state.heard : [...state.heard, mine.name],
    peers: withPeer(
      state.peers,
      {
        ...about,
        ...peer,
        lastAt: now,
        priority: theirs.priority,
        interval,
        remarks: remarks.map(({ code }) => code),
      },
      most,
    ),
  };
  const expiresAt = lingering(now, { interval });
  const found = remarks.map((one) => held({ ...one, ...about, peer, since: now, lastSeen: now }, expiresAt));
  const crowd = next.peers.filter((one) => one.interface === seen.interface).length >= most;
  return hold(next, crowd ? [...found, overrun(seen.interface, now)] : found, now);
}

const instanceFor = (state: NeighbourhoodState, at: string, theirs: ForeignAdvert): VrrpInstance | undefined =>
  state.configuration?.instances.find(
    (one) => one.interface === at && one.family === theirs.family && one.virtualRouterId === theirs.virtualRouterId,
  );

/** Nobody here has the number, and somebody has one of the addresses: one of the two numbers is a mistake. */
const rivalOf = (state: NeighbourhoodState, at: string, theirs: ForeignAdvert): VrrpInstance | undefined =>
  state.configuration?.instances.find(
    (one) => one.interface === at && one.family === theirs.family && inCommon(one, theirs).length > 0,
  );

function unreachable(
  state: NeighbourhoodState,
  seen: Extract<Observation, { type: "unreachable" }>,
  now: Instant,
): Step {
  const mine = state.configuration?.instances.find(
    (one) => one.interface === seen.interface && one.unicastPeers?.some(({ address }) => address === seen.address),
  );
  if (mine === undefined) return quiet(state);
  const finding: Finding = {
    code: "unicast-peer-silent",
    instance: mine.name,
    interface: seen.interface,
    severity: "warning",
    peer: { ip: seen.address, mac: undefined },
    text: "answers that it speaks no VRRP",
    cure: "start VRRP there, or take it out of unicast_peer",
    since: now,
    lastSeen: now,
  };
  return hold(state, [held(finding, lingering(now, { interval: mine.advertInterval }))], now);
}

const overrun = (name: string, now: Instant): Held =>
  held(
    {
      code: "too-many-neighbours",
      instance: undefined,
      interface: name,
      severity: "warning",
      peer: undefined,
      text: "more VRRP or ARP comes in than is looked at: what is found here may lack something",
      cure: "find out who sends it; in a LAN of that size it may be made up",
      since: now,
      lastSeen: now,
    },
    after(now, seconds(10)),
  );

function tick(before: NeighbourhoodState, now: Instant): Step {
  const state = forget(before, now);
  const judged = [...judgeMasters(state, now), ...judgeClaims(state, now), ...judgeSilence(state, now)].map((finding) =>
    held(finding, null),
  );
  const judgedKeys = new Set(judged.map(({ key }) => key));
  const ends = (one: Held) => (one.expiresAt === null ? !judgedKeys.has(one.key) : one.expiresAt <= now);
  const ended = state.held.filter(ends);
  const kept = hold({ ...state, held: state.held.filter((one) => !ends(one)) }, judged, now);
  const asked = ask(kept.state, now);
  return {
    state: asked.state,
    outputs: [
      ...ended.map(({ finding }) => ({ type: "resolved" as const, finding })),
      ...kept.outputs,
      ...asked.outputs,
    ],
  };
}

function held(finding: Finding, expiresAt: Instant | null): Held {
  const { code, instance, interface: at, peer } = finding;
  return { key: JSON.stringify([code, instance, at, peer?.ip, peer?.mac]), finding, expiresAt };
}

function hold(state: NeighbourhoodState, found: readonly Held[], now: Instant): Step {
  if (found.length === 0) return quiet(state);
  const all = new Map(state.held.map((one) => [one.key, one]));
  const most = mostOf(state);
  const outputs: NeighbourhoodOutput[] = [];
  for (const one of found) {
    const known = all.get(one.key);
    if (known !== undefined) {
      const finding = { ...one.finding, since: known.finding.since, lastSeen: now };
      all.set(one.key, { ...one, finding });
    } else if (all.size < most) {
      all.set(one.key, one);
      outputs.push({ type: "found", finding: one.finding });
    }
  }
  return { state: { ...state, held: [...all.values()] }, outputs };
}
