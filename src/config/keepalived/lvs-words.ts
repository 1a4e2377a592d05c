/** Values of `virtual_server` and `real_server`: addresses with ports, forwarding methods, schedulers (keepalived.conf(5)). */

import { type IpAddress, parseIp } from "../../base/ip.ts";
import type { ForwardMethod, SchedulerName, Tunnel } from "../../director/plane.ts";
import { suggest } from "../text/suggest.ts";
import { quote, type Report } from "./report.ts";
import type { Word } from "./tree.ts";
import { integer } from "./values.ts";

export interface Endpoint {
  readonly address: IpAddress;
  /** Undefined when none is given, or 0. */
  readonly port: number | undefined;
}

export interface Method {
  readonly method: ForwardMethod;
  readonly tunnel: Tunnel;
}

const SCHEDULERS: readonly SchedulerName[] = [
  "rr",
  "wrr",
  "lc",
  "wlc",
  "lblc",
  "lblcr",
  "sh",
  "mh",
  "dh",
  "fo",
  "ovf",
  "sed",
  "nq",
  "twos",
];
const METHODS: Readonly<Record<string, ForwardMethod>> = { NAT: "nat", DR: "dr", TUN: "tun" };
const CHECKSUMS: Readonly<Record<string, Tunnel["checksum"]>> = {
  nocsum: "none",
  csum: "checksum",
  remcsum: "remote",
};

const IPIP: Tunnel = { type: "ipip", port: 0, checksum: "none" };
/** What holds without `lb_kind`. */
export const NAT: Method = { method: "nat", tunnel: IPIP };

/** `ADDRESS [PORT]`; undefined when either is impossible. `kind`: for messages, "virtual server" and the like. */
export function endpoint(words: readonly Word[], kind: string, report: Report): Endpoint | undefined {
  const [head, port] = words;
  if (head === undefined) return undefined;
  const address = parseIp(head.text);
  if (address === undefined) {
    const message = `Invalid ${kind} IP address ${quote(head.text)} - skipping`;
    report.warning("keepalived/bad-address", head, message, "Write an IPv4 or IPv6 address; names are not looked up");
    return undefined;
  }
  if (port === undefined || port.text === "0") return { address, port: undefined };
  const value = integer(port, 1, 65_535, report);
  if (value !== undefined) return { address, port: value };
  const message = `Invalid ${kind} port ${quote(port.text)} - skipping`;
  report.warning("keepalived/bad-port", port, message, "Write a port number from 1 to 65535; names are not looked up");
  return undefined;
}

/** `[ADDRESS]:PROTOCOL:PORT`, as keepalived's log lines name services and servers. */
export const serviceName = (address: IpAddress, protocol: string, port: number): string =>
  `[${address}]:${protocol}:${port}`;

export function schedulerOf(word: Word, report: Report): SchedulerName | undefined {
  const found = SCHEDULERS.find((name) => name === word.text);
  if (found !== undefined) return found;
  const near = suggest(word.text.toLowerCase(), SCHEDULERS);
  const help = near === undefined ? `One of ${SCHEDULERS.join(", ")}` : `Did you mean ${quote(near)}?`;
  report.warning("keepalived/unknown-scheduler", word, `Invalid lvs_scheduler ${quote(word.text)} - ignoring`, help);
  return undefined;
}

/** `NAT`, `DR` or `TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]`. */
export function methodOf(words: readonly Word[], kind: string, report: Report): Method | undefined {
  const [name, ...options] = words;
  if (name === undefined) return undefined;
  const method = Object.hasOwn(METHODS, name.text) ? METHODS[name.text] : undefined;
  if (method === undefined) {
    const upper = name.text.toUpperCase();
    const help = Object.hasOwn(METHODS, upper) ? `Did you mean ${quote(upper)}?` : "One of NAT, DR, TUN";
    const message = `unknown ${quote(name.text)} routing method for ${kind}`;
    report.warning("keepalived/unknown-method", name, message, help);
    return undefined;
  }
  if (method !== "tun") {
    const [first] = options;
    if (first !== undefined) {
      const message = `${quote(first.text)} has a meaning after TUN only`;
      report.warning("keepalived/bad-tunnel", first, message, "Remove it");
    }
    return { method, tunnel: IPIP };
  }
  return { method, tunnel: tunnelOf(name, options, report) };
}

function tunnelOf(at: Word, options: readonly Word[], report: Report): Tunnel {
  let type: Tunnel["type"] = "ipip";
  let port = 0;
  let checksum: Tunnel["checksum"] = "none";
  for (let index = 0; index < options.length; index++) {
    const option = options[index] ?? at;
    const value = options[index + 1];
    if (Object.hasOwn(CHECKSUMS, option.text)) {
      checksum = CHECKSUMS[option.text] ?? checksum;
    } else if (option.text === "type" && value !== undefined && /^(ipip|gue|gre)$/.test(value.text)) {
      type = value.text as Tunnel["type"];
      index++;
    } else if (option.text === "port" && value !== undefined) {
      port = integer(value, 1, 65_535, report) ?? 0;
      index++;
    } else {
      const bad = option.text === "type" && value !== undefined ? value : option;
      const help = "Write TUN [type ipip | type gue port N | type gre] [nocsum | csum | remcsum]";
      report.warning("keepalived/bad-tunnel", bad, `Invalid tunnel option ${quote(bad.text)}`, help);
      if (bad !== option) index++;
    }
  }
  if ((type === "gue") !== port > 0) {
    const message = "gue tunnels require port, otherwise cannot have port";
    report.warning("keepalived/bad-tunnel", at, message, "IP in IP is used; write TUN type gue port N");
    return IPIP;
  }
  if (type === "gre" && checksum === "remote") {
    const message = "gre tunnels do not support remote checksum option";
    report.warning("keepalived/bad-tunnel", at, message, "IP in IP is used; write csum or leave it away");
    return IPIP;
  }
  return { type, port, checksum };
}
