/** `notify`, `notify_master` … of instances and sync groups. */

import type { NotifyScripts } from "../model/vrrp.ts";
import type { Report } from "./report.ts";
import { commandOf } from "./script.ts";
import type { Statement } from "./tree.ts";
import type { Handlers } from "./walk.ts";

export type NotifyDraft = { -readonly [K in keyof NotifyScripts]: NotifyScripts[K] };

export const noNotify = (): NotifyDraft => ({
  master: undefined,
  backup: undefined,
  fault: undefined,
  stop: undefined,
  any: undefined,
  deleted: undefined,
  masterRxLowerPri: undefined,
});

export function notifyHandlers(draft: NotifyDraft, owner: string, report: Report): Handlers {
  const set = (event: Exclude<keyof NotifyDraft, "deleted">) => (statement: Statement) => {
    if (draft[event] !== undefined) {
      const message = `(${owner}) ${statement.keyword.text} script already specified - ignoring ${statement.words[0]?.text ?? ""}`;
      report.warning("keepalived/already-defined", statement.keyword, message, "Call both from one script");
      return;
    }
    draft[event] = commandOf(statement, "user", report);
  };
  return {
    notify_master: set("master"),
    notify_backup: set("backup"),
    notify_fault: set("fault"),
    notify_stop: set("stop"),
    notify: set("any"),
    notify_master_rx_lower_pri: set("masterRxLowerPri"),
    notify_deleted: (statement) => {
      draft.deleted = statement.words.length === 0 ? "say-deleted" : commandOf(statement, "user", report);
    },
  };
}
