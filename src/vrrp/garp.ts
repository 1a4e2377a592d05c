/**
 * Gratuitous ARP: which frames a master sends and how they are spread out.
 *
 * A batch goes round all addresses once for each repetition, as keepalived does, so that every host on the LAN has heard
 * of every address before the first is said again. `garp_interval` holds frames back in a queue an interface.
 */

import { type Ipv4Address, isIpv4 } from "../base/ip.ts";
import { after, type Instant } from "../base/time.ts";
import type { VirtualAddress, VrrpInstance } from "../config/model/vrrp.ts";
import type { Output } from "./messages.ts";
import { logDetail, type Step } from "./step.ts";

/** Frames of one interface that wait for their turn. */
export interface ArpQueue {
  readonly interface: string;
  readonly nextAt: Instant;
  readonly waiting: readonly { readonly instance: string; readonly address: Ipv4Address }[];
}

/** More than any batch of a sane configuration; beyond it frames are dropped, they only repeat what was said. */
const MOST_WAITING = 10_000;

export const allAddresses = (instance: VrrpInstance): readonly VirtualAddress[] => [
  ...instance.virtualAddresses,
  ...instance.excludedAddresses,
];

export function announceAll(
  step: Step,
  instance: VrrpInstance,
  rounds: number,
  addresses = allAddresses(instance),
): void {
  const announced = addresses.filter(({ address }) => isIpv4(address));
  for (let round = 0; round < rounds; round++) {
    for (const address of announced) {
      if (round === 0) {
        const what = `gratuitous ARPs on ${address.interface} for ${address.address}`;
        logDetail(step, `(${instance.name}) Sending/queueing ${what}`);
      }
      step.announce(instance, address);
    }
  }
}

/** Sends now, or queues when the interface has to wait; answers the queues afterwards. */
export function enqueue(
  queues: readonly ArpQueue[],
  instance: VrrpInstance,
  { address, interface: name }: VirtualAddress,
  now: Instant,
  emit: (output: Output) => void,
): readonly ArpQueue[] {
  if (!isIpv4(address)) return queues;
  const queue = queues.find((candidate) => candidate.interface === name);
  if (queue === undefined || (queue.waiting.length === 0 && queue.nextAt <= now)) {
    send(emit, instance.name, name, address);
    const others = queues.filter((candidate) => candidate !== queue);
    if (instance.garp.interval === 0) return others;
    return [...others, { interface: name, nextAt: after(now, instance.garp.interval), waiting: [] }];
  }
  if (queue.waiting.length >= MOST_WAITING) return queues;
  const longer = { ...queue, waiting: [...queue.waiting, { instance: instance.name, address }] };
  return queues.map((candidate) => (candidate === queue ? longer : candidate));
}

/** One frame from each queue whose turn has come. Frames of instances that are master no more are dropped. */
export function sendQueued(
  queues: readonly ArpQueue[],
  masterNamed: (instance: string) => VrrpInstance | undefined,
  now: Instant,
  emit: (output: Output) => void,
): readonly ArpQueue[] {
  return queues.flatMap((queue) => {
    if (queue.nextAt > now) return [queue];
    const waiting = queue.waiting.filter(({ instance }) => masterNamed(instance) !== undefined);
    const [first, ...rest] = waiting;
    const master = first && masterNamed(first.instance);
    if (first === undefined || master === undefined) return [];
    send(emit, first.instance, queue.interface, first.address);
    return [{ ...queue, nextAt: after(now, master.garp.interval), waiting: rest }];
  });
}

export const nextFrameAt = (queues: readonly ArpQueue[]): Instant[] =>
  queues.filter(({ waiting }) => waiting.length > 0).map(({ nextAt }) => nextAt);

function send(emit: (output: Output) => void, instance: string, name: string, address: Ipv4Address): void {
  emit({ type: "log", level: "detail", line: `Sending gratuitous ARP on ${name} for ${address}` });
  emit({ type: "gratuitous-arp", instance, interface: name, address });
}
