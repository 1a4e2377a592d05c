/** Where alerts go by mail: `notification_email`, `smtp_server` and the like of global_defs (keepalived.conf(5)). JSON. */

import type { Duration } from "../../base/time.ts";

export interface MailSettings {
  /** `ops@example.net` or `Name <ops@example.net>`; at least one. */
  readonly to: readonly string[];
  /** Undefined: `keepalived@` and the host's name. */
  readonly from: string | undefined;
  readonly server: { readonly host: string; readonly port: number };
  /** For the connection and for each answer. */
  readonly connectTimeout: Duration;
  /** Undefined: the host's name. */
  readonly heloName: string | undefined;
  /** Heads every subject; undefined: the host's name. */
  readonly routerId: string | undefined;
}
