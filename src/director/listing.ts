/**
 * The tables that `ipvsadm -L` prints, to the byte of ipvsadm 1.31 (trailing blanks included): services and their real
 * servers. Connections and time-outs are in `listing-connections.ts`; what `-S` prints in `save.ts`.
 */

import { type IpAddress, isIpv6 } from "../base/ip.ts";
import { sortedServers, sortedServices } from "./listing-order.ts";
import type { Counters, ForwardMethod, ServerEntry, ServerKey, ServiceEntry, ServiceKey, Tunnel } from "./plane.ts";

export type ListingView = "plain" | "stats" | "rate" | "thresholds" | "persistent-conn" | "tun-info";

/** How addresses and ports are written. */
export interface Naming {
  address(address: IpAddress): string;
  port(port: number, protocol: string): string;
}

/** As inet_ntop(3) of glibc, which writes IPv4 within IPv6 with dots. */
export function addressText(address: IpAddress): string {
  const [, prefix, high, low] = /^(::(?:ffff:)?)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address) ?? [];
  if (prefix === undefined || high === undefined || low === undefined) return address;
  const bytes = [high, low].flatMap((word) => [Number.parseInt(word, 16) >> 8, Number.parseInt(word, 16) & 255]);
  return prefix + bytes.join(".");
}

export const NUMBERS: Naming = { address: addressText, port: String };

export interface ListingStyle {
  readonly view: ListingView;
  /** All digits of large numbers. */
  readonly exact: boolean;
  readonly sort: boolean;
  /** Marks the services that the daemon configured. */
  readonly owner: boolean;
  readonly naming: Naming;
}

/** With a space, as the next column would follow. */
const OWNER_MARK = "  # evenkeel run";

/** First line of every listing but that of one service. `size`: of the connection table. */
export const versionLine = (size: number): string => `IP Virtual Server version 1.2.1 (size=${size})\n`;

export function endpoint(key: ServerKey, protocol: string, naming: Naming): string {
  const name = naming.address(key.address);
  return `${isIpv6(key.address) ? `[${name}]` : name}:${naming.port(key.port, protocol)}`;
}

const REMOTE = "  -> RemoteAddress:Port";
const left = (width: number, text: string | number): string => String(text).padEnd(width);
const right = (width: number, text: string | number | bigint): string => String(text).padStart(width);

export function servicesHeading(view: ListingView): string {
  const numbers = (...titles: string[]) =>
    `${left(33, "Prot LocalAddress:Port")}${titles.map((title) => ` ${right(8, title)}`).join("")}\n${REMOTE}\n`;
  const local = "Prot LocalAddress:Port Scheduler Flags";
  switch (view) {
    case "stats":
      return numbers("Conns", "InPkts", "OutPkts", "InBytes", "OutBytes");
    case "rate":
      return numbers("CPS", "InPPS", "OutPPS", "InBPS", "OutBPS");
    case "thresholds":
      return `${left(33, "Prot LocalAddress:Port")} Uthreshold Lthreshold ActiveConn InActConn \n${REMOTE}\n`;
    case "persistent-conn":
      return `${left(33, "Prot LocalAddress:Port")} Weight    PersistConn ActiveConn InActConn \n${REMOTE}\n`;
    case "tun-info":
      return `${local}\n${REMOTE}           Forward TunnelInfo    Weight ActiveConn InActConn\n`;
    case "plain":
      return `${local}\n${REMOTE}           Forward Weight ActiveConn InActConn\n`;
    default:
      return view satisfies never;
  }
}

/** All of them with their servers; a piece of text a service. */
export function* serviceLines(services: readonly ServiceEntry[], style: ListingStyle): Generator<string> {
  for (const service of style.sort ? sortedServices(services) : services) {
    const servers = style.sort ? sortedServers(service.servers) : service.servers;
    yield [serviceLine(service, style), ...servers.map((one) => serverLine(one, service.key, style))].join("");
  }
}

function serviceLine(service: ServiceEntry, style: ListingStyle): string {
  const name = serviceName(service.key, style.naming);
  const numbers = numbersOf(service, style);
  const columns = numbers === undefined ? `${name} ${serviceFlags(service)}` : left(33, name) + numbers;
  return `${columns}${style.owner && service.settings.owner === "daemon" ? OWNER_MARK : ""}\n`;
}

/** `TCP  10.0.0.1:80`, `FWM  3 IPv6`; a mark as the signed number that ipvsadm prints. */
function serviceName(key: ServiceKey, naming: Naming): string {
  if (key.kind === "mark") return `FWM  ${key.mark | 0}${key.family === 6 ? " IPv6" : ""}`;
  return `${left(4, key.protocol.toUpperCase())} ${endpoint(key, key.protocol, naming)}`;
}

function serviceFlags({ key, settings }: ServiceEntry): string {
  const words: string[] = [settings.scheduler];
  const flags = schedulerFlagWords(settings);
  if (flags !== undefined) words.push(`(${flags})`);
  if (settings.persistence !== undefined) {
    words.push("persistent", String(settings.persistence));
    const mask = netmaskText(key, settings.netmaskBits);
    if (mask !== undefined) words.push("mask", mask);
  }
  if (settings.onePacket) words.push("ops");
  return words.join(" ");
}

/** A mark stands for all protocols, so its ports have no names. */
export const protocolOf = (service: ServiceKey): string => (service.kind === "mark" ? "" : service.protocol);

/** undefined: no flag is set. With sh and mh the third flag has no name, and ipvsadm prints none. */
export function schedulerFlagWords({ scheduler, flags }: ServiceEntry["settings"]): string | undefined {
  if (!flags.fallback && !flags.port && !flags.flag3) return undefined;
  const hash = scheduler === "sh" || scheduler === "mh";
  const words = hash ? [`${scheduler}-fallback`, `${scheduler}-port`, undefined] : ["flag-1", "flag-2", "flag-3"];
  return [flags.fallback, flags.port, flags.flag3].flatMap((set, index) => (set ? (words[index] ?? []) : [])).join(",");
}

/** undefined: the whole address counts. */
export function netmaskText(key: ServiceKey, bits: number): string | undefined {
  const family = key.kind === "mark" ? key.family : isIpv6(key.address) ? 6 : 4;
  if (family === 6) return bits === 128 ? undefined : String(bits);
  if (bits === 32) return undefined;
  const mask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
  return [mask >>> 24, (mask >>> 16) & 255, (mask >>> 8) & 255, mask & 255].join(".");
}

const METHODS: Readonly<Record<ForwardMethod, string>> = { nat: "Masq", dr: "Route", tun: "Tunnel" };

function serverLine(server: ServerEntry, service: ServiceKey, style: ListingStyle): string {
  const { key, settings } = server;
  const full = endpoint(key, protocolOf(service), style.naming);
  // ipvsadm 1.31 cuts what is too long for its column, but for IPv6.
  const head = `  -> ${left(28, isIpv6(key.address) ? full : full.slice(0, 28))}`;
  const numbers = numbersOf(server, style);
  if (numbers !== undefined) return `${head}${numbers}\n`;
  const connections = `${left(10, server.active)} ${left(10, server.inactive)}`;
  const method = left(7, METHODS[settings.method]);
  const weight = left(6, settings.weight);
  switch (style.view) {
    case "thresholds":
      return `${head} ${left(10, settings.upperThreshold)} ${left(10, settings.lowerThreshold)} ${connections}\n`;
    case "persistent-conn":
      return `${head} ${left(9, settings.weight)} ${left(11, server.persistent)} ${connections}\n`;
    case "tun-info":
      return `${head} ${method} ${left(13, tunnelText(settings.method, settings.tunnel))} ${weight} ${connections}\n`;
    default:
      return `${head} ${method} ${weight} ${connections}\n`;
  }
}

function tunnelText(method: ForwardMethod, tunnel: Tunnel): string {
  if (method !== "tun") return "n/a";
  if (tunnel.type === "ipip") return "ipip";
  const checksum = { none: "-c", checksum: "+c", remote: "r+c" }[tunnel.checksum];
  return tunnel.type === "gue" ? `gue:${tunnel.port}:${checksum}` : `gre:${checksum}`;
}

/** The columns of `--stats` and `--rate`; undefined in other views. */
function numbersOf(entry: ServiceEntry | ServerEntry, { view, exact }: ListingStyle): string | undefined {
  if (view !== "stats" && view !== "rate") return undefined;
  const { connections, packetsIn, packetsOut, bytesIn, bytesOut }: Counters =
    view === "stats" ? entry.counters : entry.rates;
  const large = exact ? exactNumber : largeNumber;
  const first = [connections, packetsIn, packetsOut];
  const narrow = view === "rate" && "active" in entry;
  const head = narrow ? first.map((value) => ` ${right(8, value)}`) : first.map(large);
  return [...head, ...[bytesIn, bytesOut].map(large)].join("");
}

const SCALES: readonly (readonly [below: bigint, divisor: bigint, unit: string])[] = [
  [10n ** 8n, 1n, ""],
  [10n ** 9n, 10n ** 3n, "K"],
  [10n ** 11n, 10n ** 6n, "M"],
  [10n ** 14n, 10n ** 9n, "G"],
];

function largeNumber(value: bigint): string {
  const [, divisor, unit] = SCALES.find(([below]) => value < below) ?? [0n, 10n ** 12n, "T"];
  return right(unit === "" ? 9 : 8, value / divisor) + unit;
}

const exactNumber = (value: bigint): string => {
  const digits = String(value);
  return right(digits.length <= 8 ? 9 : digits.length + 1, digits);
};
