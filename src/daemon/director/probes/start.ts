/** Starts the probe of a checker, whatever its kind. */

import type { Checker } from "../../../config/model/virtual-server.ts";
import type { ScriptRunner } from "../../scripts/script-runner.ts";
import type { Abort, Report } from "./attempt.ts";
import { probeDns } from "./dns.ts";
import { probeHttp } from "./http.ts";
import { probeMisc } from "./misc.ts";
import { probePing } from "./ping.ts";
import { probeSmtp } from "./smtp.ts";
import { probeTcp } from "./tcp.ts";
import { probeUdp } from "./udp.ts";

/** `report` is called once, later, unless the probe is given up. A FILE_CHECK is not asked: it is told. */
export function startProbe(checker: Checker, step: number, scripts: ScriptRunner, report: Report): Abort {
  switch (checker.type) {
    case "TCP_CHECK":
      return probeTcp(checker.connection, report);
    case "HTTP_GET":
    case "SSL_GET":
      return probeHttp(checker, step, report);
    case "SMTP_CHECK":
      return probeSmtp(checker, report);
    case "DNS_CHECK":
      return probeDns(checker, report);
    case "UDP_CHECK":
      return probeUdp(checker, report);
    case "PING_CHECK":
      return probePing(checker.connection, report);
    case "MISC_CHECK":
      return probeMisc(checker, scripts, report);
    case "FILE_CHECK":
      return () => undefined;
    default:
      return checker satisfies never;
  }
}
