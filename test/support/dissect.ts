/** VRRP packets as tshark sees them. */

import { execFileSync } from "node:child_process";
import { peerPath } from "./peers.ts";

export interface DissectedAdvert {
  readonly source: string;
  readonly destination: string;
  /** TTL or hop limit. */
  readonly ttl: string;
  readonly priority: string;
  /** 1 is good (tshark's PROTO_CHECKSUM_E_GOOD). */
  readonly checksum: string;
  readonly expert: string;
}

/** Every VRRP packet of the capture. */
export function dissectAdverts(file: string): DissectedAdvert[] {
  const fields = [
    ...["ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "ip.ttl", "ipv6.hlim"],
    ...["vrrp.prio", "vrrp.checksum.status", "_ws.expert.message"],
  ];
  const argv = ["-r", file, "-Y", "vrrp", "-T", "fields", ...fields.flatMap((field) => ["-e", field])];
  const output = execFileSync(peerPath("tshark"), argv, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  // Only the line ends are cut: fields at the end may be empty.
  const lines = output.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [
      source4 = "",
      source6 = "",
      to4 = "",
      to6 = "",
      ttl = "",
      hops = "",
      priority = "",
      checksum = "",
      expert = "",
    ] = line.split("\t");
    return { source: source4 + source6, destination: to4 + to6, ttl: ttl + hops, priority, checksum, expert };
  });
}
