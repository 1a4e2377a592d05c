/**
 * The statistics as HAProxy's CSV: one line a frontend, server and backend, in file order.
 *
 * management.txt 9.1. The columns are those of 3.5, of which 2.6 has the first 103 in the same places; what does not exist
 * here is empty. Positions are frozen: new columns go after the last.
 */

import {
  type BackendStatistics,
  type FrontendStatistics,
  type ProxyStatistics,
  type ServerStatistics,
  type ServingStatistics,
  sectionsOf,
  type TrafficStatistics,
} from "./statistics.ts";

export const CSV_COLUMNS: readonly string[] = (
  "pxname svname qcur qmax scur smax slim stot bin bout dreq dresp ereq econ eresp wretr wredis status weight act bck " +
  "chkfail chkdown lastchg downtime qlimit pid iid sid throttle lbtot tracked type rate rate_lim rate_max check_status " +
  "check_code check_duration hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other hanafail req_rate req_rate_max " +
  "req_tot cli_abrt srv_abrt comp_in comp_out comp_byp comp_rsp lastsess last_chk last_agt qtime ctime rtime ttime " +
  "agent_status agent_code agent_duration check_desc agent_desc check_rise check_fall check_health agent_rise " +
  "agent_fall agent_health addr cookie mode algo conn_rate conn_rate_max conn_tot intercepted dcon dses wrew connect " +
  "reuse cache_lookups cache_hits srv_icur src_ilim qtime_max ctime_max rtime_max ttime_max eint idle_conn_cur " +
  "safe_conn_cur used_conn_cur need_conn_est uweight agg_server_status agg_server_check_status agg_check_status srid " +
  "sess_other h1sess h2sess h3sess req_other h1req h2req h3req proto priv_idle_cur reqbin reqbout resbin resbout " +
  "cache_hint_hits -"
).split(" ");

/** What counts things that do not happen here, and what HAProxy gives to the metrics of its exporter alone, is 0. */
const NO_COMPRESSION = { comp_in: 0, comp_out: 0, comp_byp: 0, comp_rsp: 0 };
const NOT_HERE = { ...NO_COMPRESSION, cache_lookups: 0, cache_hits: 0 };

type Row = Readonly<Record<string, string | number | undefined>>;

/** What tells of the inside of a network: only with `stats show-legends`, as in HAProxy. */
const LEGENDS = new Set(["addr", "cookie", "algo"]);

export function statisticsCsv(statistics: ProxyStatistics, nowMs: number, legends: boolean): string {
  const lines = [`# ${CSV_COLUMNS.join(",")},`];
  const shown = (column: string): boolean => legends || !LEGENDS.has(column);
  for (const row of rows(statistics, nowMs)) {
    lines.push(`${CSV_COLUMNS.map((column) => (shown(column) ? field(row[column]) : "")).join(",")},`);
  }
  return `${lines.join("\n")}\n\n`;
}

/** A `listen` section has its frontend, its servers and its backend one after the other. */
function rows(statistics: ProxyStatistics, nowMs: number): Row[] {
  return sectionsOf(statistics).flatMap(({ frontend, backend }) => [
    ...(frontend === undefined ? [] : [frontendRow(frontend)]),
    ...(backend === undefined ? [] : backend.servers.map((server) => serverRow(backend, server, nowMs))),
    ...(backend === undefined ? [] : [backendRow(backend, nowMs)]),
  ]);
}

function frontendRow(frontend: FrontendStatistics): Row {
  return {
    ...traffic(frontend),
    ...(frontend.mode === "http"
      ? { ...responses(frontend), ...NOT_HERE, intercepted: frontend.intercepted }
      : { ...NO_COMPRESSION, req_tot: 0 }),
    pxname: frontend.name,
    svname: "FRONTEND",
    slim: frontend.slim,
    dreq: frontend.dreq,
    dresp: frontend.dresp,
    ereq: frontend.ereq,
    status: frontend.status,
    iid: frontend.id,
    sid: 0,
    type: 0,
    rate_lim: 0,
    req_rate: frontend.reqRate,
    req_rate_max: frontend.reqRateMax,
    mode: frontend.mode,
    conn_rate: frontend.connRate,
    conn_rate_max: frontend.connRateMax,
    conn_tot: frontend.connTot,
    dcon: 0,
    dses: 0,
  };
}

function serverRow(backend: BackendStatistics, server: ServerStatistics, nowMs: number): Row {
  const { status } = server;
  const { check } = status;
  return {
    ...traffic(server),
    ...serving(server, nowMs),
    ...(backend.mode === "http" ? responses(server) : {}),
    pxname: backend.name,
    svname: server.name,
    qcur: server.queued,
    qmax: server.queuedMax,
    slim: server.slim === 0 ? undefined : server.slim,
    status: status.text,
    weight: server.weight,
    uweight: server.weight,
    act: server.backup ? 0 : 1,
    bck: server.backup ? 1 : 0,
    chkfail: check === undefined ? undefined : status.checkFailures,
    chkdown: check === undefined ? undefined : status.downTransitions,
    lastchg: secondsSince(status.lastChangeMs, nowMs),
    downtime: check === undefined ? undefined : downSeconds(status.up, status.downtimeMs, status.lastChangeMs, nowMs),
    iid: backend.id,
    sid: server.id,
    type: 2,
    check_status: check === undefined ? undefined : `${check.running ? "* " : ""}${check.code}`,
    check_code: check?.status,
    check_duration: check?.durationMs,
    check_desc: check?.description,
    last_chk: check?.detail,
    check_rise: check?.rise,
    check_fall: check?.fall,
    check_health: check?.health,
    addr: server.address,
    cookie: server.cookie,
    mode: backend.mode,
    srv_icur: server.idle,
    idle_conn_cur: server.idle,
    safe_conn_cur: 0,
    used_conn_cur: server.used,
    need_conn_est: server.needed,
  };
}

function backendRow(backend: BackendStatistics, nowMs: number): Row {
  return {
    ...traffic(backend),
    ...serving(backend, nowMs),
    ...(backend.mode === "http" ? { ...responses(backend), ...NOT_HERE } : NO_COMPRESSION),
    pxname: backend.name,
    svname: "BACKEND",
    qcur: backend.queued,
    qmax: backend.queuedMax,
    slim: backend.slim,
    dreq: backend.dreq,
    status: backend.up ? "UP" : "DOWN",
    weight: backend.weight,
    uweight: backend.weight,
    act: backend.act,
    bck: backend.bck,
    chkdown: backend.chkdown,
    lastchg: secondsSince(backend.lastChangeMs, nowMs),
    downtime:
      backend.servers.length === 0
        ? undefined
        : downSeconds(backend.up, backend.downtimeMs, backend.lastChangeMs, nowMs),
    iid: backend.id,
    sid: 0,
    type: 1,
    cookie: backend.cookie,
    mode: backend.mode,
    algo: backend.algo,
    agg_server_status: 0,
    agg_server_check_status: 0,
    agg_check_status: 0,
  };
}

function traffic(row: TrafficStatistics): Row {
  const { scur, smax, stot, bin, bout, rate, rateMax, eint } = row;
  return { scur, smax, stot, bin, bout, rate, rate_max: rateMax, eint, pid: 1, wrew: 0 };
}

function responses({ hrsp, reqTot }: TrafficStatistics): Row {
  const [other, informational, successful, redirecting, clientError, serverError] = hrsp;
  return {
    hrsp_1xx: informational,
    hrsp_2xx: successful,
    hrsp_3xx: redirecting,
    hrsp_4xx: clientError,
    hrsp_5xx: serverError,
    hrsp_other: other,
    req_tot: reqTot,
  };
}

function serving(row: ServingStatistics, nowMs: number): Row {
  const { dresp, econ, eresp, wretr, wredis, lbtot, cliAbrt, srvAbrt, connect, reuse } = row;
  return {
    ...{ dresp, econ, eresp, wretr, wredis, lbtot, cli_abrt: cliAbrt, srv_abrt: srvAbrt, connect, reuse },
    lastsess: row.lastSessionMs === undefined ? -1 : secondsSince(row.lastSessionMs, nowMs),
    qtime: row.qtime,
    ctime: row.ctime,
    rtime: row.rtime,
    ttime: row.ttime,
    qtime_max: row.qtimeMax,
    ctime_max: row.ctimeMax,
    rtime_max: row.rtimeMax,
    ttime_max: row.ttimeMax,
  };
}

export const secondsSince = (thenMs: number, nowMs: number): number => Math.max(0, Math.floor((nowMs - thenMs) / 1000));

/** The present outage counts. */
export function downSeconds(up: boolean, downtimeMs: number, lastChangeMs: number, nowMs: number): number {
  return Math.floor((downtimeMs + (up ? 0 : Math.max(0, nowMs - lastChangeMs))) / 1000);
}

/** RFC 4180 quoting, where it is needed. */
function field(value: string | number | undefined): string {
  if (value === undefined) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
