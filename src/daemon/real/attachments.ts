/** The programs of a real server on its interfaces: where they are pinned, and what is said of putting them there. */

import { join } from "node:path";
import { type AttachMethod, type AttachPoint, attach, attached, type Direction, detach } from "../../sys/bpf-attach.ts";
import type { NetworkInterface } from "../../sys/interfaces.ts";
import type { RealPlace } from "./place.ts";

/** clsact: after the balancer's programs, should this host be one for other VIPs. */
const PRIORITY = 40_100;
const TITLES = { egress: "neighbour guard", ingress: "end of tunnels" } as const;

/** In its place or anew. Nothing is said of what was there already. @throws SystemError */
export function attachTo(place: RealPlace, one: NetworkInterface, direction: Direction, program: number): string[] {
  const before = attachedAt(place, one, direction);
  const method = attach(point(place, one, direction), program);
  return before === undefined ? [`${one.name}: ${TITLES[direction]} attached (${method})`] : [];
}

/** @throws SystemError */
export const detachFrom = (place: RealPlace, one: NetworkInterface, direction: Direction): string[] =>
  detach(point(place, one, direction)) ? [`${one.name}: ${TITLES[direction]} removed`] : [];

export const attachedAt = (place: RealPlace, one: NetworkInterface, direction: Direction): AttachMethod | undefined =>
  attached(point(place, one, direction))?.method;

function point({ folder }: RealPlace, { index }: NetworkInterface, direction: Direction): AttachPoint {
  return { interfaceIndex: index, direction, pin: join(folder, `${direction}_${index}`), priority: PRIORITY };
}
