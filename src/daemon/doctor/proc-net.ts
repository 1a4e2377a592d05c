/**
 * The kernel's tables below /proc/net: sockets that wait for clients, services of its own IPVS. Pure: text in, values out; lines
 * that cannot be read are passed over.
 */

import { type IpAddress, ipv4FromBytes, ipv6FromBytes, parseIpv6 } from "../../base/ip.ts";
import type { Endpoint } from "./facts.ts";

/** proc(5): TCP_LISTEN; UDP sockets without a peer are TCP_CLOSE. */
const WAITING = { tcp: "0A", udp: "07" } as const;

/** /proc/net/tcp, tcp6, udp, udp6: addresses are words in the machine's own order (little-endian). */
export function parseSockets(text: string, protocol: "tcp" | "udp", family: 4 | 6): Endpoint[] {
  return text.split("\n").flatMap((line) => {
    const [, local = "", , state] = line.trim().split(/\s+/);
    const [hex = "", port = ""] = local.split(":");
    if (state !== WAITING[protocol] || !/^[0-9A-F]{8}([0-9A-F]{24})?$/.test(hex)) return [];
    const address = fromWords(hex);
    const isAny = /^0+$/.test(hex);
    // A socket of :: takes IPv4 as well, unless it says otherwise, which is not in the table.
    const which = family === 4 ? { family } : {};
    return [
      { protocol, address: isAny ? undefined : address, ...(isAny ? which : {}), port: Number.parseInt(port, 16) },
    ];
  });
}

/** /proc/net/ip_vs: TCP and UDP services; those of firewall marks have no address. */
export function parseIpvs(text: string): Endpoint[] {
  return text.split("\n").flatMap((line) => {
    const found = /^(TCP|UDP) +(?:([0-9A-F]{8})|\[([0-9a-f:]+)\]):([0-9A-F]{4}) /.exec(line);
    if (found === null) return [];
    const [, protocol, v4, v6 = "", port = ""] = found;
    const address = v4 === undefined ? parseIpv6(v6) : ipv4FromBytes(bytesOf(v4));
    if (address === undefined) return [];
    return [{ protocol: protocol === "TCP" ? "tcp" : "udp", address, port: Number.parseInt(port, 16) } as const];
  });
}

function fromWords(hex: string): IpAddress {
  const bytes = bytesOf(hex);
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  return bytes.length === 4 ? ipv4FromBytes(bytes) : ipv6FromBytes(bytes);
}

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
