/**
 * One virtual router: decides when it is master or backup.
 *
 * RFC 9568 §6.4, and RFC 3768 §6.4 for version 2, with keepalived 2.2.7's additions (nopreempt, preempt_delay, reactions to
 * a master with lower priority). What entering a state does is in `enter.ts`. Sync groups, trackers and finding the
 * router that a packet is for are not here: `mayBecomeMaster` tells it what its group thinks.
 */

import { compareIp, type IpAddress } from "../base/ip.ts";
import { after, between, type Duration, type Instant, inSeconds, microseconds, seconds } from "../base/time.ts";
import type { VrrpInstance } from "../config/model/vrrp.ts";
import { counted } from "./counters.ts";
import { enter, notification, sendAdvert, tellPriority } from "./enter.ts";
import type { AcceptedAdvert, RefusedPacket } from "./receive.ts";
import { masterDownOf, OWNER_PRIORITY, type RouterState, type Saying, skewOf, waitFrom } from "./router-state.ts";
import { inWords, log, type Step } from "./step.ts";
import { masterDownInterval, skewTime } from "./timers.ts";
import { announceToRival, endConflict, keepAddresses, noteRival } from "./upkeep.ts";

// ---- adverts

export function onAdvert(step: Step, instance: VrrpInstance, router: RouterState, advert: AcceptedAdvert): RouterState {
  let next: RouterState = { ...router, counters: counted(router.counters, "adverts-received") };
  next = noteAddressList(step, instance, next, advert);
  if (advert.priority === 0) next = { ...next, counters: counted(next.counters, "priority-zero-received") };
  const { from, priority, checksum } = advert;
  const heard = { from, priority, at: step.now, withoutPseudoHeader: checksum === "valid-without-pseudo-header" };
  switch (next.state) {
    case "INIT":
    case "FAULT":
    case "STOP":
      return next;
    case "BACKUP":
      if (isDeafOwner(instance, next)) return { ...next, lastAdvert: heard };
      return advertAsBackup(step, instance, { ...next, lastAdvert: heard }, advert);
    case "MASTER":
      next = { ...next, lastAdvert: heard };
      if (isDeafOwner(instance, next) && !next.leaving) return next;
      return next.leaving
        ? advertWhileLeaving(step, instance, next, advert)
        : advertAsMaster(step, instance, next, advert);
    default:
      return next.state satisfies never;
  }
}

/** `owner_ignore_adverts`: who owns the addresses need not ask. */
const isDeafOwner = ({ ownerIgnoreAdverts }: VrrpInstance, { priority }: RouterState): boolean =>
  ownerIgnoreAdverts && priority === OWNER_PRIORITY;

/** RFC 9568 §6.4.2 (440) to (480). */
function advertAsBackup(step: Step, instance: VrrpInstance, router: RouterState, advert: AcceptedAdvert): RouterState {
  const { now } = step;
  if (advert.priority === 0) {
    const told = mention(step, instance, router, "zero", "Backup received priority 0 advertisement");
    // The earlier of the two: further zeros do not put the take-over off.
    const soon = waitFrom(now, router, skewOf(instance, router));
    return { ...told, deadline: earlier(router.deadline, soon), grace: false };
  }
  if (advert.priority >= router.priority || instance.nopreempt) {
    if (router.preemptAt !== null) log(step, `(${router.name}) stop preempt delay`);
    return waitAgain(step, instance, { ...router, preemptAt: null }, advert);
  }
  if (instance.preemptDelay > 0 && router.preemptAt === null) {
    log(step, `(${router.name}) start preempt delay (${inSeconds(instance.preemptDelay).toFixed(6)})`);
    return waitAgain(step, instance, { ...router, preemptAt: after(now, instance.preemptDelay) }, advert);
  }
  if (router.preemptAt !== null && now < router.preemptAt) return waitAgain(step, instance, router, advert);
  return mention(
    step,
    instance,
    router,
    "lower",
    `received lower priority (${advert.priority}) advert from ${advert.from} - discarding`,
  );
}

/** The master is accepted: the wait begins anew, with the interval that it announces. */
function waitAgain(step: Step, instance: VrrpInstance, router: RouterState, advert: AcceptedAdvert): RouterState {
  const learnt = learnInterval(step, instance, router, advert);
  const deadline = waitFrom(step.now, learnt, masterDownOf(instance, learnt));
  const { asideUntil } = learnt;
  return {
    ...learnt,
    deadline: asideUntil !== null && asideUntil > deadline ? asideUntil : deadline,
    ready: false,
    grace: false,
  };
}

/** RFC 9568 §6.4.3 (725) to (770). */
function advertAsMaster(step: Step, instance: VrrpInstance, router: RouterState, advert: AcceptedAdvert): RouterState {
  if (advert.priority === 0) {
    const alone = router.rival?.from === advert.from ? endConflict(step, instance, router) : router;
    if (isQuiet(step, alone)) return alone;
    return advertise(step, instance, mention(step, instance, alone, "zero", "Master received priority 0 message"));
  }
  const own =
    router.priority === OWNER_PRIORITY && advert.priority === OWNER_PRIORITY
      ? yieldOwnership(step, instance, router, advert)
      : router;
  if (advert.priority > own.priority || (advert.priority === own.priority && isHigher(advert.from, own.source))) {
    return giveWay(step, instance, own, advert);
  }
  const contested = noteRival(step, instance, own, advert);
  // Who sent it has heard the last answer.
  if (isQuiet(step, contested)) return contested;
  const election = instance.lowerPrioNoAdvert ? "" : ", forcing new election";
  const priorities = `lower priority ${advert.priority}, ours ${own.priority}`;
  const told = mention(
    step,
    instance,
    contested,
    "lower",
    `Received advert from ${advert.from} with ${priorities}${election}`,
  );
  const answered = instance.lowerPrioNoAdvert ? told : advertise(step, instance, told);
  const announced = announceToRival(step, instance, answered);
  step.emit(notification("INSTANCE", announced.name, "MASTER_RX_LOWER_PRI", announced.priority, instance.notify));
  return announced;
}

function giveWay(step: Step, instance: VrrpInstance, router: RouterState, advert: AcceptedAdvert): RouterState {
  const { from, priority } = advert;
  const higher =
    priority > router.priority
      ? `higher priority ${priority}, ours ${router.priority}`
      : `same priority ${priority} but higher IP address than ours`;
  log(step, `(${router.name}) Master received advert from ${from} with ${higher}`);
  const last = instance.higherPrioSendAdvert ? sendAdvert(step, instance, router, router.priority) : router;
  const learnt = learnInterval(step, instance, last, advert);
  return enter(step, instance, learnt, { to: "BACKUP", cause: `${from} advertises with ${higher}` });
}

/** Both of two owners do this; the election then goes by address. */
function yieldOwnership(step: Step, instance: VrrpInstance, router: RouterState, advert: AcceptedAdvert): RouterState {
  const problem = "CONFIGURATION ERROR: local instance and a remote instance are both configured as address owner";
  log(step, `(${router.name}) ${problem}, please fix - reducing local priority`);
  const priority = OWNER_PRIORITY - 1;
  tellPriority(step, instance, router, priority, `${advert.from} is configured as owner too`);
  return { ...router, ownerConflict: true, priority };
}

/** The successor is the one who speaks with a priority; one who leaves as well is none. */
function advertWhileLeaving(
  step: Step,
  instance: VrrpInstance,
  router: RouterState,
  advert: AcceptedAdvert,
): RouterState {
  if (advert.priority === 0) return router;
  return enter(step, instance, router, {
    to: "STOP",
    cause: `${advert.from} took over with priority ${advert.priority}`,
  });
}

export function onRefused(
  step: Step,
  router: RouterState,
  from: IpAddress,
  { reason, detail, priority }: RefusedPacket,
): RouterState {
  const next = {
    ...router,
    counters: counted(router.counters, reason),
    lastRefused: { from, priority, at: step.now, reason, detail },
  };
  return complain(step, next, reason, detail);
}

/** `skip_check_adv_addr`: of one sender only the first advert is compared. */
function noteAddressList(step: Step, instance: VrrpInstance, router: RouterState, advert: AcceptedAdvert): RouterState {
  if (advert.addressListDiffers === undefined) return router;
  if (instance.skipCheckAdvAddr && router.lastAdvert?.from === advert.from) return router;
  const next = { ...router, counters: counted(router.counters, "address-list") };
  return complain(step, next, "address-list", advert.addressListDiffers);
}

/** Each complaint once in a state, as keepalived does since 2.3.3: one line an advert fills a disk. */
function complain(step: Step, router: RouterState, what: string, detail: string): RouterState {
  if (router.reported.includes(what)) return router;
  log(step, `(${router.name}) ${detail}`);
  return { ...router, reported: [...router.reported, what] };
}

const LONGEST_QUIET = seconds(0.1);
/** Adverts every 10 ms that cannot be heard at the other end go on for days: they must not fill a disk. */
const BETWEEN_LINES = seconds(0.5);

/**
 * Says it, and nothing of the kind for a moment, half an advert interval at most: whoever floods the LAN gets neither a
 * line nor an advert for each packet. Lines are rarer still.
 */
function mention(step: Step, instance: VrrpInstance, router: RouterState, what: Saying, line: string): RouterState {
  if (isQuiet(step, router)) return router;
  const quietUntil = after(step.now, microseconds(Math.min(instance.advertInterval / 2, LONGEST_QUIET)));
  const again = router.sayAgain[what];
  if (again !== undefined && step.now < again) return { ...router, quietUntil };
  log(step, `(${router.name}) ${line}`);
  return { ...router, quietUntil, sayAgain: { ...router.sayAgain, [what]: after(step.now, BETWEEN_LINES) } };
}

const isQuiet = ({ now }: Step, { quietUntil }: RouterState): boolean => quietUntil !== null && now < quietUntil;

function learnInterval(step: Step, instance: VrrpInstance, router: RouterState, advert: AcceptedAdvert): RouterState {
  if (instance.version !== 3 || advert.advertInterval === router.masterAdvertInterval) return router;
  const [from, to] = [router.masterAdvertInterval, advert.advertInterval].map((span) => `${span / 1_000}ms`);
  const told = mention(
    step,
    instance,
    router,
    "interval",
    `advertisement interval updated from ${from} to ${to} by master`,
  );
  return { ...told, masterAdvertInterval: advert.advertInterval };
}

// ---- time

export function onTimer(
  step: Step,
  instance: VrrpInstance,
  router: RouterState,
  mayBecomeMaster: boolean,
): RouterState {
  let next = keepAddresses(step, instance, router);
  if (next.deadline !== null) mentionLateness(step, between(next.deadline, step.now));
  if (next.deadline !== null && next.deadline <= step.now) {
    if (next.state === "BACKUP") next = waitIsOver(step, instance, next, mayBecomeMaster);
    else if (next.leaving) next = enter(step, instance, next, { to: "STOP", cause: "no successor spoke" });
    else if (next.state === "MASTER") next = advertise(step, instance, next, next.deadline);
  }
  return next;
}

/** RFC 9568 §6.4.2 (370): the master is down. */
function waitIsOver(step: Step, instance: VrrpInstance, router: RouterState, mayBecomeMaster: boolean): RouterState {
  const late = between(router.deadline ?? step.now, step.now);
  if (late > router.masterAdvertInterval && !router.grace) {
    return { ...router, grace: true, deadline: after(step.now, skewOf(instance, router)) };
  }
  if (!router.ready) log(step, `(${router.name}) Receive advertisement timeout`);
  if (mayBecomeMaster) return enter(step, instance, router, { to: "MASTER", cause: whyMaster(step, instance, router) });
  const { version } = instance;
  const again = microseconds(
    router.masterAdvertInterval + skewTime(version, OWNER_PRIORITY, router.masterAdvertInterval),
  );
  return { ...router, ready: true, deadline: after(step.now, again) };
}

function whyMaster(step: Step, instance: VrrpInstance, router: RouterState): string {
  const last = router.lastAdvert;
  if (last === null || last.at < router.since) return `no advert for ${inWords(between(router.since, step.now))}`;
  if (last.priority === 0) return `${last.from} left with priority 0`;
  const silence = between(last.at, step.now);
  // An accepted advert would have made it wait longer than this.
  if (silence < masterDownOf(instance, router)) return `${last.from} has a lower priority, ${last.priority}`;
  return `no advert for ${inWords(silence)}, last from ${last.from} with priority ${last.priority}`;
}

function advertise(step: Step, instance: VrrpInstance, router: RouterState, due: Instant | null = null): RouterState {
  const { advertInterval } = instance;
  const sent = sendAdvert(step, instance, router, router.priority, due);
  // Lateness must not add up: with short intervals it would leave those who listen no time to spare.
  const keepsPace = due !== null && between(due, step.now) < advertInterval;
  return { ...sent, deadline: after(keepsPace ? due : step.now, advertInterval) };
}

// ---- what happens around it

/**
 * A master that was not running for as long as others wait for it must not go on as if nothing had been: somebody else is
 * master by now. Called before any input is looked at.
 */
export function yieldAfterStall(step: Step, instance: VrrpInstance, router: RouterState): RouterState {
  if (router.state !== "MASTER" || router.leaving || router.deadline === null) return router;
  const late = between(router.deadline, step.now);
  if (late <= masterDownOf(instance, router)) return router;
  mentionLateness(step, late);
  const { version, timerExpiredBackup, downTimerAdverts } = instance;
  const cause = `this process did not run for ${inWords(late)}`;
  if (timerExpiredBackup === undefined) return enter(step, instance, router, { to: "BACKUP", cause });
  const wait = masterDownInterval(version, timerExpiredBackup, router.masterAdvertInterval, downTimerAdverts);
  return enter(step, instance, router, { to: "BACKUP", cause, wait });
}

function mentionLateness(step: Step, late: Duration): void {
  if (late >= LATE_ENOUGH_TO_MENTION) {
    log(step, `A thread timer expired ${inSeconds(late).toFixed(6)} seconds ago`);
  }
}

const LATE_ENOUGH_TO_MENTION = seconds(1);

/** SIGTERM: a master says so and stays until its successor speaks; all others are done at once. */
export function onStop(step: Step, instance: VrrpInstance, router: RouterState, patience: Duration): RouterState {
  if (router.state !== "MASTER") return enter(step, instance, router, { to: "STOP", cause: "stopping" });
  const sent = sendAdvert(step, instance, router, 0);
  log(step, `(${router.name}) sent 0 priority`);
  return {
    ...sent,
    leaving: true,
    cause: "stopping",
    deadline: after(step.now, patience),
    secondBatch: null,
    periodicBatchAt: null,
    extraBatchAt: null,
    rival: null,
  };
}

const earlier = (a: Instant | null, b: Instant): Instant => (a !== null && a < b ? a : b);

const isHigher = (theirs: IpAddress, ours: IpAddress | null): boolean => ours === null || compareIp(theirs, ours) > 0;
