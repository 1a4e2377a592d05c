/** `evenkeel status`: what runs here, for a person or as JSON. */

import { between, type Instant, inMilliseconds, inSeconds } from "../base/time.ts";
import type { RealServerReport, VirtualServerReport } from "../daemon/director/virtual-server-report.ts";
import type { StatusReport } from "../daemon/supervisor/status.ts";
import { inOneLine } from "../daemon/vrrp/lateness.ts";
import type { FindingReport } from "../daemon/vrrp/observer.ts";
import type { VrrpReport } from "../daemon/vrrp/report.ts";
import type { ProxyStatistics } from "../proxy/statistics.ts";
import { monotonicNow } from "../sys/clock.ts";
import type { InstanceSnapshot } from "../vrrp/messages.ts";
import { inWords } from "../vrrp/neighbourhood/findings.ts";
import { ask, socketPath, withControl } from "./control-client.ts";
import { type Cell, type Column, type Paper, span, table } from "./table.ts";

export interface StatusOptions {
  readonly json?: boolean;
  readonly socket?: string;
}

export function status(options: StatusOptions): Promise<void> {
  return withControl(async () => {
    const report = (await ask(socketPath(options.socket), { command: "status" })) as StatusReport;
    const terminal = process.stdout.isTTY === true;
    const paper = {
      colour: terminal && process.env.NO_COLOR === undefined,
      width: terminal ? process.stdout.columns : undefined,
    };
    const text = options.json ? JSON.stringify(report, null, 2) : statusText(report, Date.now(), paper, monotonicNow());
    process.stdout.write(`${text}\n`);
  });
}

const STATE_COLOURS: Readonly<Record<string, string>> = {
  MASTER: "1;32",
  BACKUP: "36",
  FAULT: "1;31",
  UP: "32",
  DOWN: "1;31",
  DRAIN: "33",
};
const stateCell = (text: string): Cell => {
  const colour = STATE_COLOURS[text.split(" ")[0] ?? ""];
  return colour === undefined ? { text } : { text, colour };
};

const INSTANCES: readonly (string | Column)[] = [
  "INSTANCE",
  "STATE",
  { title: "FOR", leaveOut: 1 },
  "PRIORITY",
  { title: "VRID", leaveOut: 3 },
  { title: "INTERFACE", leaveOut: 2 },
  "ADDRESSES",
  { title: "LAST ADVERT HEARD", leaveOut: 4 },
  "CAUSE",
];
const REAL_SERVERS: readonly (string | Column)[] = [
  "VIRTUAL SERVER",
  "REAL SERVER",
  "STATE",
  "WEIGHT",
  { title: "METHOD", leaveOut: 3 },
  "ACTIVE",
  "INACTIVE",
  { title: "CONNECTIONS", leaveOut: 4 },
  { title: "LAST CHECK", leaveOut: 1 },
  { title: "CAUSE", leaveOut: 2 },
];
const FRONTENDS: readonly (string | Column)[] = [
  "FRONTEND",
  "STATUS",
  { title: "MODE", leaveOut: 3 },
  "CUR",
  "SESSIONS",
  "REQUESTS",
  { title: "BYTES IN", leaveOut: 2 },
  { title: "BYTES OUT", leaveOut: 1 },
];
const SERVERS: readonly (string | Column)[] = [
  "BACKEND",
  "SERVER",
  "STATUS",
  "CHECK",
  { title: "WEIGHT", leaveOut: 5 },
  { title: "ADDRESS", leaveOut: 6 },
  "CUR",
  "SESSIONS",
  { title: "2xx", leaveOut: 4 },
  { title: "4xx", leaveOut: 3 },
  { title: "5xx", leaveOut: 2 },
  { title: "LAST CHANGE", leaveOut: 1 },
];

/** @param clock this machine's monotonic clock now, for times that are told by it */
export function statusText(report: StatusReport, nowMs: number, paper: Paper, clock?: Instant): string {
  const sections: string[][] = [
    [
      `evenkeel ${report.version}, Node ${report.node}, pid ${report.pid}, up ${span(report.uptimeSeconds)}`,
      `files: ${report.files.join(", ")}`,
      ...(report.lastReload === undefined
        ? []
        : [`last reload: ${report.lastReload.result} at ${report.lastReload.time}`]),
    ],
  ];
  const add = (header: readonly (string | Column)[], rows: readonly (readonly (string | Cell)[])[]) => {
    if (rows.length > 0) sections.push(table(header, rows, paper));
  };
  const { vrrp, director, proxy } = report;
  if (vrrp !== undefined) {
    add(
      INSTANCES,
      vrrp.instances.map((one) => instanceRow(one, paper.width, clock)),
    );
    const refused = vrrp.instances.flatMap((one) =>
      one.lastRefused === undefined
        ? []
        : [
            `${one.name}: refused an advert of ${one.lastRefused.from}${ago(one.lastRefused.at, clock)}: ${one.lastRefused.detail}`,
          ],
    );
    if (refused.length > 0) sections.push(refused);
    const priorities = vrrp.instances.flatMap(priorityLine);
    if (priorities.length > 0) sections.push(priorities);
    const drops = vrrp.instances.flatMap((one) => dropLine(one, vrrp.drops));
    if (drops.length > 0) sections.push(drops);
    const faults = vrrp.instances.flatMap((one) => faultLines(one, nowMs, clock));
    if (faults.length > 0) sections.push(faults);
    const telling = tellingLines(vrrp);
    if (telling.length > 0) sections.push(telling);
    const findings = (vrrp.findings ?? []).flatMap((one) => findingLines(one, nowMs, paper));
    if (findings.length > 0) sections.push(findings);
    add(
      ["SYNC GROUP", "STATE", "MEMBERS"],
      vrrp.groups.map((one) => [one.name, stateCell(one.state), one.members.join(" ")]),
    );
    add(
      ["SCRIPT", "STATE", "LAST EXIT"],
      vrrp.scripts.map((one) => [one.name, one.state, one.state === "unknown" ? "none yet" : String(one.lastStatus)]),
    );
  }
  if (director !== undefined) {
    add(
      REAL_SERVERS,
      director.virtualServers.flatMap((one) => one.servers.map((server) => realServerRow(one, server))),
    );
    const notes = director.virtualServers.flatMap(virtualServerNotes);
    if (notes.length > 0) sections.push(notes);
    const { capacity, connectionsIpv4, connectionsIpv6, halfOpen, refusedFull } = director.table;
    const fill = (entries: number) => `${entries} of ${capacity} (${percent(entries, capacity)})`;
    const refused = refusedFull === 0 ? "" : `, ${refusedFull} refused because a table was full`;
    sections.push([
      `connection tables: IPv4 ${fill(connectionsIpv4)}, IPv6 ${fill(connectionsIpv6)}, ${halfOpen} half open${refused}`,
    ]);
  }
  if (proxy !== undefined) {
    add(FRONTENDS, proxy.frontends.map(frontendRow));
    add(
      SERVERS,
      proxy.backends.flatMap((backend) => serverRows(backend, nowMs)),
    );
  }
  add(
    ["PROCESS", "PID", "UP", "RESTARTS", "NOTE"],
    report.processes.map((one) => [
      one.name,
      one.pid === undefined ? "(down)" : String(one.pid),
      one.pid === undefined ? "-" : span((nowMs - Date.parse(one.startedAt)) / 1000),
      String(one.restarts),
      one.retiring ? "finishing its connections" : "",
    ]),
  );
  return sections.map((lines) => lines.join("\n")).join("\n\n");
}

/** Not 0 where there is something, and not 100 where there is room. */
const percent = (part: number, whole: number): string =>
  part > 0 && part * 100 < whole ? "under 1%" : `${Math.floor((part * 100) / whole)}%`;

function instanceRow(one: InstanceSnapshot, width: number | undefined, clock: Instant | undefined): (string | Cell)[] {
  const advert = one.lastAdvert;
  return [
    one.name,
    stateCell(one.leaving ? `${one.state} (leaving)` : one.state),
    clock === undefined ? "" : spanOf(one.since, clock),
    one.effectivePriority === one.basePriority
      ? String(one.basePriority)
      : `${one.effectivePriority} (of ${one.basePriority})`,
    String(one.virtualRouterId),
    one.interface,
    addressesText(one.addresses, width === undefined || width > NARROW ? MOST_ADDRESSES : 1),
    advert === undefined
      ? "none"
      : `${advert.from} priority ${advert.priority}, every ${inSeconds(one.masterAdvertInterval)} s`,
    one.faults.length > 0 ? one.faults.join("; ") : one.cause,
  ];
}

/** `VI_1 priority 40 of 100: script chk exited with status 1`. */
const priorityLine = ({ name, effectivePriority, basePriority, priorityCause }: InstanceSnapshot): string[] =>
  priorityCause === undefined ? [] : [`${name} priority ${effectivePriority} of ${basePriority}: ${priorityCause}`];

/** Of a MASTER alone: nobody else is expected to answer. */
const dropLine = ({ name, state }: InstanceSnapshot, drops: VrrpReport["drops"]): string[] =>
  state === "MASTER" && drops?.instances.includes(name) === true
    ? [
        `${name} takes no packet for its virtual addresses (no_accept or vrrp_strict): nft table ${drops.tables.join(" and ")} drops them`,
      ]
    : [];

/** `VI_1 FAULT since 12:00:01: eth0 lost carrier → group RH`: the whole chain, which a column may cut. */
function faultLines(one: InstanceSnapshot, nowMs: number, clock: Instant | undefined): string[] {
  if (one.state !== "FAULT") return [];
  const since =
    clock === undefined ? "" : ` since ${timeOfDay(nowMs - inMilliseconds(between(one.since, clock)), nowMs)}`;
  const now = one.faults.filter((fault) => !one.cause.includes(fault));
  return [`${one.name} FAULT${since}: ${one.cause}`, ...(now.length === 0 ? [] : [`    now: ${now.join("; ")}`])];
}

/** Scripts that are not run, how late adverts leave, notify scripts that failed or were left out, FIFOs that lose lines. */
function tellingLines({ disabledScripts, timeliness, notifications, fifos }: Partial<VrrpReport>): string[] {
  const disabled = (disabledScripts ?? []).map(
    ({ name, why }) => `script ${name} is not run, and what tracks it goes on without it: ${why}`,
  );
  const adverts = timeliness?.adverts;
  const late = adverts === undefined || adverts.count === 0 ? [] : [`adverts: ${inOneLine(adverts)}`];
  const scripts = (notifications ?? [])
    .filter(({ ok, leftOut }) => !ok || leftOut > 0)
    .map(({ subject, state = "", command, result, at, leftOut }) => {
      const events = leftOut === 0 ? "" : `; ${leftOut} events left out so far`;
      return `${subject} ${state}: notify script ${command} ${result} (${at})${events}`;
    });
  const pipes = (fifos ?? [])
    .filter(({ trouble }) => trouble !== undefined)
    .map(({ path, trouble, lost }) => `notify FIFO ${path}: ${trouble}; ${lost} lines lost`);
  return [...disabled, ...late, ...scripts, ...pipes];
}

/** Local time; with its date when that was another day. */
function timeOfDay(ms: number, nowMs: number): string {
  const [at, now] = [new Date(ms), new Date(nowMs)];
  const clock = at.toTimeString().slice(0, 8);
  return at.toDateString() === now.toDateString() ? clock : `${at.toDateString()} ${clock}`;
}

const SEVERITY_COLOURS = { error: "1;31", warning: "33", note: "36" } as const;

function findingLines(one: FindingReport, nowMs: number, { colour }: Paper): string[] {
  const severity = colour ? `\x1b[${SEVERITY_COLOURS[one.severity]}m${one.severity}\x1b[0m` : one.severity;
  const lasts = span((nowMs - Date.parse(one.since)) / 1_000);
  return [
    `${severity}: ${one.instance ?? one.interface}: ${inWords(one)} [${one.code}, for ${lasts}]`,
    `    ${one.cure}`,
  ];
}

function realServerRow(virtual: VirtualServerReport, one: RealServerReport): (string | Cell)[] {
  // Of several checkers the one that keeps it down, or else the first.
  const check = one.checks.find(({ state }) => state === "failed") ?? one.checks[0];
  return [
    virtual.name,
    one.name,
    stateCell(one.state),
    one.weight === undefined ? "-" : String(one.weight),
    one.method,
    String(one.active),
    String(one.inactive),
    String(one.connections),
    check === undefined ? "none" : check.detail,
    one.cause,
  ];
}

function virtualServerNotes({ name, quorum, quorumUp, weight, sorryServer, suspended }: VirtualServerReport): string[] {
  const notes: string[] = [];
  if (!quorumUp) notes.push(`quorum lost, weight ${weight} of ${quorum}`);
  if (sorryServer?.serving === true) notes.push(`sorry server ${sorryServer.name} serves`);
  if (suspended) notes.push("checks suspended: no address of it is on this host");
  return notes.length === 0 ? [] : [`${name}: ${notes.join("; ")}`];
}

const spanOf = (since: Instant, clock: Instant): string => span(inMilliseconds(between(since, clock)) / 1_000);

/** What was refused an hour ago is no reason for anything now. */
const ago = (at: Instant, clock: Instant | undefined): string =>
  clock === undefined ? "" : ` ${spanOf(at, clock)} ago`;

/** All of them are in `--json`. */
const MOST_ADDRESSES = 2;
/** Characters in a line up to which one address has to do, so that the cause has room. */
const NARROW = 120;

function addressesText(addresses: InstanceSnapshot["addresses"], most: number): string {
  const shown = addresses
    .slice(0, most)
    .map(({ address, prefixLength }) => `${address}/${prefixLength}`)
    .join(" ");
  const more = addresses.length - most;
  return more > 0 ? (most === 1 ? `${shown} +${more}` : `${shown} and ${more} more`) : shown || "none";
}

const frontendRow = (one: ProxyStatistics["frontends"][number]): (string | Cell)[] => [
  one.name,
  stateCell(one.status),
  one.mode,
  String(one.scur),
  String(one.stot),
  String(one.reqTot),
  String(one.bin),
  String(one.bout),
];

function serverRows(backend: ProxyStatistics["backends"][number], nowMs: number): (string | Cell)[][] {
  return backend.servers.map((one) => {
    const check = one.status.check;
    const result =
      check === undefined ? "none" : `${check.code}${check.status === undefined ? "" : `/${check.status}`}`;
    return [
      backend.name,
      one.name,
      stateCell(one.status.text),
      check?.durationMs === undefined ? result : `${result} in ${check.durationMs}ms`,
      String(one.weight),
      one.address,
      String(one.scur),
      String(one.stot),
      String(one.hrsp[2]),
      String(one.hrsp[4]),
      String(one.hrsp[5]),
      `${span((nowMs - one.status.lastChangeMs) / 1000)} ago`,
    ];
  });
}
