/** What keepalived 2.2.7 writes about a checker, to the byte (measured), and how it names servers. Judges nothing. */

import { type IpAddress, isIpv4 } from "../base/ip.ts";
import type { Checker, RealServer, VirtualServer } from "../config/model/virtual-server.ts";
import type { ServerKey } from "../director/plane.ts";
import type { ProbeResult } from "./checker.ts";

const endpointName = (address: IpAddress, port: number, protocol: string): string => `[${address}]:${protocol}:${port}`;

/** As log lines, events and `evenkeel status` call a real server: `[10.0.1.1]:tcp:80`; by firewall mark `[10.0.1.1]:none:80`. */
export function serverName({ services: [service] }: VirtualServer, { address, port }: ServerKey): string {
  if (service?.kind !== "address") return endpointName(address, port, "none");
  return endpointName(address, port === 0 ? service.port : port, service.protocol);
}

/** `TCP_CHECK 10.0.0.2:80`: tells the checkers of one server apart in status and events. */
export function checkerName(checker: Checker): string {
  switch (checker.type) {
    case "MISC_CHECK":
      return `MISC_CHECK ${checker.command.argv.join(" ")}`;
    case "FILE_CHECK":
      return `FILE_CHECK ${checker.trackFile}`;
    case "PING_CHECK":
      return `PING_CHECK ${checker.connection.address}`;
    default: {
      const { address, port } = checker.connection;
      return `${checker.type} ${isIpv4(address) ? address : `[${address}]`}:${port}`;
    }
  }
}

/** The line of a single failure, for `log_all_failures`; undefined where the probe has no words for it. */
export function failureLine(
  virtual: VirtualServer,
  server: RealServer,
  { type }: Checker,
  { line, detail }: Extract<ProbeResult, { ok: false }>,
): string | undefined {
  return type === "DNS_CHECK" ? `DNS_CHECK (${serverName(virtual, server.key)}) ${line ?? detail}` : line;
}

/** The line of a verdict; undefined where keepalived has none. It names the server, wherever the checker connects. */
export function verdictLine(
  virtual: VirtualServer,
  server: RealServer,
  checker: Checker,
  result: ProbeResult,
  retried: number | undefined,
): string | undefined {
  const service = serverName(virtual, server.key);
  const tries = retried === undefined ? "" : ` after ${retried} retries`;
  switch (checker.type) {
    case "TCP_CHECK":
      return result.ok ? `TCP connection to ${service} success.` : `TCP_CHECK on service ${service} failed${tries}.`;
    case "HTTP_GET":
    case "SSL_GET":
      return result.ok
        ? `Remote Web server ${service} succeed on service.`
        : `HTTP_CHECK on service ${service} failed${tries}.`;
    case "SMTP_CHECK":
      return result.ok
        ? `Remote SMTP server ${service} succeed on service.`
        : (failureLine(virtual, server, checker, result) ?? `SMTP_CHECK on service ${service} failed${tries}.`);
    case "DNS_CHECK":
      return result.ok ? undefined : `${failureLine(virtual, server, checker, result)}${tries}`;
    case "UDP_CHECK":
      return result.ok ? `UDP connection to ${service} success.` : `UDP_CHECK on service ${service} failed${tries}.`;
    case "PING_CHECK":
      return result.ok ? `ICMP connection to ${service} success.` : `ICMP CHECK on service ${service} failed${tries}.`;
    case "MISC_CHECK": {
      const what = `Misc check for [${service} VS ${virtual.name}] by [${checker.command.argv.join(" ")}]`;
      if (result.ok) return `${what} succeeded.`;
      const times = checker.retry === 0 ? " with retry disabled" : retried === 1 ? " after 1 retry" : tries;
      return `${what} failed${times} (${result.detail}).`;
    }
    case "FILE_CHECK":
      return `(${service}): tracked file ${checker.trackFile} ${result.ok ? "leaving" : "now"} FAULT state`;
    default:
      return checker satisfies never;
  }
}
