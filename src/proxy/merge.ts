/**
 * The figures of several proxy processes as one.
 *
 * Counts add up, so do present and largest numbers of sessions (a bound: the peaks need not have come together). Times are
 * averaged by sessions. What the checks say is the same in all of them.
 */

import type {
  BackendStatistics,
  FrontendStatistics,
  ProxyStatistics,
  ServerStatistics,
  ServingStatistics,
  TrafficStatistics,
} from "./statistics.ts";

/** Of processes with the same configuration; a proxy that one of them does not know counts with the others only. */
export function mergeStatistics(list: readonly ProxyStatistics[]): ProxyStatistics | undefined {
  const [first, ...others] = list;
  return first === undefined ? undefined : others.reduce(addProcesses, first);
}

function addProcesses(a: ProxyStatistics, b: ProxyStatistics): ProxyStatistics {
  return {
    pids: [...a.pids, ...b.pids],
    startedMs: Math.min(a.startedMs, b.startedMs),
    currConns: a.currConns + b.currConns,
    cumConns: a.cumConns + b.cumConns,
    cumReq: a.cumReq + b.cumReq,
    maxconn: a.maxconn + b.maxconn,
    stopping: a.stopping && b.stopping,
    frontends: addByName(a.frontends, b.frontends, addFrontends),
    backends: addByName(a.backends, b.backends, addBackends),
  };
}

function addByName<T extends { readonly name: string }>(a: readonly T[], b: readonly T[], add: (a: T, b: T) => T): T[] {
  const rest = new Map(b.map((row) => [row.name, row]));
  const sums = a.map((row) => {
    const other = rest.get(row.name);
    rest.delete(row.name);
    return other === undefined ? row : add(row, other);
  });
  return [...sums, ...rest.values()];
}

function addTraffic(a: TrafficStatistics, b: TrafficStatistics): TrafficStatistics {
  const [other, one, two, three, four, five] = a.hrsp;
  return {
    scur: a.scur + b.scur,
    smax: a.smax + b.smax,
    stot: a.stot + b.stot,
    bin: a.bin + b.bin,
    bout: a.bout + b.bout,
    rate: a.rate + b.rate,
    rateMax: a.rateMax + b.rateMax,
    hrsp: [other + b.hrsp[0], one + b.hrsp[1], two + b.hrsp[2], three + b.hrsp[3], four + b.hrsp[4], five + b.hrsp[5]],
    reqTot: a.reqTot + b.reqTot,
    eint: a.eint + b.eint,
  };
}

function addServing(a: ServingStatistics, b: ServingStatistics): ServingStatistics {
  const sessions = a.stot + b.stot;
  const mean = (left: number, right: number): number =>
    sessions === 0 ? 0 : Math.round((left * a.stot + right * b.stot) / sessions);
  return {
    ...addTraffic(a, b),
    dresp: a.dresp + b.dresp,
    econ: a.econ + b.econ,
    eresp: a.eresp + b.eresp,
    wretr: a.wretr + b.wretr,
    wredis: a.wredis + b.wredis,
    lbtot: a.lbtot + b.lbtot,
    cliAbrt: a.cliAbrt + b.cliAbrt,
    srvAbrt: a.srvAbrt + b.srvAbrt,
    connect: a.connect + b.connect,
    reuse: a.reuse + b.reuse,
    queued: a.queued + b.queued,
    queuedMax: a.queuedMax + b.queuedMax,
    lastSessionMs: latest(a.lastSessionMs, b.lastSessionMs),
    qtime: mean(a.qtime, b.qtime),
    ctime: mean(a.ctime, b.ctime),
    rtime: mean(a.rtime, b.rtime),
    ttime: mean(a.ttime, b.ttime),
    qtimeMax: Math.max(a.qtimeMax, b.qtimeMax),
    ctimeMax: Math.max(a.ctimeMax, b.ctimeMax),
    rtimeMax: Math.max(a.rtimeMax, b.rtimeMax),
    ttimeMax: Math.max(a.ttimeMax, b.ttimeMax),
  };
}

function addFrontends(a: FrontendStatistics, b: FrontendStatistics): FrontendStatistics {
  return {
    ...a,
    ...addTraffic(a, b),
    status: a.status === b.status ? a.status : "OPEN",
    slim: a.slim + b.slim,
    dreq: a.dreq + b.dreq,
    dresp: a.dresp + b.dresp,
    ereq: a.ereq + b.ereq,
    reqRate: a.reqRate + b.reqRate,
    reqRateMax: a.reqRateMax + b.reqRateMax,
    connRate: a.connRate + b.connRate,
    connRateMax: a.connRateMax + b.connRateMax,
    connTot: a.connTot + b.connTot,
    intercepted: a.intercepted + b.intercepted,
  };
}

function addBackends(a: BackendStatistics, b: BackendStatistics): BackendStatistics {
  return {
    ...a,
    ...addServing(a, b),
    slim: a.slim + b.slim,
    dreq: a.dreq + b.dreq,
    servers: addByName(a.servers, b.servers, addServers),
  };
}

function addServers(a: ServerStatistics, b: ServerStatistics): ServerStatistics {
  return {
    ...a,
    ...addServing(a, b),
    slim: a.slim + b.slim,
    idle: a.idle + b.idle,
    used: a.used + b.used,
    needed: a.needed + b.needed,
  };
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.max(a, b);
}
