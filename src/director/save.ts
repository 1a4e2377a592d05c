/**
 * What `ipvsadm -S` prints: command lines that bring the tables back, readable by ipvsadm 1.31 too.
 *
 * Where only what ipvsadm saves is in use, the lines are its own to the byte. Beyond it: thresholds (`-x`, `-y`) and changed
 * time-outs (`--set`) are saved, in its words; what it has no words for (`--on-server-down`, `--drain`) in ours; and a mark
 * above 2147483647 as the number that can be read again. Counters, connections and owners are not saved.
 */

import { endpoint, type Naming, netmaskText, protocolOf, schedulerFlagWords } from "./listing.ts";
import { sortedServers, sortedServices } from "./listing-order.ts";
import type { ServerEntry, ServerSettings, ServiceEntry, ServiceKey, Timeouts } from "./plane.ts";

/** Of a data plane that has just been loaded (ip_vs_proto_tcp.c, ip_vs_proto_udp.c). */
const DEFAULT_TIMEOUTS: Timeouts = { tcp: 900, tcpFin: 120, udp: 300 };

export interface SaveStyle {
  readonly naming: Naming;
  /** Otherwise in the order of the table, servers oldest first, which is the order that brings the same back. */
  readonly sort: boolean;
}

/** A piece of text a service, that of the time-outs first. */
export function* saveLines(
  services: readonly ServiceEntry[],
  timeouts: Timeouts,
  { naming, sort }: SaveStyle,
): Generator<string> {
  const { tcp, tcpFin, udp } = timeouts;
  if (tcp !== DEFAULT_TIMEOUTS.tcp || tcpFin !== DEFAULT_TIMEOUTS.tcpFin || udp !== DEFAULT_TIMEOUTS.udp) {
    yield `--set ${tcp} ${tcpFin} ${udp}\n`;
  }
  for (const service of sort ? sortedServices(services) : services) {
    const name = serviceOptions(service.key, naming);
    const servers = sort ? sortedServers(service.servers) : service.servers.toReversed();
    yield [
      `-A ${name} ${serviceWords(service)}\n`,
      ...servers.map((server) => `-a ${name} -r ${serverWords(server, service.key, naming)}\n`),
    ].join("");
  }
}

function serviceOptions(key: ServiceKey, naming: Naming): string {
  if (key.kind === "mark") return `-f ${key.mark}${key.family === 6 ? " -6" : ""}`;
  return `-${key.protocol === "tcp" ? "t" : "u"} ${endpoint(key, key.protocol, naming)}`;
}

function serviceWords({ key, settings }: ServiceEntry): string {
  const words = ["-s", settings.scheduler];
  if (settings.persistence !== undefined) {
    words.push("-p", String(settings.persistence));
    const mask = netmaskText(key, settings.netmaskBits);
    if (mask !== undefined) words.push("-M", mask);
  }
  if (settings.onePacket) words.push("-o");
  // sh and mh have no name for the third flag in a listing; here it must be one that is read again.
  const named = schedulerFlagWords(settings);
  if (named !== undefined) {
    const flags = settings.flags.flag3 && !named.includes("flag-3") ? [named, "flag-3"] : [named];
    words.push("-b", flags.filter((one) => one !== "").join(","));
  }
  if (settings.onServerDown !== "reset") words.push("--on-server-down", settings.onServerDown);
  return words.join(" ");
}

const METHOD_OPTIONS = { nat: "-m", dr: "-g", tun: "-i" };
const CHECKSUM_OPTIONS = { none: "--tun-nocsum", checksum: "--tun-csum", remote: "--tun-remcsum" };

function serverWords({ key, settings }: ServerEntry, service: ServiceKey, naming: Naming): string {
  const words = [
    endpoint(key, protocolOf(service), naming),
    METHOD_OPTIONS[settings.method],
    "-w",
    String(settings.weight),
  ];
  if (settings.method === "tun") words.push(...tunnelWords(settings.tunnel));
  if (settings.upperThreshold > 0) words.push("-x", String(settings.upperThreshold));
  if (settings.lowerThreshold > 0) words.push("-y", String(settings.lowerThreshold));
  if (settings.draining) words.push("--drain");
  return words.join(" ");
}

function tunnelWords({ type, port, checksum }: ServerSettings["tunnel"]): string[] {
  if (type === "ipip") return ["--tun-type", "ipip"];
  const portWords = type === "gue" ? ["--tun-port", String(port)] : [];
  return ["--tun-type", type, ...portWords, CHECKSUM_OPTIONS[checksum]];
}
