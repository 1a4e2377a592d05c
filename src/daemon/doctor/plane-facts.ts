/** What the layer-4 data plane of this network namespace holds, for the doctor. Loads none where there is none. */

import { isIpv4 } from "../../base/ip.ts";
import type { ServiceKey } from "../../director/plane.ts";
import { findBpffs } from "../../sys/bpffs.ts";
import { readInterfaces } from "../../sys/interfaces.ts";
import { openPlane } from "../plane/open.ts";
import { namesIn, Pins, planePlace } from "../plane/place.ts";
import type { PlaneFacts } from "./facts.ts";

/** Undefined: it is not loaded. @throws PlaneUnavailable, SystemError */
export function readPlaneFacts(): PlaneFacts | undefined {
  const { mountPoint, cookie } = planePlace();
  const bpffs = findBpffs(mountPoint);
  if (bpffs === undefined) return undefined;
  const pins = new Pins(bpffs, cookie);
  if (pins.layouts().length === 0) return undefined;
  using plane = openPlane({ role: "command" });
  return {
    services: plane.services().map(({ key, servers }) => ({
      name: nameOf(key),
      address: key.kind === "address" ? key.address : undefined,
      servers: servers.map((server) => ({
        ...server.key,
        method: server.settings.method,
        weight: server.settings.weight,
      })),
    })),
    attached: attachedNames(pins),
  };
}

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
