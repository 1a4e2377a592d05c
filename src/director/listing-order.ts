/**
 * The order of ipvsadm's listings (libipvs): by mark, family, protocol, address, port, each compared as the difference of
 * two 32-bit numbers that wraps, and so not always an order: 200.0.0.1 comes before 9.0.0.1. What comes out then hangs on
 * the way of sorting, so it is the merge sort of glibc's qsort(3).
 */

import { type IpAddress, ipToBytes, isIpv6 } from "../base/ip.ts";
import type { ServerEntry, ServiceEntry, ServiceKey } from "./plane.ts";

type Comparable = readonly number[];

export const sortedServices = (services: readonly ServiceEntry[]): readonly ServiceEntry[] =>
  sorted(services, ({ key }) => numbersOfService(key));

export const sortedServers = (servers: readonly ServerEntry[]): readonly ServerEntry[] =>
  sorted(servers, ({ key }) => [isIpv6(key.address) ? 10 : 2, ...wordsOf(key.address), key.port]);

const PROTOCOLS = { tcp: 6, udp: 17 };

function numbersOfService(key: ServiceKey): Comparable {
  if (key.kind === "mark") return [key.mark, key.family === 6 ? 10 : 2];
  return [0, isIpv6(key.address) ? 10 : 2, PROTOCOLS[key.protocol], ...wordsOf(key.address), key.port];
}

function wordsOf(address: IpAddress): number[] {
  const bytes = ipToBytes(address);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4));
}

function compare(a: Comparable, b: Comparable): number {
  for (const [index, left] of a.entries()) {
    const difference = (left - (b[index] ?? 0)) | 0;
    if (difference !== 0) return difference;
  }
  return 0;
}

function sorted<T>(entries: readonly T[], numbers: (entry: T) => Comparable): readonly T[] {
  const merged = mergeSort(entries.map((entry) => ({ entry, by: numbers(entry) })));
  return merged.map(({ entry }) => entry);
}

function mergeSort<T extends { readonly by: Comparable }>(items: readonly T[]): readonly T[] {
  if (items.length < 2) return items;
  const middle = Math.floor(items.length / 2);
  const left = mergeSort(items.slice(0, middle));
  const right = mergeSort(items.slice(middle));
  const merged: T[] = [];
  let taken = 0;
  for (const one of left) {
    for (let other = right[taken]; other !== undefined && compare(one.by, other.by) > 0; other = right[taken]) {
      merged.push(other);
      taken++;
    }
    merged.push(one);
  }
  return [...merged, ...right.slice(taken)];
}
