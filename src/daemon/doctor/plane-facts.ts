/** What the layer-4 data plane of this network namespace holds, for the doctor. Loads none where there is none. */

import { isIpv4 } from "../../base/ip.ts";
import type { ServiceEntry, ServiceKey } from "../../director/plane.ts";
import { findBpffs } from "../../sys/bpffs.ts";
import { readInterfaces } from "../../sys/interfaces.ts";
import { type OtherPlane, otherPlanes } from "../plane/leftovers.ts";
import { openPlane } from "../plane/open.ts";
import { namesIn, Pins, planePlace } from "../plane/place.ts";
import type { PlaneFacts, PlaneService } from "./facts.ts";

/** Undefined: it is not loaded. @throws PlaneUnavailable, SystemError */
export function readPlaneFacts(): PlaneFacts | undefined {
  const { mountPoint, cookie } = planePlace();
  const bpffs = findBpffs(mountPoint);
  if (bpffs === undefined) return undefined;
  const pins = new Pins(bpffs, cookie);
  if (pins.layouts().length === 0) return undefined;
  const plane = openPlane({ role: "command" });
  try {
    return { services: plane.services().map(describeService), attached: attachedNames(pins) };
  } finally {
    plane.close();
  }
}

export function readOtherPlanes(): readonly OtherPlane[] {
  const place = planePlace();
  const bpffs = findBpffs(place.mountPoint);
  return bpffs === undefined ? [] : otherPlanes(place, bpffs);
}

const describeService = ({ key, servers }: ServiceEntry): PlaneService => ({
  name: nameOf(key),
  address: key.kind === "address" ? key.address : undefined,
  mark: key.kind === "mark" ? { family: key.family } : undefined,
  servers: servers.map(({ key: { address, port }, settings: { method, weight } }) => ({
    address,
    port,
    method,
    weight,
  })),
});

function nameOf(key: ServiceKey): string {
  if (key.kind === "mark") return `FWM ${key.mark}`;
  const host = isIpv4(key.address) ? key.address : `[${key.address}]`;
  return `${key.protocol.toUpperCase()} ${host}:${key.port}`;
}

/** By the pinned links; filters of clsact have none. Without services nothing is attached, and nothing need be. */
function attachedNames({ links }: Pins): readonly string[] | undefined {
  const indexes = new Set(namesIn(links).flatMap((name) => /^ingress(\d+)$/.exec(name)?.[1] ?? []));
  if (indexes.size === 0) return undefined;
  const interfaces = [...readInterfaces().values()].sort((a, b) => a.index - b.index);
  return interfaces.flatMap(({ index, name }) => (indexes.has(String(index)) ? [name] : []));
}
