/** What the vrrp process answers when it is asked for its picture of itself: the machine's, and what is around it. JSON. */

import type { HostSnapshot } from "../../vrrp/messages.ts";
import type { FifoReport } from "../scripts/notify-fifos.ts";
import type { NotificationReport } from "../scripts/notify-queue.ts";
import type { DropReport } from "./drop-table.ts";
import type { TimelinessReport } from "./lateness.ts";
import type { FindingReport } from "./observer.ts";
import type { DisabledScript } from "./usable-scripts.ts";

export interface VrrpReport extends HostSnapshot {
  readonly timeliness: TimelinessReport;
  readonly disabledScripts: readonly DisabledScript[];
  /** What `no_accept` and `vrrp_strict` have dropped; undefined when nothing is. */
  readonly drops?: DropReport | undefined;
  /** The last one of each instance and group that has scripts. */
  readonly notifications: readonly NotificationReport[];
  /** What is wrong between this host and its neighbours, the worst first. */
  readonly findings: readonly FindingReport[];
  readonly fifos: readonly FifoReport[];
}
