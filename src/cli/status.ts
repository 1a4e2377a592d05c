/** `evenkeel status`: what runs here, for a person or as JSON. */

import { inSeconds } from "../base/time.ts";
import type { StatusReport } from "../daemon/supervisor/status.ts";
import type { ProxyStatistics } from "../proxy/statistics.ts";
import type { InstanceSnapshot } from "../vrrp/messages.ts";
import { ask, socketPath, withControl } from "./control-client.ts";
import { type Cell, span, table } from "./table.ts";

export interface StatusOptions {
  readonly json?: boolean;
  readonly socket?: string;
}

export function status(options: StatusOptions): Promise<void> {
  return withControl(async () => {
    const report = (await ask(socketPath(options.socket), { command: "status" })) as StatusReport;
    const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
    const text = options.json ? JSON.stringify(report, null, 2) : statusText(report, Date.now(), colour);
    process.stdout.write(`${text}\n`);
  });
}

const STATE_COLOURS: Readonly<Record<string, string>> = {
  MASTER: "1;32",
  BACKUP: "36",
  FAULT: "1;31",
  UP: "32",
  DOWN: "1;31",
};
const stateCell = (text: string): Cell => {
  const colour = STATE_COLOURS[text.split(" ")[0] ?? ""];
  return colour === undefined ? { text } : { text, colour };
};

export function statusText(report: StatusReport, nowMs: number, colour: boolean): string {
  const sections: string[][] = [
    [
      `evenkeel ${report.version}, Node ${report.node}, pid ${report.pid}, up ${span(report.uptimeSeconds)}`,
      `files: ${report.files.join(", ")}`,
      ...(report.lastReload === undefined
        ? []
        : [`last reload: ${report.lastReload.result} at ${report.lastReload.time}`]),
    ],
  ];
  const { vrrp, proxy } = report;
  if (vrrp !== undefined) {
    const header = ["INSTANCE", "STATE", "PRIORITY", "VRID", "INTERFACE", "ADDRESSES", "LAST ADVERT HEARD", "CAUSE"];
    sections.push(table(header, vrrp.instances.map(instanceRow), colour));
    const refused = vrrp.instances.flatMap((one) =>
      one.lastRefused === undefined
        ? []
        : [`${one.name}: refused an advert of ${one.lastRefused.from}: ${one.lastRefused.detail}`],
    );
    if (refused.length > 0) sections.push(refused);
    const groups = vrrp.groups.map((one) => [one.name, stateCell(one.state), one.members.join(" ")]);
    if (groups.length > 0) sections.push(table(["SYNC GROUP", "STATE", "MEMBERS"], groups, colour));
    const scripts = vrrp.scripts.map((one) => [one.name, one.state, String(one.lastStatus)]);
    if (scripts.length > 0) sections.push(table(["SCRIPT", "STATE", "LAST EXIT"], scripts, colour));
  }
  if (proxy !== undefined) {
    sections.push(frontendTable(proxy, colour));
    const servers = proxy.backends.flatMap((backend) => serverRows(backend, nowMs));
    if (servers.length > 0) {
      const header = [
        "BACKEND",
        "SERVER",
        "STATUS",
        "CHECK",
        "WEIGHT",
        "ADDRESS",
        "CUR",
        "SESSIONS",
        "2xx",
        "4xx",
        "5xx",
        "LAST CHANGE",
      ];
      sections.push(table(header, servers, colour));
    }
  }
  const processes = report.processes.map((one) => [
    one.name,
    one.pid === undefined ? "(down)" : String(one.pid),
    span((nowMs - Date.parse(one.startedAt)) / 1000),
    String(one.restarts),
    one.retiring ? "finishing its connections" : "",
  ]);
  sections.push(table(["PROCESS", "PID", "UP", "RESTARTS", ""], processes, colour));
  return sections.map((lines) => lines.join("\n")).join("\n\n");
}

function instanceRow(one: InstanceSnapshot): (string | Cell)[] {
  const advert = one.lastAdvert;
  return [
    one.name,
    stateCell(one.leaving ? `${one.state} (leaving)` : one.state),
    one.effectivePriority === one.basePriority
      ? String(one.basePriority)
      : `${one.effectivePriority} (of ${one.basePriority})`,
    String(one.virtualRouterId),
    one.interface,
    one.addresses.map((address) => `${address.address}/${address.prefixLength}`).join(" "),
    advert === undefined
      ? "none"
      : `${advert.from} priority ${advert.priority}, every ${inSeconds(one.masterAdvertInterval)} s`,
    one.faults.length > 0 ? one.faults.join("; ") : one.cause,
  ];
}

function frontendTable(proxy: ProxyStatistics, colour: boolean): string[] {
  const rows = proxy.frontends.map((one) => [
    one.name,
    stateCell(one.status),
    one.mode,
    String(one.scur),
    String(one.stot),
    String(one.reqTot),
    String(one.bin),
    String(one.bout),
  ]);
  return table(["FRONTEND", "STATUS", "MODE", "CUR", "SESSIONS", "REQUESTS", "BYTES IN", "BYTES OUT"], rows, colour);
}

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
