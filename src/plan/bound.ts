/**
 * Lower bounds: the least use of the busiest survivor that any orders at all can reach. What meets its bound is proven best.
 *
 * With the j fastest links gone, the remaining hosts carry everything, and no VIP is divided. VRRP's orders are forgotten here, so
 * a bound need not be reachable.
 */

/** Survivors when the `failed` fastest links are gone. */
const slowest = (links: readonly number[], failed: number): number[] => links.toSorted((a, b) => b - a).slice(failed);

/** The least largest use when `count` equal VIPs are dealt to `links`: each goes where it hurts least, which is optimal. */
export function dealtEqually(count: number, load: number, links: readonly number[]): number {
  const held = links.map(() => 0);
  let largest = 0;
  for (let vip = 0; vip < count; vip++) {
    let best = 0;
    let use = Number.POSITIVE_INFINITY;
    for (const [host, link] of links.entries()) {
      const next = (((held[host] ?? 0) + 1) * load) / link;
      if (next < use) [best, use] = [host, next];
    }
    held[best] = (held[best] ?? 0) + 1;
    largest = Math.max(largest, use);
  }
  return largest;
}

/** For every survivor's use after `failed` failures, by the VIPs' loads. */
export function leastWorstUse(loads: readonly number[], links: readonly number[], failed: number): number {
  const survivors = slowest(links, failed);
  const [first = 0] = loads;
  if (loads.every((load) => load === first)) return dealtEqually(loads.length, first, survivors);
  const fastest = survivors[0] ?? 1;
  const descending = loads.toSorted((a, b) => b - a);
  let bound = Math.max(shared(sum(loads), survivors), (descending[0] ?? 0) / fastest);
  // Of m·j + 1 VIPs on m survivors one gets j + 1, and the lightest j + 1 of these are the least that it can get.
  for (let each = 1; each * survivors.length + 1 <= descending.length; each++) {
    const end = each * survivors.length + 1;
    bound = Math.max(bound, sum(descending.slice(end - each - 1, end)) / fastest);
  }
  return bound;
}

/** Use of every survivor if traffic could be divided at will: what no number of VIPs gets below. */
export const leastShare = (traffic: number, links: readonly number[], failed: number): number =>
  shared(traffic, slowest(links, failed));

const shared = (traffic: number, links: readonly number[]): number => traffic / sum(links);

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
