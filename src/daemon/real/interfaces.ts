/**
 * Which interfaces of a real server the programs belong on, and what stands in for a VIP there. Reads; changes nothing.
 */

import { existsSync, readFileSync } from "node:fs";
import { type IpAddress, type Ipv4Address, isIpv4 } from "../../base/ip.ts";
import type { NetworkInterface } from "../../sys/interfaces.ts";
import type { Spokesman } from "./state.ts";

const ARPHRD_ETHER = 1;
const RT_SCOPE_GLOBAL = 0;
const RT_SCOPE_LINK = 253;
/** linux/if_addr.h: duplicate address detection goes on, or failed. */
const IFA_F_TENTATIVE = 0x40;
const IFA_F_DADFAILED = 0x08;

/**
 * Ethernet, and not a port of a bridge or bond: the bridge itself speaks for this host, and what passes its ports may be the
 * answers of others, which are not ours to withhold.
 */
export const isGuardable = ({ hardwareType, name }: NetworkInterface): boolean =>
  hardwareType === ARPHRD_ETHER &&
  !existsSync(`/sys/class/net/${name}/brport`) &&
  !existsSync(`/sys/class/net/${name}/bonding_slave`);

/** The interface's own addresses. */
export function spokesmanOf({ addresses }: NetworkInterface, isVip: (address: IpAddress) => boolean): Spokesman {
  const usable = addresses.filter(
    ({ address, flags }) => !isVip(address) && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0,
  );
  const ipv4 = usable.find(({ address, scope }) => isIpv4(address) && scope === RT_SCOPE_GLOBAL);
  const ipv6 = usable.find(({ address, scope }) => !isIpv4(address) && scope === RT_SCOPE_LINK);
  return { ipv4: ipv4?.address as Ipv4Address | undefined, ipv6: ipv6?.address };
}

const OUTER_BYTES = { 4: 20, 6: 40 } as const;
const TCP_BYTES = 20;
/** RFC 9293 §3.7.1: what every host can take; a smaller MTU than that has its own troubles. */
const SMALLEST_MSS = 536;

/**
 * The largest MSS whose packets still fit `mtu` inside a tunnel. A tunnel is taken to be of the VIP's own family where the
 * host has addresses of it, else of the other.
 */
export function tunnelMss(vip: IpAddress, mtu: number, hasFamily: (family: 4 | 6) => boolean): number {
  const family = isIpv4(vip) ? 4 : 6;
  const outer = hasFamily(family) ? family : family === 4 ? 6 : 4;
  return Math.max(SMALLEST_MSS, mtu - OUTER_BYTES[outer] - OUTER_BYTES[family] - TCP_BYTES);
}

/** The number in a file below /proc/sys/net, which is the network namespace's own. Undefined when there is none. */
function netSysctl(path: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/net/${path}`, "utf8"));
  } catch {
    return undefined;
  }
}

/** As the kernel has it: the higher one of all's and the interface's own (ip-sysctl.rst). */
export const effectiveIpv4Sysctl = (interfaceName: string, name: string): number =>
  Math.max(netSysctl(`ipv4/conf/all/${name}`) ?? 0, netSysctl(`ipv4/conf/${interfaceName}/${name}`) ?? 0);
