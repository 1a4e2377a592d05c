/**
 * Where the programs lie that we are compared with, and those that look at the wire: keepalived, haproxy, nginx, tshark …
 *
 * Asks scripts/peer, which prefers the machine's own to the one in .cache/peers. Unpacks nothing; scripts/peers does.
 */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The programs of scripts/peers; dumpcap comes with tshark, and unlike tcpdump works in a user namespace. */
export type Peer =
  | "keepalived"
  | "haproxy"
  | "nginx"
  | "tshark"
  | "dumpcap"
  | "wrk"
  | "iperf3"
  | "curl"
  | "ping"
  | "arping"
  | "ethtool"
  | "nft"
  | "sysctl";

const script = fileURLToPath(new URL("../../scripts/peer", import.meta.url));
const found = new Map<Peer, string>();

/** Absolute path of a peer. Throws an error that names the command to run when it is not there. */
export function peerPath(name: Peer): string {
  const known = found.get(name);
  if (known !== undefined) return known;
  const { status, stdout, stderr, error } = spawnSync(script, [name], { encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(stderr.trim());
  const path = stdout.trim();
  found.set(name, path);
  return path;
}
