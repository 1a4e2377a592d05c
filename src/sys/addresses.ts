/** Puts addresses on interfaces and takes them off, by rtnetlink. Keeps no account of them. */

import { type IpAddress, isIpv4 } from "../base/ip.ts";
import { buildNetlink, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST } from "../wire/netlink.ts";
import {
  buildAddress,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  type Lifetime,
  RTM_DELADDR,
  RTM_NEWADDR,
} from "../wire/netlink-address.ts";
import { constants, SystemError } from "./addon.ts";
import type { PreparedRequest } from "./background-netlink.ts";
import type { Netlink } from "./netlink.ts";

export interface AddressAssignment {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  readonly prefixLength: number;
  /** IPv4 only, at most 15 bytes; the interface's name when missing. */
  readonly label?: string | undefined;
  readonly broadcast?: IpAddress | undefined;
  /** RT_SCOPE_*, 0 (global) when missing. */
  readonly scope?: number | undefined;
  /** The kernel itself removes the address when it ends. Whole seconds, at least 1; expiry is up to a second late. */
  readonly validLifetime: Lifetime;
  /** The valid lifetime when missing. 0: not chosen as a source address. */
  readonly preferredLifetime?: Lifetime | undefined;
  /** IFA_PROTO, 1..255; kernels before 5.18 ignore it. */
  readonly protocol?: number | undefined;
  /** No route to the prefix through the interface. */
  readonly noPrefixRoute?: boolean | undefined;
  /** The other end of the link, which the prefix length then belongs to. */
  readonly peer?: IpAddress | undefined;
  /** IFA_F_* besides. */
  readonly flags?: number | undefined;
  /** IPv6: look for others that have it before it is used. */
  readonly detectDuplicates?: boolean | undefined;
}

/**
 * Adds the address, or renews the lifetimes when the interface has it already (label and broadcast then stay as they are).
 * IPv6 addresses skip duplicate address detection unless told otherwise: the router that had it may still answer.
 * @throws SystemError EPERM, ENODEV, EINVAL
 */
export function putAddress(netlink: Netlink, assignment: AddressAssignment): void {
  netlink.request(RTM_NEWADDR, PUT, encode(assignment), addingTo(assignment));
}

const PUT = NLM_F_CREATE | NLM_F_REPLACE;

/** The same to be made in the background, as often as wanted. */
export function addressRequest(assignment: AddressAssignment): PreparedRequest {
  const header = { type: RTM_NEWADDR, flags: PUT | NLM_F_REQUEST, sequence: 0, port: 0 };
  return { message: buildNetlink({ ...header, payload: encode(assignment) }), tried: addingTo(assignment) };
}

const addingTo = ({ address, prefixLength, interfaceIndex }: AddressAssignment): string =>
  `add ${address}/${prefixLength} to interface ${interfaceIndex}`;

/** False when the interface does not have it (or is gone). @throws SystemError EPERM */
export function removeAddress(
  netlink: Netlink,
  target: Pick<AddressAssignment, "interfaceIndex" | "address" | "prefixLength" | "peer">,
): boolean {
  const tried = `remove ${target.address}/${target.prefixLength} from interface ${target.interfaceIndex}`;
  try {
    netlink.request(RTM_DELADDR, 0, encode({ ...target, validLifetime: "forever" }), tried);
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno === constants.EADDRNOTAVAIL || error.errno === constants.ENODEV) return false;
    throw error;
  }
}

function encode(assignment: AddressAssignment): Uint8Array {
  const { address, validLifetime } = assignment;
  const isV4 = isIpv4(address);
  return buildAddress({
    family: isV4 ? constants.AF_INET : constants.AF_INET6,
    prefixLength: assignment.prefixLength,
    scope: assignment.scope ?? 0,
    interfaceIndex: assignment.interfaceIndex,
    flags:
      (isV4 || assignment.detectDuplicates === true ? 0 : IFA_F_NODAD) |
      (assignment.noPrefixRoute ? IFA_F_NOPREFIXROUTE : 0) |
      (assignment.flags ?? 0),
    local: address,
    address: assignment.peer ?? address,
    label: isV4 ? assignment.label : undefined,
    broadcast: isV4 ? assignment.broadcast : undefined,
    lifetimes: { valid: validLifetime, preferred: assignment.preferredLifetime ?? validLifetime },
    protocol: assignment.protocol,
    otherAttributes: [],
  });
}
