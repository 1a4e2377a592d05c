/** A checker whose block has been read, to be completed with what its real server and virtual server hand down. */

import type { IpAddress } from "../../base/ip.ts";
import type { Checker, ConnectingChecker } from "../model/virtual-server.ts";
import { type ConnectionDraft, connectionHandlers, connectionOf, noConnection } from "./check-connection.ts";
import {
  type CheckSettings,
  inherited,
  noSettings,
  type RetryDefaults,
  scheduleOf,
  settingHandlers,
} from "./check-settings.ts";
import type { Report } from "./report.ts";
import type { Statement } from "./tree.ts";
import { type Handlers, walk } from "./walk.ts";

/** The `SSL` block: files that an SSL_GET shows. */
export interface SslFiles {
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly password: string | undefined;
}

/** What a checker takes from its real server and virtual server. */
export interface CheckContext {
  readonly settings: CheckSettings;
  readonly server: { readonly address: IpAddress; readonly port: number };
  readonly ssl: SslFiles;
}

/** Undefined when the block says nothing that could be checked; why is in the report already. */
export type CheckerDraft = (context: CheckContext) => Checker | undefined;

/** What `own` adds to the common part of a checker that connects. */
export type OwnPart = (
  context: CheckContext & { readonly connection: { readonly address: IpAddress; readonly port: number } },
) => DistributiveOmit<ConnectingChecker, "connection"> | undefined;

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** A checker that connects: reads the common words and those of `more`; `own` gives what is special once all is known. */
export function connecting(
  statement: Statement,
  defaults: RetryDefaults,
  more: Handlers,
  own: OwnPart,
  report: Report,
  settings: CheckSettings = noSettings(),
  draft: ConnectionDraft = noConnection(),
): CheckerDraft {
  const handlers = { ...settingHandlers(settings, 0, report), ...connectionHandlers(draft, report), ...more };
  walk(statement.block ?? [], statement.keyword.text, handlers, report);
  return (context) => {
    const all = inherited(context.settings, settings);
    const connection = connectionOf(draft, all, context.server, report);
    const part = own({ ...context, settings: all, connection });
    if (connection.port === 0 && part !== undefined && part.type !== "PING_CHECK") {
      const message = `${part.type} of ${connection.address} has no port to connect to`;
      const help = "Add connect_port, or a port to the server";
      report.warning("keepalived/no-check-port", statement.keyword, message, help);
    }
    return part && { ...scheduleOf(all, defaults), connection, ...part };
  };
}
