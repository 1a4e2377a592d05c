/**
 * `/tmp/keepalived.stats`, as keepalived 2.2.7 writes it on SIGUSR2: one block an instance.
 *
 * keepalived never counts `advert_interval_err`; here a version 2 advert with another interval is counted.
 */

import type { CounterName } from "../counters.ts";
import type { InstanceSnapshot } from "../messages.ts";

export function renderStats(instances: readonly InstanceSnapshot[]): string {
  return instances.map(instanceStats).join("");
}

function instanceStats({ name, counters }: InstanceSnapshot): string {
  const count = (counter: CounterName) => counters[counter];
  return `VRRP Instance: ${name}
  Advertisements:
    Received: ${count("adverts-received")}
    Sent: ${count("adverts-sent")}
  Became master: ${count("became-master")}
  Released master: ${count("released-master")}
  Packet Errors:
    Length: ${count("packet-length")}
    TTL: ${count("ttl")}
    Invalid Type: ${count("packet-type")}
    Advertisement Interval: ${count("advert-interval")}
    Address List: ${count("address-list")}
  Authentication Errors:
    Invalid Type: ${count("auth-type-invalid")}
    Type Mismatch: ${count("auth-type-mismatch")}
    Failure: ${count("auth-failure")}
  Priority Zero:
    Received: ${count("priority-zero-received")}
    Sent: ${count("priority-zero-sent")}
`;
}

/** What was counted after `cleared`. A process that was started again since counts from nothing. */
export function countedSince(
  cleared: ReadonlyMap<string, InstanceSnapshot["counters"]>,
  instances: readonly InstanceSnapshot[],
): InstanceSnapshot[] {
  return instances.map((instance) => {
    const before = cleared.get(instance.name);
    if (before === undefined) return instance;
    const names = Object.keys(instance.counters) as CounterName[];
    if (names.some((name) => instance.counters[name] < (before[name] ?? 0))) return instance;
    const since = names.map((name) => [name, instance.counters[name] - (before[name] ?? 0)] as const);
    return { ...instance, counters: Object.fromEntries(since) as Record<CounterName, number> };
  });
}
