/** What `evenkeel status --json` prints: the supervisor's picture of itself and of its children. */

import type { PlannedChange } from "../../config/reload-plan.ts";
import type { ProxyStatistics } from "../../proxy/statistics.ts";
import type { DirectorReport } from "../director/virtual-server-report.ts";
import type { VrrpReport } from "../vrrp/report.ts";

export interface ReloadOutcome {
  readonly result: "applied" | "unchanged" | "refused";
  readonly diagnostics: readonly string[];
}

/** `reload --dry-run`. */
export interface ReloadPlan {
  readonly result: "planned" | "refused";
  readonly diagnostics: readonly string[];
  readonly changes: readonly PlannedChange[];
}

export interface ProcessReport {
  readonly name: string;
  /** Undefined while it waits to be started again. */
  readonly pid: number | undefined;
  readonly startedAt: string;
  readonly restarts: number;
  /** Finishing its last connections after a reload. */
  readonly retiring: boolean;
}

export interface StatusReport {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly files: readonly string[];
  readonly lastReload: (ReloadOutcome & { readonly time: string }) | undefined;
  readonly processes: readonly ProcessReport[];
  readonly vrrp: VrrpReport | undefined;
  readonly director: DirectorReport | undefined;
  readonly proxy: ProxyStatistics | undefined;
}
