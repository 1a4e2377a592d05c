/** A model of virtual servers as the lines of keepalived 2.2.7's `--dump-conf` that say the same. */

import { type IpAddress, isIpv4 } from "../../src/base/ip.ts";
import type { Checker, DirectorConfiguration, VirtualServer } from "../../src/config/model/virtual-server.ts";
import type { ServerKey, ServerSettings, ServiceKey } from "../../src/director/plane.ts";

/** Lines of a plain virtual server: left out of every dump, so that each shows what is special. */
const USUAL: ReadonlySet<string> = new Set([
  "Address family = inet",
  "flag-1 = disabled",
  "flag-2 = disabled",
  "flag-3 = disabled",
  "One packet scheduling = disabled",
  "alpha is OFF",
  "omega is OFF",
  "quorum = 1, hysteresis = 0",
  "connection limit range = 0 -> 0",
  "Inhibit on failure is OFF",
  "Alpha = no",
  "Delay loop = 60000000 us",
  "Warmup = 60000000 us",
  "Log all failures = no",
  "Timeout = 5.000000",
]);

/** In the order of the dump: virtual servers with their real servers, then all checkers. Usual values are left out. */
export function dumpOf(director: DirectorConfiguration | undefined): string[] {
  const servers = director?.virtualServers ?? [];
  return [...servers.flatMap(virtualServerLines), ...servers.flatMap(checkerLinesOf)].filter(
    (line) => !USUAL.has(line),
  );
}

const onOff = (value: boolean): string => (value ? "ON" : "OFF");
const yesNo = (value: boolean): string => (value ? "yes" : "no");
const place = ({ address, port }: { readonly address: IpAddress; readonly port: number }) => `[${address}]:${port}`;

function serverName({ services: [service] }: VirtualServer, { address, port }: ServerKey): string {
  return `[${address}]:${service?.kind === "address" ? service.protocol : "none"}:${port}`;
}

function virtualServerLines(server: VirtualServer): string[] {
  const [service] = server.services;
  const { realServers, sorryServer, persistence, netmaskBits, name } = server;
  return [
    ...(service === undefined ? [] : headLines(service, name)),
    `lvs_sched = ${server.scheduler}`,
    ...flagLines(server),
    `One packet scheduling = ${server.onePacket ? "enabled" : "disabled"}`,
    ...(persistence === undefined ? [] : [`persistence timeout = ${persistence}`]),
    ...(netmaskBits < 32 ? [`persistence granularity = ${maskOf(netmaskBits)}`] : []),
    `protocol = ${service?.kind === "address" ? service.protocol.toUpperCase() : "none"}`,
    `alpha is ${onOff(server.alpha)}`,
    `omega is ${onOff(server.omega)}`,
    `quorum = ${server.quorum}, hysteresis = ${server.hysteresis}`,
    ...(sorryServer === undefined
      ? []
      : [
          `sorry server = ${serverName(server, sorryServer.key)}`,
          `forwarding method = ${methodOf(sorryServer.settings)}`,
        ]),
    ...realServers.flatMap(({ key, settings, inhibitOnFailure }) => [
      `RIP = ${key.address}, RPORT = ${key.port}, WEIGHT = ${settings.weight}`,
      `forwarding method = ${methodOf(settings)}`,
      `connection limit range = ${settings.lowerThreshold} -> ${settings.upperThreshold}`,
      `Inhibit on failure is ${onOff(inhibitOnFailure)}`,
    ]),
  ];
}

function headLines(service: ServiceKey, name: string): string[] {
  if (name.endsWith("]:0")) return [`VS GROUP = ${name}`];
  if (service.kind === "mark")
    return [`VS FWMARK = ${service.mark}`, `Address family = inet${service.family === 6 ? "6" : ""}`];
  return [
    `VS VIP = ${service.address}, VPORT = ${service.port}`,
    `Address family = ${isIpv4(service.address) ? "inet" : "inet6"}`,
  ];
}

function flagLines({ scheduler, flags }: VirtualServer): string[] {
  const state = (name: string, on: boolean) => `${name} = ${on ? "enabled" : "disabled"}`;
  if (scheduler === "sh" || scheduler === "mh")
    return [state(`${scheduler}-port`, flags.port), state(`${scheduler}-fallback`, flags.fallback)];
  return [state("flag-1", flags.fallback), state("flag-2", flags.port), state("flag-3", flags.flag3)];
}

const maskOf = (bits: number): string =>
  [0, 8, 16, 24].map((at) => (0xff00 >> Math.min(8, Math.max(0, bits - at))) & 0xff).join(".");

function methodOf({ method, tunnel }: ServerSettings): string {
  if (method !== "tun") return method.toUpperCase();
  const port = tunnel.type === "gue" ? `, port = ${tunnel.port}` : "";
  if (tunnel.type === "ipip") return "TUN, type = IPIP";
  const checksum = { none: ", no checksum", checksum: ", checksum", remote: ", remote checksum" }[tunnel.checksum];
  return `TUN, type = ${tunnel.type.toUpperCase()}${port}${checksum}`;
}

function checkerLinesOf(virtual: VirtualServer): string[] {
  return virtual.realServers.flatMap(({ key, checkers }) =>
    checkers.flatMap((checker) => [`${virtual.name} -> ${serverName(virtual, key)}`, ...checkerLines(checker)]),
  );
}

function checkerLines(checker: Checker): string[] {
  if (checker.type === "FILE_CHECK")
    return [`Log all failures = ${yesNo(checker.logAllFailures)}`, `Tracked file = ${checker.trackFile}`];
  return [
    `Alpha = ${yesNo(checker.alpha)}`,
    `Delay loop = ${checker.delayLoop} us`,
    `Warmup = ${checker.warmup} us`,
    `Retries = ${checker.retry}`,
    ...(checker.retry > 0 ? [`Delay before retry = ${checker.delayBeforeRetry} us`] : []),
    `Log all failures = ${yesNo(checker.logAllFailures)}`,
    ...connectionLines(checker),
    ...ownLines(checker),
  ];
}

function connectionLines(checker: Checker): string[] {
  if (!("connection" in checker)) return [];
  const { connection } = checker;
  return [`Dest = ${place(connection)}`, `Timeout = ${(connection.timeout / 1_000_000).toFixed(6)}`];
}

function ownLines(checker: Exclude<Checker, { readonly type: "FILE_CHECK" }>): string[] {
  switch (checker.type) {
    case "TCP_CHECK":
    case "PING_CHECK":
    case "SMTP_CHECK":
      return [];
    case "HTTP_GET":
    case "SSL_GET":
      return checker.urls.flatMap(({ path, digest, statusCodes, regex }) => [
        `Checked url = ${path}`,
        ...(digest === undefined ? [] : [`digest = ${digest}`]),
        ...statusCodes.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)),
        ...(regex === undefined ? [] : [`Regex = "${regex.pattern}"`]),
      ]);
    case "DNS_CHECK":
      return [`Type = ${checker.recordType}`, `Name = ${checker.name}`];
    case "MISC_CHECK":
      return [`dynamic = ${checker.dynamic ? "YES" : "NO"}`];
    case "UDP_CHECK":
      return [
        ...(checker.payload === "" ? ["Payload specified = no"] : []),
        `Require reply = ${yesNo(checker.requireReply)}`,
        ...(checker.requireReply
          ? [`Min reply length = ${checker.minReplyLength}`, `Max reply length = ${checker.maxReplyLength}`]
          : []),
      ];
    default:
      return checker satisfies never;
  }
}
