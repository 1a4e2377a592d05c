/** Finds the virtual router that a packet is for, and lets it be judged there. */

import { between, type Instant, seconds } from "../base/time.ts";
import { NO_INTERFACE } from "../config/model/vrrp.ts";
import { indexOf, routerKey } from "./configuration-index.ts";
import type { Draft } from "./host-state.ts";
import { interfaceNamed } from "./host-state.ts";
import { judgePacket, readPacket } from "./receive.ts";
import { onAdvert, onRefused } from "./router.ts";
import { log, type Step } from "./step.ts";
import { change } from "./sync-group.ts";

export function onPacket(step: Step, draft: Draft, name: string, digits: string): void {
  const packet = readPacket(bytesOf(digits));
  if (packet === undefined) {
    draft.malformed += 1;
    return;
  }
  const { source, virtualRouterId } = packet;
  const candidates = indexOf(draft.configuration).routers.get(routerKey(packet));
  const found = candidates?.find((instance) => instance.interface === name || instance.vmac?.interface === name);
  // Its own adverts may be looped back; those of a macvlan have the address of the interface below it.
  const isOwn = (at: string) => interfaceNamed(draft, at).addresses.includes(source);
  if (isOwn(name) || (found !== undefined && isOwn(found.interface))) return;
  if (found === undefined) {
    // What comes by the routing table is seen by the sockets of interfaces too, and the other way round.
    if (name === NO_INTERFACE || candidates?.some((instance) => instance.interface === NO_INTERFACE)) return;
    draft.unknownVrid += 1;
    if (draft.configuration.global.logUnknownVrids && maySayUnknown(draft, step.now)) {
      log(step, `Unknown VRID(${virtualRouterId}) received on interface(${name}) from ${source}. ignoring...`);
    }
    return;
  }
  const verdict = judgePacket(found, packet);
  change(step, draft, found.name, (instance, router) =>
    verdict.ok ? onAdvert(step, instance, router, verdict.advert) : onRefused(step, router, source, verdict.refused),
  );
}

/** A line for each number on a LAN, and not one for each packet of a flood. */
const MOST_UNKNOWN_A_SECOND = 255;

function maySayUnknown(draft: Draft, now: Instant): boolean {
  const before = draft.unknownSaid;
  const goesOn = before !== null && between(before.since, now) < seconds(1);
  const said = goesOn ? before : { since: now, lines: 0 };
  draft.unknownSaid = { ...said, lines: said.lines + 1 };
  return said.lines < MOST_UNKNOWN_A_SECOND;
}

/** No bytes for what is not hexadecimal: such a packet then counts as malformed. */
const bytesOf = (digits: string): Uint8Array =>
  /^(?:[0-9a-f]{2})*$/i.test(digits) ? Uint8Array.fromHex(digits) : new Uint8Array(0);
