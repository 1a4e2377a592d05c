/**
 * What may be configured: the refusals of ip_vs_ctl.c (l4.md §1.5, "errors from edit") for services and real servers.
 *
 * Pure. Whether something is there already is for `tables.ts` to say.
 */

import { type IpAddress, ipToBytes, isIpv4, isIpv6 } from "../base/ip.ts";
import {
  PlaneError,
  type SchedulerName,
  type ServerKey,
  type ServerSettings,
  type ServiceKey,
  type ServiceSettings,
} from "./plane.ts";

/** In the order of `enum ek_scheduler`. */
export const SCHEDULERS: readonly SchedulerName[] = "rr wrr lc wlc sh dh mh sed nq fo ovf lblc lblcr twos".split(
  " ",
) as SchedulerName[];

export const familyOf = (address: IpAddress): 4 | 6 => (isIpv6(address) ? 6 : 4);

export const serviceFamily = (key: ServiceKey): 4 | 6 => (key.kind === "mark" ? key.family : familyOf(key.address));

export const describeService = (key: ServiceKey): string =>
  key.kind === "mark"
    ? `firewall mark ${key.mark}${key.family === 6 ? " (IPv6)" : ""}`
    : `${key.protocol} ${describeServer(key)}`;

export const describeServer = ({ address, port }: ServerKey): string =>
  isIpv6(address) ? `[${address}]:${port}` : `${address}:${port}`;

/** ip_vs_add_service, ip_vs_edit_service. @throws PlaneError EINVAL, ERANGE */
export function checkService(key: ServiceKey, settings: ServiceSettings): void {
  const what = describeService(key);
  if (!SCHEDULERS.includes(settings.scheduler)) {
    throw new PlaneError("ENOENT", `${what}: no scheduler is called ${settings.scheduler}`);
  }
  const { netmaskBits, persistence } = settings;
  const [least, most] = serviceFamily(key) === 6 ? [1, 128] : [0, 32];
  if (!isWhole(netmaskBits, least, most)) {
    throw new PlaneError("EINVAL", `${what}: a netmask of ${netmaskBits} bits; it must be ${least}..${most}`);
  }
  if (persistence !== undefined && !isWhole(persistence, 1, 0x7fff_ffff)) {
    throw new PlaneError("ERANGE", `${what}: persistent for ${persistence} seconds; it must be 1 or more`);
  }
  if (key.kind === "mark" && !isWhole(key.mark, 1, 0xffff_ffff)) {
    throw new PlaneError("EINVAL", `${what}: a firewall mark must be 1..4294967295`);
  }
  if (key.kind === "address" && !isWhole(key.port, 0, 65535)) {
    throw new PlaneError("EINVAL", `${what}: a port must be 0..65535`);
  }
}

/** ip_vs_add_dest, ip_vs_edit_dest, ip_vs_new_dest. @throws PlaneError ERANGE, EINVAL */
export function checkServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void {
  const what = `${describeService(service)}: server ${describeServer(key)}`;
  const { weight, upperThreshold, lowerThreshold, tunnel, method } = settings;
  if (!isWhole(weight, 0, 0x7fff_ffff)) throw new PlaneError("ERANGE", `${what}: a weight of ${weight}`);
  if (!isWhole(upperThreshold, 0, 0xffff_ffff) || !isWhole(lowerThreshold, 0, 0xffff_ffff)) {
    throw new PlaneError("ERANGE", `${what}: thresholds of ${upperThreshold} and ${lowerThreshold}`);
  }
  if (lowerThreshold > upperThreshold) {
    throw new PlaneError(
      "ERANGE",
      `${what}: the lower threshold ${lowerThreshold} is above the upper, ${upperThreshold}`,
    );
  }
  if (!isWhole(key.port, 0, 65535)) throw new PlaneError("EINVAL", `${what}: a port must be 0..65535`);
  if (method === "tun" && tunnel.type === "gue" && !isWhole(tunnel.port, 1, 65535)) {
    throw new PlaneError("EINVAL", `${what}: GUE needs a port`);
  }
  if (familyOf(key.address) !== serviceFamily(service) && method !== "tun") {
    throw new PlaneError("EINVAL", `${what}: only a tunnel leads from one address family to the other`);
  }
  if (!isUnicast(key.address)) throw new PlaneError("EINVAL", `${what}: not a unicast address`);
}

/** DR and TUN leave the packet's port alone, so the server has the service's. Not for marks, which have no port. */
export const effectiveServerKey = (service: ServiceKey, key: ServerKey, settings: ServerSettings): ServerKey =>
  service.kind === "address" && settings.method !== "nat" && key.port !== service.port
    ? { address: key.address, port: service.port }
    : key;

/**
 * As counted against: where none was given, whatever is below 3/4 of the upper one wakes the server (ip_vs_conn.c compares
 * four times the connections with three times the threshold, so nothing is lost to rounding).
 */
export const effectiveLowerThreshold = ({ upperThreshold, lowerThreshold }: ServerSettings): number =>
  lowerThreshold === 0 ? Math.ceil((upperThreshold * 3) / 4) : lowerThreshold;

/** inet_addr_type's RTN_LOCAL or RTN_UNICAST; for IPv6 global unicast, as link-local needs an interface. */
function isUnicast(address: IpAddress): boolean {
  const [first = 0, second = 0, ...rest] = ipToBytes(address);
  if (isIpv4(address)) return first !== 0 && (first < 224 || first >= 240) && address !== "255.255.255.255";
  if (first === 0xff || (first === 0xfe && (second & 0xc0) === 0x80)) return false;
  return first !== 0 || second !== 0 || rest.some((byte) => byte !== 0);
}

const isWhole = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;
