/**
 * Addresses of `bind`, `server`, `source` and `log`: `[FAMILY@]HOST[:PORT[-PORT]]` (HAProxy 2.6 configuration.txt §11).
 *
 * Families other than IP are told apart here and judged by the callers. Names are not looked up, `localhost` excepted,
 * which is loopback by definition (RFC 6761 §6.3).
 */

import { type IpAddress, isIpv4, parseIp } from "../../base/ip.ts";
import { fail, ok, type Result } from "../../base/result.ts";

export type SocketAddress =
  | {
      readonly kind: "ip";
      /** Undefined: none is written, or `*`. */
      readonly address: IpAddress | undefined;
      readonly family: 4 | 6 | undefined;
      readonly ports: PortRange | undefined;
    }
  | { readonly kind: "name"; readonly host: string; readonly ports: PortRange | undefined }
  | { readonly kind: "unix"; readonly path: string }
  /** `fd@3` */
  | { readonly kind: "descriptor"; readonly number: number }
  /** `abns@`, `sockpair@`, `quic4@`, `ring@`, `stdout` … */
  | { readonly kind: "other"; readonly family: string; readonly rest: string };

export interface PortRange {
  readonly first: number;
  readonly last: number;
  /** `+80`, `-80`: counted from the port the client asked for. */
  readonly relative: boolean;
}

const IP_FAMILIES: Readonly<Record<string, 4 | 6 | 0>> = {
  ipv4: 4,
  ipv6: 6,
  tcp: 0,
  tcp4: 4,
  tcp6: 6,
  stream: 0,
  udp: 0,
  udp4: 4,
  udp6: 6,
};

export function parseSocketAddress(text: string): Result<SocketAddress, string> {
  const at = text.indexOf("@");
  const family = at < 0 ? undefined : text.slice(0, at);
  const rest = text.slice(at + 1);
  if (family === undefined && rest.startsWith("/")) return ok({ kind: "unix", path: rest });
  if (family === "unix" || family === "uxst" || family === "uxdg")
    return rest === "" ? fail("wants a path after '@'") : ok({ kind: "unix", path: rest });
  if (family === "fd")
    return /^[0-9]{1,9}$/.test(rest)
      ? ok({ kind: "descriptor", number: Number(rest) })
      : fail("wants a number after 'fd@'");
  if (family === undefined) return parseHostPort(rest, undefined);
  if (!Object.hasOwn(IP_FAMILIES, family)) return ok({ kind: "other", family, rest });
  const version = IP_FAMILIES[family];
  return parseHostPort(rest, version === 4 || version === 6 ? version : undefined);
}

/** The port is what follows the last colon, so that `::1:80` is port 80 of `::1`, as in HAProxy. */
function parseHostPort(text: string, family: 4 | 6 | undefined): Result<SocketAddress, string> {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  const colon = text.lastIndexOf(":");
  const host = bracketed === null ? (colon < 0 ? text : text.slice(0, colon)) : (bracketed[1] ?? "");
  const port = bracketed === null ? (colon < 0 ? undefined : text.slice(colon + 1)) : bracketed[2];
  const ports = port === undefined || port === "" ? ok(undefined) : parsePorts(port);
  if (!ports.ok) return ports;
  if (host === "" || host === "*") return ok({ kind: "ip", address: undefined, family, ports: ports.value });
  const address = host === "localhost" ? parseIp(family === 6 ? "::1" : "127.0.0.1") : parseIp(host);
  if (address === undefined) {
    if (/^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(host) && !/^[0-9.]+$/.test(host))
      return ok({ kind: "name", host, ports: ports.value });
    return fail(`'${host}' is neither an address nor a host name`);
  }
  if (family !== undefined && isIpv4(address) !== (family === 4))
    return fail(`'${host}' is not an IPv${family} address`);
  return ok({ kind: "ip", address, family: isIpv4(address) ? 4 : 6, ports: ports.value });
}

function parsePorts(text: string): Result<PortRange, string> {
  const match = /^([+-]?)([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text);
  if (match === null) return fail(`'${text}' is not a port`);
  const first = Number(match[2]);
  const last = match[3] === undefined ? first : Number(match[3]);
  if (last > 65_535 || first > 65_535) return fail(`port ${Math.max(first, last)} is above 65535`);
  if (last < first) return fail(`port range '${text}' is the wrong way round`);
  return ok({ first, last, relative: match[1] !== "" });
}
