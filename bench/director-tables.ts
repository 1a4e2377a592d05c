/** How long the tables take: a thousand services at once, one server, and one server after somebody else changed something. */

import { openPlane } from "../src/daemon/plane/open.ts";
import type { Plane, ServiceKey } from "../src/director/plane.ts";
import { type DirectorNetwork, SERVER, SERVICE, serverAddresses, serviceAddress } from "./director-network.ts";

const SERVICES = 1_000;
const SERVERS = 10;
const CHANGES = 21;

/** Milliseconds. */
export interface TableTimes {
  readonly all: number;
  readonly one: number;
  readonly afterAnother: number;
}

/** The second holder is another `Plane` over the same maps: it knows of the first no more than another process would. */
export function tableTimes(network: DirectorNetwork, directory: string): TableTimes {
  return network.director.within(() => {
    const plane = openPlane({ role: "command", directory });
    const other = openPlane({ role: "command", directory });
    try {
      const all = milliseconds(() => program(plane));
      const one = median(() => weigh(plane));
      const afterAnother = median(
        () => weigh(plane),
        () => weigh(other),
      );
      return { all, one, afterAnother };
    } finally {
      other.close();
      plane.clear();
      plane.close();
    }
  });
}

const keyOf = (index: number): ServiceKey => ({
  kind: "address",
  protocol: "tcp",
  address: serviceAddress(index),
  port: 80,
});

function program(plane: Plane & { exclusively<T>(work: () => T): T }): void {
  const servers = serverAddresses(SERVERS).map((address) => ({ key: { address, port: 80 }, settings: SERVER }));
  plane.exclusively(() => {
    for (let index = 0; index < SERVICES; index++) {
      plane.addService(keyOf(index), SERVICE);
      plane.replaceServers(keyOf(index), servers);
    }
  });
}

let weight = 1;

function weigh(plane: Plane): void {
  const [address] = serverAddresses(1);
  if (address === undefined) return;
  weight = (weight % 100) + 1;
  plane.editServer(keyOf(weight), { address, port: 80 }, { ...SERVER, weight });
}

function milliseconds(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

function median(work: () => void, before = () => {}): number {
  const times = Array.from({ length: CHANGES }, () => {
    before();
    return milliseconds(work);
  });
  return times.sort((a, b) => a - b)[CHANGES >> 1] ?? Number.NaN;
}
