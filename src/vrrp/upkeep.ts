/**
 * What a master does for its addresses as time goes by: their lifetimes, gratuitous ARP again, and what another master has
 * told the neighbours is put right.
 */

import { after, between, microseconds } from "../base/time.ts";
import type { VrrpInstance } from "../config/model/vrrp.ts";
import { allAddresses, announceAll } from "./garp.ts";
import { advertInterface } from "./host-state.ts";
import type { AcceptedAdvert } from "./receive.ts";
import type { RouterState } from "./router-state.ts";
import { log, type Step } from "./step.ts";
import { skewTime } from "./timers.ts";

/** All of it that is due. */
export function keepAddresses(step: Step, instance: VrrpInstance, router: RouterState): RouterState {
  const { now } = step;
  let next = router;
  if (next.refreshAt !== null && next.refreshAt <= now) next = refreshAddresses(step, instance, next);
  if (next.secondBatch !== null && next.secondBatch.at <= now) {
    announceAll(step, instance, next.secondBatch.rounds);
    next = { ...next, secondBatch: null };
  }
  if (next.periodicBatchAt !== null && next.periodicBatchAt <= now) {
    announceAll(step, instance, instance.garp.masterRefreshRepeat);
    next = { ...next, periodicBatchAt: after(now, instance.garp.masterRefresh) };
  }
  if (next.extraBatchAt !== null && next.extraBatchAt <= now) {
    announceAll(step, instance, 1, silentlyHeld(instance));
    next = { ...next, extraBatchAt: after(now, instance.garp.extraInterfaces) };
  }
  if (next.rival !== null && next.rival.until <= now) next = endConflict(step, instance, next);
  return next;
}

/** Switches forget where they are: nothing leaves by these interfaces of itself. */
const silentlyHeld = (instance: VrrpInstance) =>
  allAddresses(instance).filter((address) => address.interface !== advertInterface(instance));

export function refreshAddresses(step: Step, instance: VrrpInstance, router: RouterState): RouterState {
  const lapsed = hasLapsed(step, router);
  step.emit({ type: "refresh-addresses", instance: router.name, addresses: allAddresses(instance) });
  if (lapsed) announceAll(step, instance, instance.garp.masterRepeat);
  return { ...router, lapsed, refreshAt: after(step.now, step.parameters.addressRefresh) };
}

export function hasLapsed({ now, parameters }: Step, router: RouterState): boolean {
  if (router.refreshAt === null) return false;
  return between(router.refreshAt, now) >= parameters.addressLifetime - parameters.addressRefresh;
}

// ---- another master

/** One batch now and one later answer any number of such adverts. */
export function announceToRival(step: Step, instance: VrrpInstance, answered: RouterState): RouterState {
  if (answered.secondBatch?.afterLowerPriority === true) return answered;
  const { lowerPrioRepeat, lowerPrioDelay } = instance.garp;
  announceAll(step, instance, lowerPrioRepeat);
  if (lowerPrioDelay === 0) return answered;
  const secondBatch = { at: after(step.now, lowerPrioDelay), rounds: lowerPrioRepeat, afterLowerPriority: true };
  return { ...answered, secondBatch };
}

/** Two adverts of its that do not come, and some time for their way: it has given up, or cannot be heard. */
export function noteRival(
  step: Step,
  instance: VrrpInstance,
  router: RouterState,
  advert: AcceptedAdvert,
): RouterState {
  const interval = Math.max(advert.advertInterval, instance.advertInterval);
  const until = after(step.now, microseconds(2 * interval + skewTime(instance.version, 1, instance.advertInterval)));
  return { ...router, rival: { from: advert.from, since: router.rival?.since ?? step.now, until } };
}

/**
 * What the other one has told the neighbours last may be wrong for hours, so the addresses are announced once more
 * (keepalived issue #166).
 */
export function endConflict(step: Step, instance: VrrpInstance, router: RouterState): RouterState {
  if (router.rival === null) return router;
  const { from, since } = router.rival;
  log(step, `(${router.name}) ${from} is master no more, announcing addresses again`);
  step.emit({ type: "conflict-ended", instance: router.name, with: from, lasted: between(since, step.now) });
  announceAll(step, instance, instance.garp.masterRepeat);
  return { ...router, rival: null };
}
