/** Addresses of VIPs as they are given to the command: `10.0.0.10-15/24`, `10.0.0.10-10.0.1.9/16`, or a list of these. */

import { type IpAddress, ipToBytes, ipv4FromBytes, ipv6FromBytes, isIpv4, parseIp } from "../base/ip.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { MOST_VIPS } from "./problem.ts";

export interface VipAddress {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** Separated by commas or spaces. */
export function parseVipAddresses(text: string): Result<VipAddress[], string> {
  const found: VipAddress[] = [];
  for (const part of text.split(/[\s,]+/).filter((one) => one !== "")) {
    const range = parseRange(part);
    if (!range.ok) return range;
    found.push(...range.value);
  }
  const seen = new Set<string>();
  for (const { address } of found) {
    if (seen.has(address)) return fail(`${address} is given twice`);
    seen.add(address);
  }
  if (found.length === 0) return fail("no address is given");
  if (new Set(found.map(({ address }) => isIpv4(address))).size > 1) return fail("IPv4 and IPv6 addresses are mixed");
  return ok(found);
}

function parseRange(part: string): Result<VipAddress[], string> {
  const [range = "", length, ...more] = part.split("/");
  const [first = "", last, ...rest] = range.split("-");
  const start = parseIp(first);
  const wrong = fail(`"${part}": write 10.0.0.10/24, 10.0.0.10-15/24 or 10.0.0.10-10.0.0.15/24`);
  if (start === undefined || more.length + rest.length > 0) return wrong;
  const bytes = ipToBytes(start);
  const full = bytes.length * 8;
  if (length === undefined) return fail(`"${part}" lacks the length of its network, such as /24`);
  if (!/^[0-9]{1,3}$/.test(length) || Number(length) < 1 || Number(length) > full) return wrong;
  const prefixLength = Number(length);
  if (last === undefined) return ok([{ address: start, prefixLength }]);
  const end =
    parseIp(last) ?? (/^[0-9]{1,3}$/.test(last) ? parseIp(first.replace(/[0-9]+$/, String(Number(last)))) : undefined);
  if (end === undefined || isIpv4(end) !== isIpv4(start)) return wrong;
  const count = numberOf(end) - numberOf(start) + 1n;
  if (count < 1n) return fail(`"${part}" ends before it begins`);
  if (count > BigInt(MOST_VIPS))
    return fail(`"${part}" has ${count} addresses; ${MOST_VIPS} virtual routers fit on a LAN`);
  return ok(
    Array.from({ length: Number(count) }, (_, index) => ({
      address: addressOf(numberOf(start) + BigInt(index), bytes.length),
      prefixLength,
    })),
  );
}

const numberOf = (address: IpAddress): bigint =>
  ipToBytes(address).reduce((total, byte) => total * 256n + BigInt(byte), 0n);

function addressOf(number: bigint, size: number): IpAddress {
  const bytes = Uint8Array.from({ length: size }, (_, at) => Number((number >> BigInt(8 * (size - 1 - at))) & 255n));
  return size === 4 ? ipv4FromBytes(bytes) : ipv6FromBytes(bytes);
}
