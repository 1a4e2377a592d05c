/**
 * Figures that survive the process that counted them: of proxies that were replaced by a reload, or have died.
 *
 * HAProxy's begin at zero with every reload. Here a count goes on for as long as its frontend, backend or server is in the
 * configuration. Limits of processes that take no more connections do not count, and of two peaks the larger is the peak.
 */

import type { ProxyConfiguration } from "../config/model/proxy.ts";
import { mergeStatistics } from "./merge.ts";
import type { FrontendStatistics, ProxyStatistics, ServingStatistics, TrafficStatistics } from "./statistics.ts";

/** `present` with what its predecessors have counted. They may still hold connections. */
export function succeed(present: ProxyStatistics, before: ProxyStatistics): ProxyStatistics | undefined {
  const frontends = new Map(present.frontends.map((row) => [row.name, row]));
  const backends = new Map(present.backends.map((row) => [row.name, row]));
  return mergeStatistics([
    present,
    {
      ...before,
      maxconn: 0,
      stopping: true,
      frontends: before.frontends.map((row) => frontendBefore(row, frontends.get(row.name))),
      backends: before.backends.map((row) => {
        const now = backends.get(row.name);
        const servers = new Map(now?.servers.map((server) => [server.name, server]));
        return {
          ...row,
          ...servingBefore(row, now),
          servers: row.servers.map((server) => ({ ...server, ...servingBefore(server, servers.get(server.name)) })),
        };
      }),
    },
  ]);
}

function frontendBefore(row: FrontendStatistics, now: FrontendStatistics | undefined): FrontendStatistics {
  return {
    ...row,
    ...trafficBefore(row, now),
    status: now?.status ?? row.status,
    slim: 0,
    reqRateMax: surplus(row.reqRateMax, now?.reqRateMax),
    connRateMax: surplus(row.connRateMax, now?.connRateMax),
  };
}

const servingBefore = (row: ServingStatistics, now: ServingStatistics | undefined) => ({
  ...trafficBefore(row, now),
  slim: 0,
  queuedMax: surplus(row.queuedMax, now?.queuedMax),
});

const trafficBefore = (row: TrafficStatistics, now: TrafficStatistics | undefined) => ({
  smax: surplus(row.smax, now?.smax),
  rateMax: surplus(row.rateMax, now?.rateMax),
});

/** What must be added to a present peak to make it the larger one of both. */
const surplus = (before: number, now = 0): number => Math.max(0, before - now);

/** The last figures of a process that has ended: what it counted stays, what it held is gone. */
export function ofTheDead(last: ProxyStatistics): ProxyStatistics {
  const still = { scur: 0, rate: 0 };
  return {
    ...last,
    pids: [],
    currConns: 0,
    frontends: last.frontends.map((row) => ({ ...row, ...still, reqRate: 0, connRate: 0 })),
    backends: last.backends.map((row) => ({
      ...row,
      ...still,
      queued: 0,
      servers: row.servers.map((server) => ({ ...server, ...still, queued: 0, idle: 0, used: 0, needed: 0 })),
    })),
  };
}

/** Without the rows of proxies and servers that `configuration` does not have. */
export function onlyOf(configuration: ProxyConfiguration, statistics: ProxyStatistics): ProxyStatistics {
  const frontends = new Set(configuration.frontends.map(({ name }) => name));
  const backends = new Map(
    configuration.backends.map(({ name, servers }) => [name, new Set(servers.map((server) => server.name))]),
  );
  return {
    ...statistics,
    frontends: statistics.frontends.filter(({ name }) => frontends.has(name)),
    backends: statistics.backends
      .filter(({ name }) => backends.has(name))
      .map((row) => ({ ...row, servers: row.servers.filter(({ name }) => backends.get(row.name)?.has(name)) })),
  };
}
