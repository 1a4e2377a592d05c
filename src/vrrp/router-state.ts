/** What one virtual router remembers. Plain JSON: null where there is nothing. */

import type { IpAddress } from "../base/ip.ts";
import { after, type Duration, type Instant } from "../base/time.ts";
import type { VrrpInstance } from "../config/model/vrrp.ts";
import { type Counters, NO_COUNTS } from "./counters.ts";
import type { HeardAdvert, RefusedAdvert, StateName } from "./messages.ts";
import { masterDownInterval, skewTime } from "./timers.ts";
import type { Verdict } from "./verdict.ts";

export const OWNER_PRIORITY = 255;

/** Priority 0, a lower priority, another advert interval. */
export type Saying = "zero" | "lower" | "interval";

export interface RouterState {
  readonly name: string;
  readonly state: StateName;
  readonly since: Instant;
  readonly cause: string;
  /** MASTER that has sent priority 0: waits for its successor to speak, and then lets go. */
  readonly leaving: boolean;
  /** Effective: base and trackers, 1..254, or 255 for an owner. */
  readonly priority: number;
  /** An owner that heard another owner gives way to it with 254 until the next start. */
  readonly ownerConflict: boolean;
  /** Where adverts come from. The last one known when the interface has lost it. */
  readonly source: IpAddress | null;
  /** Version 3 learns it from the master. */
  readonly masterAdvertInterval: Duration;
  /** `vrrp_startup_delay`: no wait begins before, whatever is heard. */
  readonly delayedUntil: Instant | null;
  /** BACKUP: end of the wait. MASTER: next advert. Leaving: end of patience. */
  readonly deadline: Instant | null;
  /** BACKUP that stepped aside for its sync group's equal: no wait ends before, whatever was still on its way. */
  readonly asideUntil: Instant | null;
  /** BACKUP whose wait is over and whose sync group is not: it goes as soon as the others can. */
  readonly ready: boolean;
  /** BACKUP that woke up late: what waits in its socket is read before it draws conclusions. */
  readonly grace: boolean;
  /** `preempt_delay`: a master with lower priority is put up with until then. */
  readonly preemptAt: Instant | null;
  readonly refreshAt: Instant | null;
  /** The addresses ran out while this process was not running, and have been added again just now. */
  readonly lapsed: boolean;
  /** The batch that repeats the first one. */
  readonly secondBatch: { readonly at: Instant; readonly rounds: number; readonly afterLowerPriority: boolean } | null;
  readonly periodicBatchAt: Instant | null;
  /** `garp_extra_if`. */
  readonly extraBatchAt: Instant | null;
  /** MASTER that hears another one which has to give way: until `until` passes without a word from it. */
  readonly rival: { readonly from: IpAddress; readonly since: Instant; readonly until: Instant } | null;
  /** `on_vip_loss restore`: what has been put back lately. */
  readonly restored: readonly { readonly what: string; readonly at: Instant }[];
  /** Of the last IPv4 header sent, 16 bits; IPv6 has none. */
  readonly identification: number;
  readonly lastAdvert: HeardAdvert | null;
  readonly lastRefused: RefusedAdvert | null;
  /** Why it may not take part, by its own trackers; what its sync group thinks is not in here. */
  readonly faults: readonly string[];
  /** Trackers that decide and have not reported yet. */
  readonly pending: readonly string[];
  /** What each of its trackers says; the two above are read off it. */
  readonly verdicts: readonly Verdict[];
  /** What has been complained about in this state: strangers do not fill the log. */
  readonly reported: readonly string[];
  /** Until then adverts that change nothing are neither answered nor mentioned again. */
  readonly quietUntil: Instant | null;
  /** What has been said about somebody's advert in this state, and from when it may be said again. */
  readonly sayAgain: Readonly<Partial<Record<Saying, Instant>>>;
  readonly counters: Counters;
}

export function newRouter(instance: VrrpInstance, now: Instant): RouterState {
  return {
    name: instance.name,
    state: "INIT",
    since: now,
    cause: "not started",
    leaving: false,
    priority: instance.priority,
    ownerConflict: false,
    source: null,
    masterAdvertInterval: instance.advertInterval,
    delayedUntil: null,
    deadline: null,
    asideUntil: null,
    ready: false,
    grace: false,
    preemptAt: null,
    refreshAt: null,
    lapsed: false,
    secondBatch: null,
    periodicBatchAt: null,
    extraBatchAt: null,
    rival: null,
    restored: [],
    identification: 0,
    lastAdvert: null,
    lastRefused: null,
    faults: [],
    pending: [],
    verdicts: [],
    reported: [],
    quietUntil: null,
    sayAgain: {},
    counters: NO_COUNTS,
  };
}

export const masterDownOf = (instance: VrrpInstance, router: RouterState): Duration =>
  masterDownInterval(instance.version, router.priority, router.masterAdvertInterval, instance.downTimerAdverts);

/** The end of a wait of a backup. */
export const waitFrom = (now: Instant, { delayedUntil }: RouterState, wait: Duration): Instant =>
  after(delayedUntil !== null && delayedUntil > now ? delayedUntil : now, wait);

export const skewOf = (instance: VrrpInstance, router: RouterState): Duration =>
  skewTime(instance.version, router.priority, router.masterAdvertInterval);

/**
 * The first of the router's own deadlines; Infinity when it has none. Asked for all routers at every input, so it makes no
 * list of them.
 */
export function firstDeadline(router: RouterState): number {
  const { deadline, refreshAt, secondBatch, periodicBatchAt, extraBatchAt, rival } = router;
  let first = Number.POSITIVE_INFINITY;
  if (deadline !== null && deadline < first) first = deadline;
  if (refreshAt !== null && refreshAt < first) first = refreshAt;
  if (secondBatch !== null && secondBatch.at < first) first = secondBatch.at;
  if (periodicBatchAt !== null && periodicBatchAt < first) first = periodicBatchAt;
  if (extraBatchAt !== null && extraBatchAt < first) first = extraBatchAt;
  if (rival !== null && rival.until < first) first = rival.until;
  return first;
}
