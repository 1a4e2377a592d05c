/**
 * When to ask the LAN who else has an address: after becoming master, again soon, then rarely, and often while somebody
 * else does. Only for addresses that this host holds, a few at a time.
 */

import { after, type Instant, instantAt, seconds } from "../../base/time.ts";
import { placeOf } from "./address-claims.ts";
import type { NeighbourhoodOutput } from "./findings.ts";
import type { NeighbourhoodState, Probing } from "./state.ts";

/** After each round of questions. */
const PAUSES = [seconds(2), seconds(1), seconds(7)];
const RARELY = seconds(30);
const WHILE_OWNED_ELSEWHERE = seconds(3);
/** Questions a tick. */
const MOST_AT_ONCE = 10;

export function ask(
  state: NeighbourhoodState,
  now: Instant,
): { readonly state: NeighbourhoodState; readonly outputs: readonly NeighbourhoodOutput[] } {
  const masters = state.instances.filter((one) => one.state === "MASTER" && !one.leaving && one.holdsAddresses);
  const names = new Set(masters.map(({ name }) => name));
  const known = new Map(state.probing.map((one) => [one.instance, one]));
  const ownedElsewhere = new Set(
    state.held.flatMap(({ finding }) => (finding.code === "address-owned-elsewhere" ? [finding.instance] : [])),
  );
  const asking = state.asking.filter(({ instance }) => names.has(instance));
  // Those of the round before come first: with very many addresses a round takes as long as it takes.
  const waiting = new Set(asking.map(({ instance }) => instance));
  const probing = masters.map((mine): Probing => {
    const before = known.get(mine.name);
    const started =
      before?.since === mine.since ? before : { instance: mine.name, since: mine.since, round: 0, nextAt: now };
    // Whether somebody still has it is to be known soon.
    const longest = ownedElsewhere.has(mine.name) ? WHILE_OWNED_ELSEWHERE : RARELY;
    const current = { ...started, nextAt: instantAt(Math.min(started.nextAt, after(now, longest))) };
    if (current.nextAt > now || waiting.has(mine.name)) return current;
    for (const { interface: at, address } of mine.addresses)
      asking.push({ instance: mine.name, interface: placeOf(state, mine, at), address });
    return { ...current, round: current.round + 1, nextAt: after(now, PAUSES[current.round] ?? longest) };
  });
  return {
    state: { ...state, probing, asking: asking.slice(MOST_AT_ONCE) },
    outputs: asking.slice(0, MOST_AT_ONCE).map((one) => ({ type: "probe", ...one })),
  };
}
