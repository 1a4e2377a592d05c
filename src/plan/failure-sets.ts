/** Failure sets as bits of an integer: bit h is set when host h is gone. At most 30 hosts. */

/** All sets of at most `most` of `hosts` hosts, smaller ones first. */
export function failureSets(hosts: number, most: number): Int32Array {
  const sets = new Int32Array(countUpTo(hosts, most));
  let at = 0;
  for (let size = 0; size <= most; size++) {
    for (const set of setsOfSize(hosts, size)) sets[at++] = set;
  }
  return sets;
}

/** In ascending order, by Gosper's step to the next integer with as many bits. */
export function* setsOfSize(hosts: number, size: number): Generator<number> {
  const end = 2 ** hosts;
  if (size === 0) {
    yield 0;
    return;
  }
  for (let set = 2 ** size - 1; set < end; ) {
    yield set;
    const lowest = set & -set;
    const ripple = set + lowest;
    set = ripple | (((set ^ ripple) >>> 2) / lowest);
  }
}

export function choose(n: number, k: number): number {
  let ways = 1;
  for (let i = 1; i <= k; i++) ways = (ways * (n - k + i)) / i;
  return Math.round(ways);
}

export function countUpTo(hosts: number, most: number): number {
  let count = 0;
  for (let size = 0; size <= most; size++) count += choose(hosts, size);
  return count;
}

export function sizeOf(set: number): number {
  let size = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) size++;
  return size;
}

export function membersOf(set: number): number[] {
  const members: number[] = [];
  for (let host = 0; set >> host !== 0; host++) if ((set >> host) & 1) members.push(host);
  return members;
}
