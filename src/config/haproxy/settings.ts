/** What a proxy does when neither it nor its `defaults` section says otherwise: HAProxy 2.6's defaults. */

import type { Settings } from "./draft.ts";

export function initialSettings(): Settings {
  return {
    mode: "tcp",
    disabled: false,
    timeouts: {
      client: undefined,
      connect: undefined,
      server: undefined,
      httpRequest: undefined,
      httpKeepAlive: undefined,
      queue: undefined,
      check: undefined,
      tunnel: undefined,
      clientFin: undefined,
      serverFin: undefined,
    },
    connectionMode: "keep-alive",
    forwardFor: undefined,
    logs: [],
    stats: undefined,
    errorFiles: {},
    defaultBackend: undefined,
    maxconn: undefined,
    backlog: undefined,
    logFormat: undefined,
    dontLogNull: false,
    dontLogNormal: false,
    monitorUri: undefined,
    balance: "roundrobin",
    cookie: undefined,
    httpReuse: "safe",
    retries: 3,
    redispatch: undefined,
    allBackups: false,
    httpCheck: undefined,
    checkKind: "tcp",
    checkRule: undefined,
    logHealthChecks: false,
    server: {
      weight: 1,
      backup: false,
      disabled: false,
      cookie: undefined,
      maxconn: 0,
      sendProxy: undefined,
      onMarkedDown: "keep",
      checked: false,
      inter: undefined,
      fastinter: undefined,
      downinter: undefined,
      rise: 2,
      fall: 3,
      checkPort: undefined,
      checkAddress: undefined,
    },
  };
}

export const copySettings = (settings: Settings): Settings => ({
  ...settings,
  timeouts: { ...settings.timeouts },
  server: { ...settings.server },
});
