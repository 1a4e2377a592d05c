/**
 * What trackers other than scripts and interfaces have reported: `track_file`, `track_process`, and our own `track_proxy` and
 * `track_service`. Remembers the last word of each; what follows from it is in `tracking.ts` and `eligibility.ts`.
 *
 * Reports may come before `start`: a virtual router then begins with them, as keepalived reads files and processes first.
 */

import { applyTrackers } from "./eligibility.ts";
import type { Draft, ServiceState } from "./host-state.ts";
import type { Input } from "./messages.ts";
import type { Step } from "./step.ts";

export type TrackerReport = Extract<Input, { readonly type: "file-value" | "process-count" | "service-state" }>;

/** Applies a report; what has been known already changes nothing. */
export function onTrackerReport(step: Step, draft: Draft, report: TrackerReport): void {
  if (noteTrackerReport(draft, report)) applyTrackers(step, draft);
}

/** Only remembers it, for a start that is to come. False: nothing new. */
export function noteTrackerReport(draft: Draft, report: TrackerReport): boolean {
  switch (report.type) {
    case "file-value": {
      const { file: name, value } = report;
      if (draft.files.some((known) => known.name === name && known.value === value)) return false;
      draft.files = [...draft.files.filter((known) => known.name !== name), { name, value }];
      return true;
    }
    case "process-count": {
      const { process: name, count } = report;
      if (draft.processes.some((known) => known.name === name && known.count === count)) return false;
      draft.processes = [...draft.processes.filter((known) => known.name !== name), { name, count }];
      return true;
    }
    case "service-state": {
      const { kind, name, up, cause } = report;
      const isIt = (known: ServiceState) => known.kind === kind && known.name === name;
      const before = draft.services.find(isIt);
      if (before?.up === up && before.cause === cause) return false;
      draft.services = [...draft.services.filter((known) => !isIt(known)), { kind, name, up, cause }];
      return true;
    }
    default:
      return report satisfies never;
  }
}

/** Forgets what no configuration names any more. */
export function forgetUnnamed(draft: Draft): void {
  const { instances, syncGroups } = draft.configuration;
  const all = [...instances, ...syncGroups];
  const named = (of: "trackFiles" | "trackProcesses" | "trackProxies" | "trackServices") =>
    new Set(all.flatMap((one) => one[of].map(({ name }) => name)));
  const [files, processes, proxies, services] = [
    named("trackFiles"),
    named("trackProcesses"),
    named("trackProxies"),
    named("trackServices"),
  ];
  draft.files = draft.files.filter(({ name }) => files.has(name));
  draft.processes = draft.processes.filter(({ name }) => processes.has(name));
  draft.services = draft.services.filter(({ kind, name }) => (kind === "proxy" ? proxies : services).has(name));
}
