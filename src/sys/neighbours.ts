/** The machine's neighbour table: which hardware address an IP address has on a link. rtnetlink(7). */

import type { IpAddress } from "../base/ip.ts";
import type { MacAddress } from "../base/mac.ts";
import { neighbourDumpRequest, parseNeighbour, RTM_GETNEIGH } from "../wire/netlink-neighbour.ts";
import { Netlink } from "./netlink.ts";

/** Undefined when the kernel does not know it (now). @throws SystemError */
export function neighbour(
  address: IpAddress,
): { readonly mac: MacAddress; readonly interfaceIndex: number } | undefined {
  const netlink = new Netlink();
  try {
    for (const { payload } of netlink.dump(RTM_GETNEIGH, neighbourDumpRequest(), "read the neighbour table")) {
      const found = parseNeighbour(payload);
      if (found?.address === address && found.mac !== undefined)
        return { mac: found.mac, interfaceIndex: found.interfaceIndex };
    }
    return undefined;
  } finally {
    netlink.close();
  }
}
