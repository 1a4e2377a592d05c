/**
 * `/tmp/keepalived_check.data`, as keepalived 2.2.7 writes it on SIGUSR1: virtual servers, their real servers, and the checkers.
 *
 * What the model has resolved (groups into addresses, time-outs and virtual hosts into checkers) is not shown where it was
 * written; docs/guides/keepalived.md lists the lines that are missing.
 */

import { inSeconds } from "../../base/time.ts";
import type { Checker, DirectorConfiguration, RealServer, VirtualServer } from "../../config/model/virtual-server.ts";
import type { ScriptCommand } from "../../config/model/vrrp.ts";
import { checkerName, serverName } from "../../health/checker-lines.ts";
import type { CheckReport, DirectorReport, RealServerReport } from "../director/virtual-server-report.ts";

export interface CheckerDump {
  readonly configuration: DirectorConfiguration;
  readonly report: DirectorReport | undefined;
  /** `------< Global definitions >------` and what stands below. */
  readonly head: readonly string[];
  /** `'/usr/bin/true' 'up'`, and `0:0`. */
  command(command: ScriptCommand): { readonly text: string; readonly owner: string };
}

const METHODS = { nat: "NAT", dr: "DR", tun: "TUN" } as const;
const yes = (value: boolean): string => (value ? "yes" : "no");
const on = (value: boolean): string => (value ? "ON" : "OFF");
const enabled = (value: boolean): string => (value ? "enabled" : "disabled");

export function renderCheckerData(dump: CheckerDump): string {
  const { configuration, report, head } = dump;
  const states = new Map(report?.virtualServers.map((one) => [one.name, one]));
  const stateOf = (virtual: VirtualServer, server: RealServer) =>
    states.get(virtual.name)?.servers.find(({ name }) => name === serverName(virtual, server.key));
  const lines = [
    ...head,
    "------< LVS Topology >------",
    ...configuration.virtualServers.flatMap((virtual) => [
      " ------< Virtual server >------",
      ...virtualLines(dump, virtual, states.get(virtual.name)?.quorumUp ?? !virtual.alpha),
      ...virtual.realServers.flatMap((server) => [
        "   ------< Real server >------",
        ...realLines(dump, virtual, server, stateOf(virtual, server)),
      ]),
    ]),
    "------< Health checkers >------",
    ...configuration.virtualServers.flatMap((virtual) =>
      virtual.realServers.flatMap((server) => {
        const checks = stateOf(virtual, server)?.checks ?? [];
        return server.checkers.flatMap((checker) => [
          ` ${virtual.name} -> ${serverName(virtual, server.key)}`,
          ...checkerLines(
            dump,
            checker,
            states.get(virtual.name)?.suspended !== true,
            checks.find(({ name }) => name === checkerName(checker)),
          ),
        ]);
      }),
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function virtualLines(dump: CheckerDump, virtual: VirtualServer, quorumUp: boolean): string[] {
  const [service] = virtual.services;
  const { flags, sorryServer } = virtual;
  const several = virtual.services.length > 1;
  const named =
    service === undefined || several
      ? ` VS GROUP = ${virtual.name}`
      : service.kind === "mark"
        ? ` VS FWMARK = ${service.mark}`
        : ` VS VIP = ${service.address}, VPORT = ${service.port}`;
  const ipv6 = service?.kind === "mark" ? service.family === 6 : service?.address.includes(":") === true;
  const hashing = virtual.scheduler === "sh" || virtual.scheduler === "mh" ? virtual.scheduler : undefined;
  const script = (label: string, command: ScriptCommand | undefined) =>
    command === undefined ? [] : [`   Quorum ${label} notify script = ${owned(dump, command)}`];
  return [
    named,
    `   Address family = ${ipv6 ? "inet6" : "inet"}`,
    `   lvs_sched = ${virtual.scheduler}`,
    "   Hashed = disabled",
    ...(hashing === undefined
      ? [
          `   flag-1 = ${enabled(flags.fallback)}`,
          `   flag-2 = ${enabled(flags.port)}`,
          `   flag-3 = ${enabled(flags.flag3)}`,
        ]
      : [`   ${hashing}-port = ${enabled(flags.port)}`, `   ${hashing}-fallback = ${enabled(flags.fallback)}`]),
    `   One packet scheduling = ${enabled(virtual.onePacket)}`,
    ...(virtual.persistence === undefined ? [] : [`   persistence timeout = ${virtual.persistence}`]),
    `   protocol = ${service?.kind === "address" ? service.protocol.toUpperCase() : "none"}`,
    `   alpha is ${on(virtual.alpha)}`,
    `   omega is ${on(virtual.omega)}`,
    `   quorum = ${virtual.quorum}, hysteresis = ${virtual.hysteresis}`,
    ...script("up", virtual.quorumUp),
    ...script("down", virtual.quorumDown),
    ...(virtual.haSuspend ? ["   Using HA suspend"] : []),
    `   Using smtp notification = ${yes(virtual.smtpAlert)}`,
    ...(sorryServer === undefined
      ? []
      : [
          `   sorry server = ${serverName(virtual, sorryServer.key)}`,
          `     forwarding method = ${METHODS[sorryServer.settings.method]}`,
          `     Inhibit on failure is ${on(sorryServer.inhibit)}`,
        ]),
    `   quorum_state_up = ${Number(quorumUp)}`,
  ];
}

function realLines(
  dump: CheckerDump,
  virtual: VirtualServer,
  server: RealServer,
  state: RealServerReport | undefined,
): string[] {
  const { key, settings, checkers } = server;
  const effective = state?.configuredWeight ?? settings.weight;
  const script = (label: string, command: ScriptCommand | undefined) =>
    command === undefined ? [] : [`     RS ${label} notify script = ${owned(dump, command)}`];
  return [
    `   RIP = ${key.address}, RPORT = ${key.port}, WEIGHT = ${settings.weight} EFF WEIGHT = ${effective}`,
    `   forwarding method = ${METHODS[settings.method]}${settings.method === "tun" ? tunnelText(settings.tunnel.type) : ""}`,
    `   Alpha is ${on(checkers.length > 0 ? checkers.some(({ alpha }) => alpha) : virtual.alpha)}`,
    `   connection limit range = ${settings.lowerThreshold} -> ${settings.upperThreshold}`,
    `   Inhibit on failure is ${on(server.inhibitOnFailure)}`,
    ...script("up", server.notifyUp),
    ...script("down", server.notifyDown),
    `   Using smtp notification = ${yes(server.smtpAlert)}`,
    `   initial weight = ${settings.weight}`,
    `   effective weight = ${effective}`,
    `   alive = ${Number(state === undefined ? !virtual.alpha : state.state !== "DOWN")}`,
    `   num failed checkers = ${state?.checks.filter((check) => isDown(checkers, check)).length ?? 0}`,
    `   RS set = ${Number(state?.weight !== undefined)}`,
  ];
}

const tunnelText = (type: string): string => `, type = ${type.toUpperCase()}`;

/** What has not been asked counts as failed in alpha mode. */
const isDown = (checkers: readonly Checker[], { name, state }: CheckReport): boolean =>
  state === "failed" || (state === "waiting" && checkers.some((one) => one.alpha && checkerName(one) === name));

function checkerLines(
  dump: CheckerDump,
  checker: Checker,
  isEnabled: boolean,
  report: CheckReport | undefined,
): string[] {
  const hasRun = report !== undefined && report.state !== "waiting";
  return [
    `   Enabled = ${yes(isEnabled)}`,
    `   Up = ${yes(hasRun ? report.state === "passed" : !checker.alpha)}`,
    `   Has run = ${yes(hasRun)}`,
    `   Alpha = ${yes(checker.alpha)}`,
    `   Delay loop = ${checker.delayLoop} us`,
    `   Warmup = ${checker.warmup} us`,
    `   Retries = ${checker.retry}`,
    ...(checker.retry > 0 ? [`   Delay before retry = ${checker.delayBeforeRetry} us`] : []),
    `   Log all failures = ${yes(checker.logAllFailures)}`,
    ...("connection" in checker
      ? [
          "   Connection",
          `     Dest = [${checker.connection.address}]:${checker.connection.port}`,
          `     Timeout = ${inSeconds(checker.connection.timeout).toFixed(6)}`,
        ]
      : []),
    ...methodLines(dump, checker),
  ];
}

function methodLines(dump: CheckerDump, checker: Checker): string[] {
  const method = `   Keepalive method = ${checker.type}`;
  switch (checker.type) {
    case "TCP_CHECK":
    case "PING_CHECK":
      return [method];
    case "HTTP_GET":
    case "SSL_GET":
      return [
        `${method}, http protocol ${checker.httpVersion}`,
        `   Enable SNI ${checker.tls?.sni === undefined ? "unset" : "set"}`,
        `   Fast recovery ${checker.fastRecovery ? "set" : "unset"}`,
        ...checker.urls.flatMap((url) => [
          `   Checked url = ${url.path}`,
          ...(url.digest === undefined ? [] : [`     digest = ${url.digest}`]),
          "     HTTP Status Code(s)",
          ...url.statusCodes.map(({ first, last }) => `       ${first === last ? first : `${first}-${last}`}`),
        ]),
      ];
    case "SMTP_CHECK":
      return [method, `   helo = ${checker.heloName}`];
    case "DNS_CHECK":
      return [method, `   Type = ${checker.recordType}`, `   Name = ${checker.name}`];
    case "UDP_CHECK":
      return [
        method,
        `   Payload specified = ${yes(checker.payload !== "")}`,
        `   Require reply = ${yes(checker.requireReply)}`,
      ];
    case "MISC_CHECK": {
      const { text, owner } = dump.command(checker.command);
      return [
        method,
        `   script = ${text}`,
        `   timeout = ${inSeconds(checker.timeout)}`,
        `   dynamic = ${checker.dynamic ? "YES" : "NO"}`,
        `   uid:gid = ${owner}`,
      ];
    }
    case "FILE_CHECK":
      return [method, `   Tracked file = ${checker.trackFile}`];
    default:
      return checker satisfies never;
  }
}

function owned(dump: CheckerDump, command: ScriptCommand): string {
  const { text, owner } = dump.command(command);
  return `${text}, uid:gid ${owner}`;
}
