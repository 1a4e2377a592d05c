/**
 * A real server's state at a start, after a reload, and when it is taken over from a process that died. Pure.
 *
 * What happens to it afterwards is virtual-server.ts's.
 */

import type { Instant } from "../base/time.ts";
import type { RealServer, VirtualServer } from "../config/model/virtual-server.ts";
import { adoptedChecker, type CheckerState, initialChecker, resumed, suspended } from "./checker.ts";
import { checkerName } from "./checker-lines.ts";
import type { PoolMember, RealServerState } from "./virtual-server-messages.ts";
import { sameKey } from "./virtual-server-pool.ts";

/** Where the probes of one server lie in their interval: all of them at different places. */
export const spread = (random: number, index: number): number => (random + index * 0.618_034) % 1;

export function freshServer(
  server: RealServer,
  preset: boolean,
  random: number,
  now: Instant,
  cause: string,
): RealServerState {
  const checkers = server.checkers.map((checker, index) => initialChecker(checker, preset, spread(random, index), now));
  return { alive: checkers.every(({ up }) => up), since: now, cause, drain: undefined, checkers };
}

export function keptServer(
  old: RealServer,
  state: RealServerState,
  next: RealServer,
  random: number,
  now: Instant,
): RealServerState {
  const free = new Set(old.checkers.keys());
  const texts = old.checkers.map((checker) => JSON.stringify(checker));
  const take = (matches: (index: number) => boolean): CheckerState | undefined => {
    const index = [...free].find(matches);
    if (index === undefined) return undefined;
    free.delete(index);
    return state.checkers[index];
  };
  const same = next.checkers.map((checker) => take((index) => texts[index] === JSON.stringify(checker)));
  const checkers = next.checkers.map((checker, place) => {
    const kept = same[place];
    if (kept !== undefined) return kept.running ? resumed(checker, suspended(kept), random, now) : kept;
    // The same question in another rhythm: what was answered still holds.
    const alike = take(
      (index) => old.checkers[index] !== undefined && checkerName(old.checkers[index]) === checkerName(checker),
    );
    const fresh = initialChecker(checker, false, spread(random, place), now);
    return alike === undefined
      ? { ...fresh, up: state.alive && !checker.alpha }
      : { ...fresh, up: alike.up, hasRun: alike.hasRun, weight: alike.weight, last: alike.last };
  });
  return { ...state, checkers };
}

/** Told by the table alone: whoever gets clients is up, whoever should and does not is down. */
export function adoptedServer(
  virtual: VirtualServer,
  server: RealServer,
  present: readonly PoolMember[],
  random: number,
  now: Instant,
): RealServerState {
  const found = present.find(({ key }) => sameKey(key, server.key))?.settings;
  const draining = found?.draining === true;
  const serving = found !== undefined && (found.weight > 0 || server.settings.weight === 0);
  const up = draining || (serving && !isApologising(virtual, present));
  const checkers = server.checkers.map((checker, index): CheckerState => {
    const state = adoptedChecker(checker, up, spread(random, index), now);
    const learnt = checker.type === "MISC_CHECK" && checker.dynamic && found !== undefined && found.weight > 0;
    return learnt ? { ...state, weight: found.weight } : state;
  });
  const drain = draining ? { since: now, deadline: undefined, active: 0, inactive: 0, done: false } : undefined;
  return { alive: checkers.every((one) => one.up), since: now, cause: "adopted", drain, checkers };
}

/** The sorry server is the one that gets clients. */
export const isApologising = ({ sorryServer }: VirtualServer, pool: readonly PoolMember[]): boolean =>
  sorryServer !== undefined && pool.some(({ key, settings }) => sameKey(key, sorryServer.key) && settings.weight > 0);
