/** `timeout NAME TIME` and its three old forms (HAProxy 2.6 configuration.txt §4.2). 0 is for ever. */

import type { Timeouts } from "../model/proxy.ts";
import type { KeywordReader } from "./draft.ts";
import { timeArgument } from "./reading.ts";

const NAMES: Readonly<Record<string, keyof Timeouts>> = {
  client: "client",
  connect: "connect",
  server: "server",
  "http-request": "httpRequest",
  "http-keep-alive": "httpKeepAlive",
  queue: "queue",
  check: "check",
  tunnel: "tunnel",
  "client-fin": "clientFin",
  "server-fin": "serverFin",
};

const timeout =
  (name: string, key: keyof Timeouts, index: number): KeywordReader =>
  (statement, draft, reading) => {
    const time = timeArgument(statement, index, reading);
    if (time === undefined) return;
    if (draft.kind !== "defaults" && draft.seen.has(`timeout ${name}`)) {
      const message = `'timeout ${name}' stands in this section already, and the later one counts`;
      reading.diagnostics.warning("haproxy/overwritten", statement.spanFrom(0), message, "remove one of them");
    }
    draft.settings.timeouts = { ...draft.settings.timeouts, [key]: time === 0 ? undefined : time };
  };

export const TIMEOUT_READERS: Readonly<Record<string, KeywordReader>> = {
  ...Object.fromEntries(Object.entries(NAMES).map(([name, key]) => [`timeout ${name}`, timeout(name, key, 2)])),
  clitimeout: timeout("client", "client", 1),
  contimeout: timeout("connect", "connect", 1),
  srvtimeout: timeout("server", "server", 1),
};
