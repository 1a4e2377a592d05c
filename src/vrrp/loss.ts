/**
 * What somebody else takes away from a master: addresses, routes and rules, and what the kernel drops with a link. The kind
 * of program that did it is the driver's guess.
 */

import type { IpAddress } from "../base/ip.ts";
import { between, seconds } from "../base/time.ts";
import type { VrrpInstance } from "../config/model/vrrp.ts";
import { addRoutes, enter } from "./enter.ts";
import { allAddresses, announceAll } from "./garp.ts";
import { type RouterState, skewOf } from "./router-state.ts";
import { inWords, log, type Step } from "./step.ts";
import { hasLapsed, refreshAddresses } from "./upkeep.ts";

/** One of its addresses is gone and this process did not take it. */
export function onAddressLost(
  step: Step,
  instance: VrrpInstance,
  router: RouterState,
  interfaceName: string,
  address: IpAddress,
  by: string | undefined,
): RouterState {
  const mine = allAddresses(instance).find((one) => one.address === address && one.interface === interfaceName);
  if (router.state !== "MASTER" || router.leaving || mine === undefined || mine.noTrack) return router;
  if (hasLapsed(step, router)) return refreshAddresses(step, instance, router);
  if (router.lapsed) return router;
  return onLoss(step, instance, router, { what: address, from: interfaceName, by }, () => {
    step.emit({ type: "add-address", instance: router.name, address: mine });
    announceAll(step, instance, instance.garp.masterRepeat, [mine]);
  });
}

/** One of its routes or rules is gone; `what` as the file has it. */
export function onRouteLost(
  step: Step,
  instance: VrrpInstance,
  router: RouterState,
  what: string,
  by: string | undefined,
): RouterState {
  if (router.state !== "MASTER" || router.leaving) return router;
  const route = instance.virtualRoutes.find(({ written, noTrack }) => written === what && !noTrack);
  const rule = instance.virtualRules.find(({ written, noTrack }) => written === what && !noTrack);
  if (route === undefined && rule === undefined) return router;
  log(step, `(${router.name}) Netlink reflector reports ${route === undefined ? "rule" : "route"} ${what} removed`);
  return onLoss(step, instance, router, { what, from: undefined, by }, () => {
    if (route !== undefined) step.emit({ type: "add-route", instance: router.name, route });
    if (rule !== undefined) step.emit({ type: "add-rule", instance: router.name, rule });
  });
}

/** Whoever takes the same thing again and again is stronger: then somebody else may be master. */
const MOST_RESTORED = 5;
const RESTORED_WITHIN = seconds(10);

interface Loss {
  readonly what: string;
  /** The interface, of an address. */
  readonly from: string | undefined;
  readonly by: string | undefined;
}

/** keepalived gives up the whole virtual router; `on_vip_loss restore` puts back what is missing, within limits. */
function onLoss(
  step: Step,
  instance: VrrpInstance,
  router: RouterState,
  { what, from, by }: Loss,
  restore: () => void,
): RouterState {
  const lately = router.restored.filter(({ at }) => between(at, step.now) < RESTORED_WITHIN);
  const times = lately.filter((one) => one.what === what).length;
  const restores = instance.onVipLoss === "restore" && times < MOST_RESTORED;
  const reaction = restores ? "restored" : "failed over";
  step.emit({ type: "virtual-address-lost", instance: router.name, what, by, reaction });
  const cause = `${what} was removed${from === undefined ? "" : ` from ${from}`}${by === undefined ? "" : ` by ${by}`}`;
  if (restores) {
    log(step, `(${router.name}) ${cause}, restoring it`);
    restore();
    return { ...router, restored: [...lately, { what, at: step.now }] };
  }
  const often = instance.onVipLoss === "restore" ? `, ${times + 1} times in ${inWords(RESTORED_WITHIN)}` : "";
  const wait = skewOf(instance, router);
  return enter(step, instance, router, { to: "BACKUP", cause: `${cause}${often}`, resign: "spoken", wait });
}

/** With `dont_track_primary` it stays master without a link, and the kernel drops routes, and addresses of IPv6. */
export function onLinkBack(
  step: Step,
  instance: VrrpInstance,
  router: RouterState,
  interfaceName: string,
): RouterState {
  const touched = instance.interface === interfaceName || instance.vmac?.interface === interfaceName;
  const onIt = allAddresses(instance).filter((one) => one.interface === interfaceName);
  if (router.state !== "MASTER" || router.leaving || !(touched || onIt.length > 0)) return router;
  step.emit({ type: "refresh-addresses", instance: router.name, addresses: allAddresses(instance) });
  addRoutes(step, instance, instance);
  announceAll(step, instance, instance.garp.masterRepeat, onIt);
  return router;
}
