/**
 * Gratuitous ARP and unsolicited neighbour advertisements: which frames a master sends and how they are spread out.
 *
 * A batch goes round all addresses once for each repetition, as keepalived does, so that every host on the LAN has heard
 * of every address before the first is said again. `garp_interval` and `gna_interval` hold frames back in a queue a
 * family and interface, or `garp_group` of interfaces; the gaps of a group come before those of instances.
 */

import { type IpAddress, isIpv4, isIpv6 } from "../base/ip.ts";
import { after, type Duration, type Instant } from "../base/time.ts";
import type { GarpGroup, VirtualAddress, VrrpInstance } from "../config/model/vrrp.ts";
import type { Output } from "./messages.ts";
import { logDetail, type Step } from "./step.ts";

/** Frames of one family that wait for their turn on one interface, or on all of a group. */
export interface AnnouncementQueue {
  /** The interface below a macvlan; of a group the first one. */
  readonly place: string;
  readonly family: "ipv4" | "ipv6";
  readonly nextAt: Instant;
  readonly waiting: readonly WaitingFrame[];
}

interface WaitingFrame {
  readonly instance: string;
  readonly interface: string;
  readonly address: IpAddress;
}

/** More than any batch of a sane configuration; beyond it frames are dropped, they only repeat what was said. */
const MOST_WAITING = 10_000;

export const allAddresses = ({ virtualAddresses, excludedAddresses }: VrrpInstance): readonly VirtualAddress[] =>
  excludedAddresses.length === 0 ? virtualAddresses : [...virtualAddresses, ...excludedAddresses];

export function announceAll(
  step: Step,
  instance: VrrpInstance,
  rounds: number,
  addresses = allAddresses(instance),
): void {
  for (let round = 0; round < rounds; round++) {
    for (const address of addresses) {
      if (round === 0) {
        const what = isIpv4(address.address) ? "gratuitous ARPs" : "Unsolicited Neighbour Adverts";
        logDetail(step, `(${instance.name}) Sending/queueing ${what} on ${address.interface} for ${address.address}`);
      }
      step.announce(instance, address);
    }
  }
}

/** Sends now, or queues when the interface has to wait; answers the queues afterwards. */
export function enqueue(
  queues: readonly AnnouncementQueue[],
  groups: readonly GarpGroup[],
  instance: VrrpInstance,
  { address, interface: name }: VirtualAddress,
  now: Instant,
  emit: (output: Output) => void,
): readonly AnnouncementQueue[] {
  const family = isIpv4(address) ? "ipv4" : "ipv6";
  const { place, gap } = paceOf(groups, instance, name, family);
  const queue = queues.find((candidate) => candidate.place === place && candidate.family === family);
  const frame = { instance: instance.name, interface: name, address };
  if (queue === undefined || (queue.waiting.length === 0 && queue.nextAt <= now)) {
    send(emit, frame);
    const others = queues.filter((candidate) => candidate !== queue);
    if (gap === 0) return others;
    return [...others, { place, family, nextAt: after(now, gap), waiting: [] }];
  }
  if (queue.waiting.length >= MOST_WAITING) return queues;
  const longer = { ...queue, waiting: [...queue.waiting, frame] };
  return queues.map((candidate) => (candidate === queue ? longer : candidate));
}

/** One frame from each queue whose turn has come. Frames of instances that are master no more are dropped. */
export function sendQueued(
  queues: readonly AnnouncementQueue[],
  groups: readonly GarpGroup[],
  masterNamed: (instance: string) => VrrpInstance | undefined,
  now: Instant,
  emit: (output: Output) => void,
): readonly AnnouncementQueue[] {
  return queues.flatMap((queue) => {
    if (queue.nextAt > now) return [queue];
    const waiting = queue.waiting.filter(({ instance }) => masterNamed(instance) !== undefined);
    const [first, ...rest] = waiting;
    const master = first && masterNamed(first.instance);
    if (first === undefined || master === undefined) return [];
    send(emit, first);
    const { gap } = paceOf(groups, master, first.interface, queue.family);
    return [{ ...queue, nextAt: after(now, gap), waiting: rest }];
  });
}

export const nextFrameAt = (queues: readonly AnnouncementQueue[]): Instant[] =>
  queues.filter(({ waiting }) => waiting.length > 0).map(({ nextAt }) => nextAt);

function paceOf(
  groups: readonly GarpGroup[],
  { garp, vmac, interface: base }: VrrpInstance,
  name: string,
  family: "ipv4" | "ipv6",
): { readonly place: string; readonly gap: Duration } {
  const below = name === vmac?.interface ? base : name;
  const group = groups.find(({ interfaces }) => interfaces.includes(below));
  const { interval, neighbourInterval } = group ?? garp;
  return { place: group?.interfaces[0] ?? below, gap: family === "ipv4" ? interval : neighbourInterval };
}

function send(emit: (output: Output) => void, { instance, interface: name, address }: WaitingFrame): void {
  const say = (what: string) =>
    emit({ type: "log", level: "detail", line: `Sending ${what} on ${name} for ${address}` });
  if (isIpv4(address)) {
    say("gratuitous ARP");
    emit({ type: "gratuitous-arp", instance, interface: name, address });
  } else if (isIpv6(address)) {
    say("unsolicited Neighbour Advert");
    emit({ type: "neighbour-advertisement", instance, interface: name, address });
  }
}
