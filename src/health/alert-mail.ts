/**
 * What `smtp_alert` says in a mail: keepalived 2.2.7's subjects and bodies (measured), without the `[router_id]` in front,
 * which is the sender's. Judges nothing.
 */

import type { Checker, RealServer, VirtualServer } from "../config/model/virtual-server.ts";
import type { ProbeResult } from "./checker.ts";
import { serverName } from "./checker-lines.ts";

export interface AlertMail {
  readonly subject: string;
  readonly text: string;
}

export const realServerMail = (
  virtual: VirtualServer,
  server: RealServer,
  alive: boolean,
  text: string,
): AlertMail => ({
  subject: `Realserver ${serverName(virtual, server.key)} of virtual server ${virtual.name} - ${alive ? "UP" : "DOWN"}`,
  text: `=> ${text} <=`,
});

/** `weight`: of all live servers together. keepalived words a loss with the sum of a gain. */
export function quorumMail(
  { name, quorum, hysteresis }: VirtualServer,
  up: boolean,
  weight: number,
  starting: boolean,
): AlertMail {
  const what = starting ? `Starting with quorum ${up ? "up" : "down"}` : `${up ? "Gained" : "Lost"} quorum`;
  return {
    subject: `Virtualserver ${name} - ${up ? "UP" : "DOWN"}`,
    text: `=> ${what} ${quorum}+${hysteresis}=${quorum + hysteresis} <= ${weight} <=`,
  };
}

/** Undefined: nobody is told of it. */
export function verdictText({ type }: Checker, result: ProbeResult): string | undefined {
  const outcome = result.ok ? "succeed" : "failed";
  switch (type) {
    case "TCP_CHECK":
      return `TCP CHECK ${outcome} on service`;
    case "HTTP_GET":
    case "SSL_GET":
      return result.ok ? "CHECK succeed on service" : "CHECK failed on service : HTTP request failed";
    case "SMTP_CHECK": {
      const cause = result.ok ? undefined : (result.line?.replace(/^SMTP_CHECK /, "") ?? result.detail);
      return cause === undefined ? "CHECK succeed on service" : `CHECK failed on service : ${cause}`;
    }
    case "DNS_CHECK":
      return `DNS_CHECK: ${outcome} on service`;
    case "UDP_CHECK":
      return `UDP CHECK ${outcome} on service`;
    case "PING_CHECK":
      return `ICMP CHECK ${outcome} on service`;
    case "MISC_CHECK":
      return `MISC CHECK ${result.ok ? "succeeded" : "failed"} on service`;
    case "FILE_CHECK":
      return undefined;
    default:
      return type satisfies never;
  }
}
