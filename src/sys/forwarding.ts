/** Whether this network namespace forwards IPv4 at all: each interface has a say of its own (ip-sysctl.rst). */

import { readdirSync, readFileSync } from "node:fs";

const FOLDER = "/proc/sys/net/ipv4/conf";

/** On some interface; `net.ipv4.ip_forward` sets that of all. lo does not count: the data plane switches it on itself. */
export const forwardsIpv4 = (): boolean =>
  readdirSync(FOLDER)
    .filter((name) => name !== "all" && name !== "default" && name !== "lo")
    .some((name) => readFileSync(`${FOLDER}/${name}/forwarding`, "utf8").trim() === "1");
