/**
 * The statistics as a page for people: a table for each frontend and backend, in the groups of columns that HAProxy's has.
 *
 * Everything that is not ours is escaped; the page refers to nothing else and runs nothing.
 */

import type { StatsPage } from "../config/model/proxy.ts";
import type { ServerStatus } from "../health/status.ts";
import {
  type BackendStatistics,
  type FrontendStatistics,
  type ProxyStatistics,
  type SectionStatistics,
  type ServerStatistics,
  type ServingStatistics,
  sectionsOf,
  type TrafficStatistics,
} from "./statistics.ts";
import { downSeconds, secondsSince } from "./stats-csv.ts";

export interface PageOptions {
  readonly page: StatsPage;
  readonly nowMs: number;
  /** Leave out servers that are down. */
  readonly upOnly: boolean;
  readonly refreshSeconds: number | undefined;
  readonly hostname: string;
  readonly version: string;
}

const GROUPS: readonly (readonly [group: string, ...columns: string[]])[] = [
  ["Queue", "Cur", "Max"],
  ["Session rate", "Cur", "Max"],
  ["Sessions", "Cur", "Max", "Limit", "Total", "LbTot", "Last"],
  ["Bytes", "In", "Out"],
  ["Denied", "Req", "Resp"],
  ["Errors", "Req", "Conn", "Resp"],
  ["Warnings", "Retr", "Redis"],
  ["Responses", "1xx", "2xx", "3xx", "4xx", "5xx", "Other"],
  ["Server", "Status", "LastChk", "Wght", "Act", "Bck", "Chk", "Dwn", "Dwntme"],
];
const COLUMNS = GROUPS.flatMap(([group, ...columns]) => columns.map((column) => `${group} ${column}`));

const STYLE = `
:root{font:13px/1.4 system-ui,sans-serif;color:#1d2529;background:#fff}
body{margin:1.5rem}h1{font-size:1.3rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
p{margin:.3rem 0}.sub{color:#5b676d}table{border-collapse:collapse}
th,td{padding:.15rem .45rem;border:1px solid #d5dbde;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
thead th{background:#eef2f3;font-weight:600;text-align:center}th.name,td.text{text-align:left}th.name{background:none}
.frontend td,.frontend th{background:#e6f0fa}.backend td,.backend th{background:#e9ebec;font-weight:600}
.active_up td,.active_up th{background:#dff3e0}.active_down td,.active_down th{background:#f8d4d4}
.active_going_down td,.active_going_up td,.active_going_down th,.active_going_up th{background:#fdeec0}
.backup_up td,.backup_up th{background:#dbe9fb}.backup_down td,.backup_down th{background:#f8d4d4}
.backup_going_down td,.backup_going_up td{background:#fdeec0}
.maintain td,.maintain th{background:#f0dcc4}.no_check td,.no_check th{background:#f4f5f5}
.legend span{display:inline-block;padding:0 .5rem;margin-right:.4rem;border:1px solid #d5dbde}`;

export function statisticsPage(statistics: ProxyStatistics, options: PageOptions): string {
  const { page, version, refreshSeconds } = options;
  const title = `Statistics${page.showNode === undefined ? "" : ` on ${page.showNode}`}`;
  const product = `evenkeel${page.hideVersion ? "" : ` ${version}`}`;
  const refresh = refreshSeconds === undefined ? "" : `, refreshed every ${refreshSeconds} s`;
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1>
<p class="sub">${escapeHtml(product)}${refresh}</p>
${page.showDescription === undefined ? "" : `<p>${escapeHtml(page.showDescription)}</p>\n`}${overview(statistics, options)}
<p><a href="${escapeHtml(page.uri)};csv">CSV</a> · <a href="${escapeHtml(page.uri)};up">servers that are up</a> · <a href="${escapeHtml(page.uri)};norefresh">without refresh</a> · <a href="${escapeHtml(page.uri)}">all</a></p>
${sectionsOf(statistics)
  .map((section) => sectionTable(section, options))
  .join("\n")}
</body></html>
`;
}

function overview(statistics: ProxyStatistics, { nowMs }: PageOptions): string {
  const { pids, startedMs, currConns, maxconn, cumConns, cumReq, stopping } = statistics;
  const processes = pids.length === 1 ? `process ${pids[0]}` : `${pids.length} processes (${pids.join(", ")})`;
  return (
    `<p>${processes}, up ${age(secondsSince(startedMs, nowMs))}${stopping ? ", <b>stopping</b>" : ""}. ` +
    `Connections ${currConns} of ${maxconn}, ${cumConns} in all; requests ${cumReq}.</p>\n` +
    `<p class="legend"><span class="active_up">active up</span><span class="active_going_down">active, going down</span>` +
    `<span class="active_down">active or backup down</span><span class="backup_up">backup up</span>` +
    `<span class="maintain">maintenance</span><span class="no_check">not checked</span></p>`
  );
}

const HEADING =
  `<thead><tr><th rowspan="2"></th>${GROUPS.map(([group, ...columns]) => `<th colspan="${columns.length}">${group}</th>`).join("")}</tr>` +
  `<tr>${GROUPS.flatMap(([, ...columns]) => columns.map((column) => `<th>${column}</th>`)).join("")}</tr></thead>`;

type Cells = Readonly<Record<string, string | number | undefined>>;

function sectionTable({ frontend, backend }: SectionStatistics, options: PageOptions): string {
  const rows = [
    ...(frontend === undefined ? [] : [frontendRow(frontend)]),
    ...(backend === undefined ? [] : backendRows(backend, options)),
  ];
  const id = escapeHtml(frontend?.name ?? backend?.name ?? "");
  return `<h2 id="${id}">${id}</h2>\n<table>${HEADING}<tbody>\n${rows.join("\n")}\n</tbody></table>`;
}

function row(name: string, style: string, cells: Cells): string {
  const data = COLUMNS.map((column) => {
    const value = cells[column];
    const text = column === "Server Status" || column === "Server LastChk" ? ' class="text"' : "";
    return `<td${text}>${value === undefined ? "" : escapeHtml(String(value))}</td>`;
  });
  return `<tr class="${style}"><th class="name">${escapeHtml(name)}</th>${data.join("")}</tr>`;
}

function frontendRow(frontend: FrontendStatistics): string {
  const cells: Cells = {
    ...trafficCells(frontend),
    ...(frontend.mode === "http" ? responseCells(frontend) : {}),
    "Sessions Limit": frontend.slim,
    "Denied Req": frontend.dreq,
    "Denied Resp": frontend.dresp,
    "Errors Req": frontend.ereq,
    "Server Status": frontend.status,
  };
  return row("Frontend", "frontend", cells);
}

function backendRows(backend: BackendStatistics, options: PageOptions): readonly string[] {
  const shown = backend.servers.filter((server) => !options.upOnly || server.status.up);
  const servers = shown.map((server) => serverRow(server, options.nowMs));
  const seconds = secondsSince(backend.lastChangeMs, options.nowMs);
  const cells: Cells = {
    ...trafficCells(backend),
    ...servingCells(backend, options.nowMs),
    ...(backend.mode === "http" ? responseCells(backend) : {}),
    "Queue Cur": backend.queued,
    "Queue Max": backend.queuedMax,
    "Sessions Limit": backend.slim,
    "Denied Req": backend.dreq,
    "Server Status": `${age(seconds)} ${backend.up ? "UP" : "DOWN"}`,
    "Server Wght": backend.weight,
    "Server Act": backend.act,
    "Server Bck": backend.bck,
    "Server Dwn": backend.chkdown,
    "Server Dwntme": age(downSeconds(backend.up, backend.downtimeMs, backend.lastChangeMs, options.nowMs)),
  };
  return [...servers, row("Backend", "backend", cells)];
}

function serverRow(server: ServerStatistics, nowMs: number): string {
  const { status } = server;
  const checked = status.check !== undefined;
  return row(server.name, rowClass(server), {
    ...trafficCells(server),
    ...servingCells(server, nowMs),
    ...(server.mode === "http" ? responseCells(server) : {}),
    "Queue Cur": server.queued,
    "Queue Max": server.queuedMax,
    "Sessions Limit": server.slim === 0 ? "-" : server.slim,
    "Server Status": checked ? `${age(secondsSince(status.lastChangeMs, nowMs))} ${status.text}` : status.text,
    "Server LastChk": lastCheck(status),
    "Server Wght": server.weight,
    "Server Act": server.backup ? "-" : "Y",
    "Server Bck": server.backup ? "Y" : "-",
    "Server Chk": checked ? status.checkFailures : undefined,
    "Server Dwn": checked ? status.downTransitions : undefined,
    "Server Dwntme": checked ? age(downSeconds(status.up, status.downtimeMs, status.lastChangeMs, nowMs)) : undefined,
  });
}

function trafficCells(row: TrafficStatistics): Cells {
  return {
    "Session rate Cur": row.rate,
    "Session rate Max": row.rateMax,
    "Sessions Cur": row.scur,
    "Sessions Max": row.smax,
    "Sessions Total": row.stot,
    "Bytes In": row.bin,
    "Bytes Out": row.bout,
  };
}

function responseCells({ hrsp }: TrafficStatistics): Cells {
  const [other, informational, successful, redirecting, clientError, serverError] = hrsp;
  return {
    "Responses 1xx": informational,
    "Responses 2xx": successful,
    "Responses 3xx": redirecting,
    "Responses 4xx": clientError,
    "Responses 5xx": serverError,
    "Responses Other": other,
  };
}

function servingCells(row: ServingStatistics, nowMs: number): Cells {
  return {
    "Sessions LbTot": row.lbtot,
    "Sessions Last": row.lastSessionMs === undefined ? "?" : age(secondsSince(row.lastSessionMs, nowMs)),
    "Denied Resp": row.dresp,
    "Errors Conn": row.econ,
    "Errors Resp": row.eresp,
    "Warnings Retr": row.wretr,
    "Warnings Redis": row.wredis,
  };
}

/** `L7OK/200 in 0ms`; a star before it while the next check runs. */
function lastCheck({ check }: ServerStatus): string | undefined {
  if (check === undefined) return undefined;
  const code = check.status === undefined ? "" : `/${check.status}`;
  const duration = check.durationMs === undefined ? "" : ` in ${check.durationMs}ms`;
  return `${check.running ? "* " : ""}${check.code}${code}${duration}`;
}

/** HAProxy's classes: `UP 1/3` is on its way down, `DOWN 1/2` on its way up. */
function rowClass({ backup, status }: ServerStatistics): string {
  const kind = backup ? "backup" : "active";
  if (status.text.startsWith("MAINT")) return "maintain";
  if (status.text === "no check") return "no_check";
  const between = /\d\/\d/.test(status.text);
  if (status.up) return between ? `${kind}_going_down` : `${kind}_up`;
  return between ? `${kind}_going_up` : `${kind}_down`;
}

/** The two largest units: `1d2h`, `3h5m`, `4m10s`, `9s`. */
function age(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return `${days}d${hours}h`;
  if (hours > 0) return `${hours}h${minutes}m`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
