/** What keepalived 2.2.7 writes about a checker, to the byte (measured), and how it names servers. Judges nothing. */

import { type IpAddress, isIpv4 } from "../base/ip.ts";
import type { Checker, RealServer, VirtualServer } from "../config/model/virtual-server.ts";
import type { ServerKey, ServiceKey } from "../director/plane.ts";
import type { ProbeResult } from "./checker.ts";

/** `[10.0.0.1]:tcp:80`; without a protocol `[10.0.0.1]:80`. */
export function endpointName(address: IpAddress, port: number, protocol: string | undefined): string {
  return protocol === undefined ? `[${address}]:${port}` : `[${address}]:${protocol}:${port}`;
}

/** As log lines, events and `evenkeel status` call a real server: `[10.0.1.1]:tcp:80`; by firewall mark `[10.0.1.1]:none:0`. */
export function serverName({ services: [service] }: VirtualServer, { address, port }: ServerKey): string {
  if (service?.kind !== "address") return endpointName(address, port, "none");
  return endpointName(address, port === 0 ? service.port : port, service.protocol);
}

const protocolOf = (service: ServiceKey | undefined): string | undefined =>
  service?.kind === "address" ? service.protocol : undefined;

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

/** The line of a verdict. */
export function verdictLine(
  virtual: VirtualServer,
  server: RealServer,
  checker: Checker,
  result: ProbeResult,
  retried: number | undefined,
): string {
  const service = serverName(virtual, server.key);
  const after = retried === undefined ? "failed." : `failed after ${retried} retries.`;
  if (checker.type === "MISC_CHECK") {
    const what = `Misc check for [${service} VS ${virtual.name}] by [${checker.command.argv.join(" ")}]`;
    if (result.ok) return `${what} succeeded.`;
    const tries =
      checker.retry === 0 ? " with retry disabled" : retried === undefined ? "" : ` after ${retried} retries`;
    return `${what} failed${tries} (${result.detail}).`;
  }
  if (checker.type === "FILE_CHECK") {
    const what = `File check for [${service} VS ${virtual.name}] by [${checker.trackFile}]`;
    return result.ok ? `${what} succeeded.` : `${what} failed (${result.detail}).`;
  }
  const { address, port } = checker.connection;
  const protocol = checker.type === "UDP_CHECK" || checker.type === "DNS_CHECK" ? "udp" : "tcp";
  const asked = endpointName(address, port, protocolOf(virtual.services[0]) ?? protocol);
  switch (checker.type) {
    case "TCP_CHECK":
      return result.ok ? `TCP connection to ${asked} success.` : `TCP_CHECK on service ${asked} ${after}`;
    case "HTTP_GET":
    case "SSL_GET": {
      const kind = checker.type === "HTTP_GET" ? "HTTP_CHECK" : "SSL_CHECK";
      return result.ok ? `Remote Web server ${asked} succeed on service.` : `${kind} on service ${asked} ${after}`;
    }
    case "SMTP_CHECK":
      return result.ok
        ? `Remote SMTP server ${endpointName(address, port, undefined)} succeed on service.`
        : (result.line ?? `SMTP_CHECK on service ${asked} ${after}`);
    case "DNS_CHECK":
      return result.ok ? `DNS_CHECK (${asked}) success` : (result.line ?? `DNS_CHECK (${asked}) ${after}`);
    case "UDP_CHECK":
      return result.ok ? `UDP connection to ${asked} success.` : `UDP_CHECK on service ${asked} ${after}`;
    case "PING_CHECK":
      return result.ok ? `ICMP connection to ${asked} success.` : `ICMP CHECK on service ${asked} ${after}`;
    default:
      return checker satisfies never;
  }
}
