/**
 * The segments of a lab and who has which address on them.
 *
 * An interface without an address gets the lowest free one of its segment, from the second on, as docker gives them (the
 * first is the gateway's there).
 */

import {
  compareIp,
  type IpAddress,
  type IpPrefix,
  ipToBytes,
  ipv4FromBytes,
  isIpv4,
  parseIpPrefix,
  prefixContains,
} from "../base/ip.ts";
import { type MacAddress, macFromBytes } from "../base/mac.ts";
import type { Diagnostics } from "../config/text/diagnostic.ts";
import type { Span } from "../config/text/source.ts";
import { suggest } from "../config/text/suggest.ts";
import type { DraftInterface, DraftNode, DraftSegment, Placed } from "./draft.ts";
import type { Segment } from "./topology.ts";

export class Addressing {
  readonly #segments = new Map<string, Segment>();
  /** Addresses in use on each segment, with their owner. */
  readonly #taken = new Map<string, Map<IpAddress, string>>();
  readonly #diagnostics: Diagnostics;

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  get segments(): readonly Segment[] {
    return [...this.#segments.values()];
  }

  segment(name: string): Segment | undefined {
    return this.#segments.get(name);
  }

  add({ name, subnets }: DraftSegment): void {
    if (this.#segments.has(name.value))
      this.#error("lab/duplicate", name.span, `there are two segments "${name.value}"`);
    const parsed = subnets.flatMap(({ value, span }) => {
      const subnet = value.includes("/") ? parseIpPrefix(value) : undefined;
      if (subnet === undefined)
        this.#error("lab/bad-subnet", span, `"${value}" is no network`, "for example 10.1.0.0/24");
      return subnet ?? [];
    });
    const subnet = parsed.find(({ address }) => isIpv4(address)) ?? parsed[0];
    this.#segments.set(name.value, subnet === undefined ? { name: name.value } : { name: name.value, subnet });
    this.#taken.set(name.value, new Map());
  }

  /** Written addresses are reserved first: one that is given away must not be one that is asked for further down. */
  reserve(node: DraftNode, one: DraftInterface): void {
    const { value, span } = one.segment;
    const segment = this.#segments.get(value);
    if (segment === undefined) {
      this.#error(
        "lab/unknown-segment",
        span,
        `there is no segment "${value}"`,
        didYouMean(value, this.#segments.keys()),
      );
      return;
    }
    for (const { value: text, span: at } of one.addresses) {
      const address = parseIpPrefix(text)?.address;
      if (address === undefined) continue;
      const owner = this.#taken.get(segment.name)?.get(address);
      if (owner !== undefined)
        this.#error("lab/duplicate-address", at, `${address} is the address of "${owner}" already`);
      this.#taken.get(segment.name)?.set(address, node.name.value);
    }
  }

  /** All addresses of an interface, one that is given to it included. */
  addressesOf(one: DraftInterface, segment: Segment, owner: string): IpPrefix[] {
    if (one.addresses.length > 0) return one.addresses.flatMap((address) => this.#address(address, segment) ?? []);
    const free = this.#freeAddress(segment, owner, one.segment.span);
    return free === undefined ? [] : [free];
  }

  #address({ value, span }: Placed<string>, segment: Segment): IpPrefix | undefined {
    const parsed = parseIpPrefix(value);
    if (parsed === undefined) {
      this.#error("lab/bad-address", span, `"${value}" is no address`);
      return undefined;
    }
    const { subnet } = segment;
    const sameFamily = subnet !== undefined && isIpv4(subnet.address) === isIpv4(parsed.address);
    if (!sameFamily)
      return value.includes("/") ? parsed : { address: parsed.address, length: isIpv4(parsed.address) ? 24 : 64 };
    if (!prefixContains(subnet, parsed.address)) {
      const net = `${subnet.address}/${subnet.length}`;
      this.#error("lab/address-outside", span, `${parsed.address} is not in ${net}, the subnet of "${segment.name}"`);
    }
    return value.includes("/") ? parsed : { address: parsed.address, length: subnet.length };
  }

  #freeAddress(segment: Segment, owner: string, span: Span): IpPrefix | undefined {
    const { subnet } = segment;
    if (subnet === undefined || !isIpv4(subnet.address)) return undefined;
    const taken = this.#taken.get(segment.name);
    const last = 2 ** (32 - subnet.length) - 2;
    for (let host = 2; host <= last; host++) {
      const address = nthAddress(subnet, host);
      if (taken?.has(address)) continue;
      taken?.set(address, owner);
      return { address, length: subnet.length };
    }
    this.#error("lab/subnet-full", span, `"${segment.name}" has no free address for "${owner}"`);
    return undefined;
  }

  #error(code: string, span: Span, message: string, help?: string): void {
    this.#diagnostics.error(code, span, message, help);
  }
}

const didYouMean = (word: string, candidates: Iterable<string>): string | undefined => {
  const found = suggest(word, candidates);
  return found === undefined ? undefined : `did you mean "${found}"?`;
};

function nthAddress(subnet: IpPrefix, host: number): IpAddress {
  const bytes = ipToBytes(subnet.address);
  const base = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  const network = Math.floor(base / 2 ** (32 - subnet.length)) * 2 ** (32 - subnet.length);
  const at = network + host;
  return ipv4FromBytes(Uint8Array.from([24, 16, 8, 0], (shift) => Math.floor(at / 2 ** shift) % 256));
}

/** 02:42 and the IPv4 address, as docker has it, so that a capture can be read; 02 marks it as locally administered. */
export function macFor(addresses: readonly IpPrefix[]): MacAddress | undefined {
  const first = addresses
    .map((one) => one.address)
    .filter(isIpv4)
    .sort(compareIp)[0];
  return first === undefined ? undefined : macFromBytes(Uint8Array.from([0x02, 0x42, ...ipToBytes(first)]));
}
