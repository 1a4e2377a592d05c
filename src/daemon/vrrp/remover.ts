/** Who took something away from us: the program behind a netlink port, as long as it still runs. */

import { readFileSync } from "node:fs";

/** /proc/PID/comm has 15 bytes. */
const FULL_NAMES: Readonly<Record<string, string>> = { "systemd-network": "systemd-networkd" };

/** What keeps it from doing so again. */
const HINTS: Readonly<Record<string, string>> = {
  "systemd-networkd":
    "KeepConfiguration=yes in the .network file, ManageForeignRoutes=no and ManageForeignRoutingPolicyRules=no in networkd.conf keep it from doing so",
  NetworkManager:
    "it leaves interfaces alone that are named in unmanaged-devices= of NetworkManager.conf; nmcli connection up takes off what it did not put there",
  dhclient: "a lease that is lost or renewed takes all addresses off the interface: give it a static one",
  dhcpcd: "a lease that is lost or renewed takes all addresses off the interface: give it a static one",
};

const LARGEST_PID = 2 ** 22;

/**
 * The first socket of a process has its process id for a port (netlink(7)); others have numbers that no process has, and a
 * program that has ended, as `ip` has, is not named. 0 is the kernel itself.
 */
export function programOfPort(port: number): string | undefined {
  if (port <= 0 || port > LARGEST_PID) return undefined;
  try {
    const name = readFileSync(`/proc/${port}/comm`, "utf8").trim();
    return FULL_NAMES[name] ?? name;
  } catch {
    return undefined;
  }
}

export const hintAbout = (program: string): string | undefined => HINTS[program];
