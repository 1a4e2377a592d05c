/** The machine's state as `evenkeel status` shows it. */

import { allAddresses } from "./garp.ts";
import { groupOf, type HostState, instanceNamed } from "./host-state.ts";
import type { HostSnapshot, InstanceSnapshot } from "./messages.ts";
import type { RouterState } from "./router-state.ts";
import { hasReported } from "./scripts.ts";
import { together } from "./verdict.ts";

export function snapshot(host: HostState): HostSnapshot {
  return {
    instances: host.routers.flatMap((router) => instanceSnapshot(host, router)),
    groups: host.groups.map(({ name, state }) => ({
      name,
      state,
      members: host.configuration.syncGroups.find((group) => group.name === name)?.members ?? [],
    })),
    scripts: host.scripts.map((script) => ({
      name: script.name,
      state: script.verdict,
      lastStatus: script.lastStatus,
      against: script.against,
      running: script.running,
      reported: hasReported(script),
    })),
    files: host.files,
    processes: host.processes,
    unknownVrid: host.unknownVrid,
    malformed: host.malformed,
  };
}

function instanceSnapshot(host: HostState, router: RouterState): InstanceSnapshot[] {
  const instance = instanceNamed(host, router.name);
  if (instance === undefined) return [];
  const waitsFor = router.state === "INIT" ? router.pending.map((what) => `${what} has not reported yet`) : [];
  return [
    {
      name: router.name,
      interface: instance.interface,
      virtualRouterId: instance.virtualRouterId,
      version: instance.version,
      family: instance.family,
      group: groupOf(host, router.name)?.name,
      state: router.state,
      leaving: router.leaving,
      since: router.since,
      cause: router.cause,
      basePriority: instance.priority,
      effectivePriority: router.priority,
      priorityCause: router.priority === instance.priority ? undefined : priorityCause(router),
      masterAdvertInterval: router.masterAdvertInterval,
      source: router.source ?? undefined,
      deadline: router.deadline ?? undefined,
      addresses: allAddresses(instance),
      holdsAddresses: router.state === "MASTER",
      lastAdvert: router.lastAdvert ?? undefined,
      lastRefused: router.lastRefused ?? undefined,
      faults: [...router.faults, ...waitsFor],
      counters: router.counters,
    },
  ];
}

/** All that weighs now, and not only what changed last. */
function priorityCause({ ownerConflict, verdicts }: RouterState): string | undefined {
  if (ownerConflict) return "another router is configured as owner too";
  return together(verdicts.filter(({ points }) => points !== 0).map(({ says }) => says)) || undefined;
}
