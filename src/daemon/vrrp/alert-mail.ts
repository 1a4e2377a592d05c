/**
 * What `smtp_alert` of instances and sync groups says in a mail: keepalived 2.2.7's subjects and bodies (measured; those of
 * STOP and DELETED from its texts), without the `[router_id]` in front, which is the sender's.
 */

import type { Output } from "../../vrrp/messages.ts";
import type { Mail } from "../mail/mailer.ts";

type Notification = Pick<Extract<Output, { type: "notify" }>, "kind" | "name" | "state">;

/** Undefined: nobody is written to about it. */
export function alertMail({ kind, name, state }: Notification): Mail | undefined {
  const who = kind === "INSTANCE" ? `VRRP Instance ${name}` : `VRRP Group ${name}`;
  switch (state) {
    case "MASTER":
    case "BACKUP":
    case "FAULT": {
      const instance = `VRRP Instance is ${state === "MASTER" ? "now" : "no longer"} owning VRRP VIPs`;
      const text = kind === "INSTANCE" ? instance : `All VRRP group instances are now in ${state} state`;
      return { subject: `${who} - Entering ${state} state`, text: `=> ${text} <=` };
    }
    case "STOP": {
      const text = kind === "INSTANCE" ? "VRRP Instance stopping" : "All VRRP group instances are now stopping";
      return { subject: `${who} - Stopping`, text: `=> ${text} <=` };
    }
    case "DELETED":
      if (kind === "GROUP") return undefined;
      return { subject: `${who} - Deleted`, text: "=> VRRP Deleted at reload <=" };
    case "MASTER_RX_LOWER_PRI":
    case "MASTER_PRIORITY":
    case "BACKUP_PRIORITY":
      return undefined;
    default:
      return state satisfies never;
  }
}
