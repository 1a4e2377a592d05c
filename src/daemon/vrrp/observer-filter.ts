/**
 * What the observer's sockets let through, as classic BPF (linux/filter.h): VRRP and authentication headers of either
 * family, ARP and neighbour advertisements for the given addresses, ICMP saying that somebody speaks no VRRP.
 *
 * The kernel runs it for every frame, so a busy LAN costs some instructions a frame and wakes nobody.
 */

import { type IpAddress, ipToBytes, isIpv4 } from "../../base/ip.ts";
import type { FilterInstruction } from "../../sys/packet-socket.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../wire/ethernet.ts";
import { PROTOCOL_ICMP, PROTOCOL_VRRP } from "../../wire/ipv4.ts";

/** Addresses that are watched on one interface; a filter has 4,096 instructions at most. */
const MOST_ADDRESSES = 1_000;

const LOAD_BYTE = 0x30;
const LOAD_HALF = 0x28;
const LOAD_WORD = 0x20;
const LOAD_HALF_BEHIND_X = 0x48;
const LOAD_BYTE_BEHIND_X = 0x50;
/** X = four times the low half of the byte: the length of an IPv4 header. */
const LOAD_HEADER_LENGTH = 0xb1;
const JUMP = 0x05;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_ANY_BIT = 0x45;
const RETURN = 0x06;
/** SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT. */
const VLAN_TAG_PRESENT = 0xffff_f030;

const PROTOCOL_AH = 51;
const PROTOCOL_ICMPV6 = 58;
const NEIGHBOUR_ADVERTISEMENT = 136;
/** Destination unreachable, protocol unreachable. */
const PROTOCOL_UNREACHABLE = 0x0302;

const at = { etherType: 12, ip: 14, fragment: 20, protocol: 23, arpSender: 28, nextHeader: 20, icmpv6: 54 } as const;
const ALL: FilterInstruction = [RETURN, 0, 0, 0xffff_ffff];
const NONE: FilterInstruction = [RETURN, 0, 0, 0];

const load = (code: number, offset: number): FilterInstruction => [code, 0, 0, offset];
/** `then` when the loaded value is `value`; falls through otherwise. Conditional jumps reach 255 instructions alone. */
const when = (value: number, then: readonly FilterInstruction[]): FilterInstruction[] =>
  then.length < 200
    ? [[JUMP_IF_EQUAL, 0, then.length, value], ...then]
    : [[JUMP_IF_EQUAL, 1, 0, value], [JUMP, 0, 0, then.length], ...then];

export function observerFilter(addresses: readonly IpAddress[]): FilterInstruction[] {
  const watched = addresses.slice(0, MOST_ADDRESSES);
  const word = (address: IpAddress) => new DataView(ipToBytes(address).buffer).getUint32(isIpv4(address) ? 0 : 12);
  const oneOf = (family: readonly IpAddress[]) => [...new Set(family.map(word))].flatMap((value) => when(value, [ALL]));
  const arp = [load(LOAD_WORD, at.arpSender), ...oneOf(watched.filter(isIpv4)), NONE];
  const icmp: FilterInstruction[] = [
    load(LOAD_HALF, at.fragment),
    [JUMP_IF_ANY_BIT, 0, 1, 0x1fff],
    NONE,
    load(LOAD_HEADER_LENGTH, at.ip),
    load(LOAD_HALF_BEHIND_X, at.ip),
    // The packet that was refused begins after eight bytes of ICMP.
    ...when(PROTOCOL_UNREACHABLE, [load(LOAD_BYTE_BEHIND_X, at.ip + 8 + 9), ...when(PROTOCOL_VRRP, [ALL]), NONE]),
    NONE,
  ];
  const ipv4 = [
    load(LOAD_BYTE, at.protocol),
    ...when(PROTOCOL_VRRP, [ALL]),
    ...when(PROTOCOL_AH, [ALL]),
    ...when(PROTOCOL_ICMP, icmp),
    NONE,
  ];
  const advertisement = [
    load(LOAD_BYTE, at.icmpv6),
    // The last four bytes of the target; the rest is compared where more than the filter looks.
    ...when(NEIGHBOUR_ADVERTISEMENT, [
      load(LOAD_WORD, at.icmpv6 + 20),
      ...oneOf(watched.filter((one) => !isIpv4(one))),
      NONE,
    ]),
    NONE,
  ];
  const ipv6 = [
    load(LOAD_BYTE, at.nextHeader),
    ...when(PROTOCOL_VRRP, [ALL]),
    ...when(PROTOCOL_AH, [ALL]),
    ...when(PROTOCOL_ICMPV6, advertisement),
    NONE,
  ];
  return [
    // Of a VLAN on this interface, which is another LAN.
    load(LOAD_WORD, VLAN_TAG_PRESENT),
    ...when(0, [
      load(LOAD_HALF, at.etherType),
      ...when(ETHERTYPE_ARP, arp),
      ...when(ETHERTYPE_IPV4, ipv4),
      ...when(ETHERTYPE_IPV6, ipv6),
      NONE,
    ]),
    NONE,
  ];
}
