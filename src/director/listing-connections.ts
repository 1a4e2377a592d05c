/** What `ipvsadm -Lc`, `-L --timeout` print, to the byte of ipvsadm 1.31. Connections come in the order of the table. */

import type { IpAddress } from "../base/ip.ts";
import { endpoint, type Naming } from "./listing.ts";
import type { ConnectionEntry, ServerKey, Timeouts } from "./plane.ts";

/** `engines`: with the columns of persistence engines, of which there are none here. */
export function connectionsHeading(engines: boolean): string {
  const columns = "pro expire state       source             virtual            ";
  const last = engines ? "destination        pe name          pe_data" : "destination";
  return `IPVS connection entries\n${columns}${last}\n`;
}

export function connectionLine(one: ConnectionEntry, naming: Naming): string {
  const protocol = one.protocol === "ip" ? "tcp" : one.protocol;
  const place = (key: ServerKey) => endpoint(key, protocol, naming);
  const name = one.protocol.toUpperCase().padEnd(3);
  const head = `${name} ${clock(one.expiresInMs).padEnd(6)} ${one.state.padEnd(11)}`;
  return `${head} ${place(one.client).padEnd(18)} ${place(one.virtual).padEnd(18)} ${place(one.destination)}\n`;
}

/** `MM:SS`; minutes grow beyond two digits. */
function clock(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
}

/** All addresses that the line shows. */
export const addressesOf = (one: ConnectionEntry): IpAddress[] => [
  one.client.address,
  one.virtual.address,
  one.destination.address,
];

export const timeoutsLine = ({ tcp, tcpFin, udp }: Timeouts): string =>
  `Timeout (tcp tcpfin udp): ${tcp} ${tcpFin} ${udp}\n`;
