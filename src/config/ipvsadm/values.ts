/**
 * Numbers, addresses and masks as ipvsadm 1.31 reads them: with the liberties of strtol(3) and inet_aton(3), which scripts
 * rely on. Names of hosts and of ports are looked up by `Names`.
 */

import { type IpAddress, type Ipv4Address, parseIpv4, parseIpv6 } from "../../base/ip.ts";

/** Of -p and --set. Seconds: 31 days. */
export const LONGEST_TIMEOUT = 31 * 86_400;

/** What names stand for. Asked while parsing, so it answers at once; what it has to find out first is `undefined`. */
export interface Names {
  /** IPv4 only, as gethostbyname(3). `unknown`: there is no such host; undefined: not asked yet. */
  host(name: string): Ipv4Address | "unknown" | undefined;
  /** services(5); undefined: of whichever protocol. */
  port(name: string, protocol: string | undefined): number | undefined;
}

/** A name that must be looked up before the command line can be understood. */
export class NameWanted {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Decimal, within the limits, both included. */
export function numberIn(text: string, least: number, most: number): number | undefined {
  if (!/^[ \t]*[+-]?[0-9]+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

/** One to four parts, decimal, octal or hexadecimal; the last part fills what is left. */
export function parseLooseIpv4(text: string): Ipv4Address | undefined {
  const parts = text.split(".");
  if (parts.length > 4) return undefined;
  const numbers = parts.map((part) =>
    /^0[xX][0-9A-Fa-f]+$/.test(part)
      ? Number(part)
      : /^0[0-7]*$/.test(part)
        ? Number.parseInt(part, 8)
        : /^[1-9][0-9]*$/.test(part)
          ? Number(part)
          : -1,
  );
  const last = numbers.pop() ?? -1;
  const room = 4 - numbers.length;
  if (last < 0 || last >= 256 ** room || numbers.some((one) => one < 0 || one > 255)) return undefined;
  const tail = Array.from({ length: room }, (_, index) => Math.floor(last / 256 ** (room - 1 - index)) % 256);
  return parseIpv4([...numbers, ...tail].join("."));
}

/** Bits of a mask without gaps. IPVS takes any pattern of bits; one with gaps is refused here. */
export function netmaskBits4(text: string): number | undefined {
  const mask = parseLooseIpv4(text);
  if (mask === undefined) return undefined;
  const bits = mask
    .split(".")
    .map((part) => Number(part).toString(2).padStart(8, "0"))
    .join("");
  return /^1*0*$/.test(bits) ? bits.replaceAll("0", "").length : undefined;
}

/** As atoi(3): digits at the start. */
export function netmaskBits6(text: string): number | undefined {
  const bits = Number(/^[ \t]*([+-]?[0-9]+)/.exec(text)?.[1] ?? "0");
  return bits >= 1 && bits <= 128 ? bits : undefined;
}

export interface Endpoint {
  readonly address: IpAddress;
  /** undefined: none was given. */
  readonly port: number | undefined;
}

/**
 * `HOST[:PORT]`, `IPV6`, `[IPV6]:PORT`. As in ipvsadm, brackets want a port, and an IPv4 address in brackets loses it.
 */
export function parseEndpoint(
  text: string,
  protocol: string | undefined,
  names: Names,
): Endpoint | NameWanted | undefined {
  if (text.startsWith("[")) {
    const close = text.indexOf("]");
    if (close < 0 || text[close + 1] !== ":") return undefined;
    const inside = text.slice(1, close);
    const address = parseIpv6(inside);
    if (address === undefined) {
      const other = parseLooseIpv4(inside);
      return other === undefined ? undefined : { address: other, port: undefined };
    }
    const port = portOf(text.slice(close + 2), protocol, names);
    return port === undefined ? undefined : { address, port };
  }
  const bare = parseIpv6(text);
  if (bare !== undefined) return { address: bare, port: undefined };
  const colon = text.indexOf(":");
  const host = colon < 0 ? text : text.slice(0, colon);
  const address = hostOf(host, names);
  if (address === undefined || address instanceof NameWanted) return address;
  if (colon < 0) return { address, port: undefined };
  const port = portOf(text.slice(colon + 1), protocol, names);
  return port === undefined ? undefined : { address, port };
}

function hostOf(host: string, names: Names): Ipv4Address | NameWanted | undefined {
  const address = parseLooseIpv4(host);
  if (address !== undefined) return address;
  // What looks like an address, but is none, is no name either: it is not sent to a name server.
  if (/^[0-9.]*$/.test(host) || /[^A-Za-z0-9._-]/.test(host)) return undefined;
  const found = names.host(host);
  if (found === undefined) return new NameWanted(host);
  return found === "unknown" ? undefined : found;
}

const portOf = (text: string, protocol: string | undefined, names: Names): number | undefined =>
  numberIn(text, 0, 65_535) ?? names.port(text, protocol);
