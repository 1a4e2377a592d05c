/**
 * Takes an address off an interface under another program's name and goes on running, as a network manager does:
 * `node remover-main.ts COMM INTERFACE ADDRESS LENGTH`.
 */

import type { IpAddress } from "../../src/base/ip.ts";
import { removeAddress } from "../../src/sys/addresses.ts";
import { readInterfaces } from "../../src/sys/interfaces.ts";
import { Netlink } from "../../src/sys/netlink.ts";

const [, , comm = "", name = "", address = "", length = ""] = process.argv;
process.title = comm;
// The first socket has the process id for a port.
const netlink = new Netlink();
const found = readInterfaces()
  .values()
  .find((one) => one.name === name);
removeAddress(netlink, {
  interfaceIndex: found?.index ?? 0,
  address: address as IpAddress,
  prefixLength: Number(length),
});
console.log("removed");
setInterval(() => undefined, 60_000);
