/**
 * IP addresses and prefixes as canonical text, so that they are JSON, can be map keys and can be compared with `===`.
 *
 * IPv6 text follows RFC 5952. Parsing is strict: no leading zeros in IPv4, no zone index, nothing around the address.
 */

declare const ipv4: unique symbol;
declare const ipv6: unique symbol;

/** Dotted quad, canonical. */
export type Ipv4Address = string & { readonly [ipv4]: true };
/** RFC 5952 text, lower-case. */
export type Ipv6Address = string & { readonly [ipv6]: true };
export type IpAddress = Ipv4Address | Ipv6Address;

export interface IpPrefix {
  readonly address: IpAddress;
  /** 0..32 or 0..128. */
  readonly length: number;
}

export const isIpv4 = (address: IpAddress): address is Ipv4Address => !address.includes(":");
export const isIpv6 = (address: IpAddress): address is Ipv6Address => address.includes(":");

export function parseIpv4(text: string): Ipv4Address | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
  }
  return text as Ipv4Address;
}

export function parseIpv6(text: string): Ipv6Address | undefined {
  if (!/^[0-9A-Fa-f:.]+$/.test(text) || text.includes(":::")) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const words: number[][] = [];
  for (const half of halves) {
    const found = wordsOf(half);
    if (found === undefined) return undefined;
    words.push(found);
  }
  const [left = [], right] = words;
  if (right === undefined) return left.length === 8 ? ipv6FromWords(left) : undefined;
  const gap = 8 - left.length - right.length;
  if (gap < 1) return undefined;
  return ipv6FromWords([...left, ...new Array<number>(gap).fill(0), ...right]);
}

export const parseIp = (text: string): IpAddress | undefined => parseIpv4(text) ?? parseIpv6(text);

/** `ADDRESS[/LENGTH]`; without a length the whole address counts (32 or 128). */
export function parseIpPrefix(text: string): IpPrefix | undefined {
  const [head = "", tail, ...more] = text.split("/");
  if (more.length > 0) return undefined;
  const address = parseIp(head);
  if (address === undefined) return undefined;
  const longest = isIpv4(address) ? 32 : 128;
  if (tail === undefined) return { address, length: longest };
  if (!/^[0-9]{1,3}$/.test(tail) || Number(tail) > longest) return undefined;
  return { address, length: Number(tail) };
}

/** Network byte order: 4 bytes for IPv4, 16 for IPv6. */
export function ipToBytes(address: IpAddress): Uint8Array {
  if (isIpv4(address)) return ipv4ToBytes(address);
  const [left = "", right] = address.split("::");
  const head = wordsOf(left) ?? [];
  const tail = right === undefined ? [] : (wordsOf(right) ?? []);
  const words = [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

/** Digit by digit: hundreds a second, and a list of parts costs ten times as much. */
function ipv4ToBytes(address: Ipv4Address): Uint8Array {
  const bytes = new Uint8Array(4);
  let [part, at] = [0, 0];
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      bytes[at++] = part;
      part = 0;
    } else {
      part = part * 10 + code - DIGIT_ZERO;
    }
  }
  bytes[at] = part;
  return bytes;
}

const DOT = 0x2e;
const DIGIT_ZERO = 0x30;

export function ipv4FromBytes(bytes: Uint8Array, offset = 0): Ipv4Address {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}` as Ipv4Address;
}

export function ipv6FromBytes(bytes: Uint8Array, offset = 0): Ipv6Address {
  const words: number[] = [];
  for (let i = 0; i < 16; i += 2) words.push(((bytes[offset + i] ?? 0) << 8) | (bytes[offset + i + 1] ?? 0));
  return ipv6FromWords(words);
}

/** Numeric order, negative when `a` is the lower one. IPv4 sorts before IPv6. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  const left = ipToBytes(a);
  const right = ipToBytes(b);
  if (left.length !== right.length) return left.length - right.length;
  for (let i = 0; i < left.length; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** True when `address` lies in the network of `prefix`. */
export function prefixContains(prefix: IpPrefix, address: IpAddress): boolean {
  const network = ipToBytes(prefix.address);
  const candidate = ipToBytes(address);
  if (network.length !== candidate.length) return false;
  for (let i = 0; i < network.length; i++) {
    const bits = Math.min(8, Math.max(0, prefix.length - i * 8));
    const mask = (0xff00 >> bits) & 0xff;
    if (((network[i] ?? 0) & mask) !== ((candidate[i] ?? 0) & mask)) return false;
  }
  return true;
}

function wordsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const words: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (part.includes(".")) {
      const quad = index === parts.length - 1 ? parseIpv4(part) : undefined;
      if (quad === undefined) return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = ipToBytes(quad);
      words.push((a << 8) | b, (c << 8) | d);
    } else {
      if (!/^[0-9A-Fa-f]{1,4}$/.test(part)) return undefined;
      words.push(Number.parseInt(part, 16));
    }
  }
  return words;
}

function ipv6FromWords(words: readonly number[]): Ipv6Address {
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (from: number, to: number) =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(":");
  if (best.start < 0) return text(0, 8) as Ipv6Address;
  return `${text(0, best.start)}::${text(best.start + best.length, 8)}` as Ipv6Address;
}
