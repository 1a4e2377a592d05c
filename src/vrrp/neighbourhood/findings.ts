/**
 * What is wrong between this host and its neighbours: what the neighbourhood machine (`neighbourhood.ts`) is told and what
 * it finds. All of it is plain JSON.
 *
 * A finding changes no state of VRRP. It names what is wrong, whose it is, and what to do.
 */

import type { IpAddress } from "../../base/ip.ts";
import type { MacAddress } from "../../base/mac.ts";
import type { Instant } from "../../base/time.ts";
import type { VrrpConfiguration } from "../../config/model/vrrp.ts";
import type { InstanceSnapshot } from "../messages.ts";

export const FINDING_CODES = [
  /** Version 2: one has a password and the other has none, or another kind. */
  "auth-type-differs",
  "password-differs",
  "version-differs",
  /** Version 2: each refuses the other's adverts. */
  "interval-differs",
  /** Version 3: a backup takes the master's. */
  "interval-learned",
  "address-list-differs",
  /** Version 3 for IPv4: one sums with the pseudo header and the other without (RFC 9568 §5.2.8). */
  "checksum-style-differs",
  "checksum-bad",
  /** Shorter or longer than it says. */
  "malformed",
  /** Another virtual router, with other addresses, uses the same number on this LAN. */
  "duplicate-vrid",
  /** The same addresses under another number: neither hears the other, and both are master. */
  "vrid-differs",
  /** Both have priority 255. */
  "two-owners",
  /** MASTER, and nobody has been heard, though the configuration speaks of others or somebody else holds an address. */
  "peer-not-heard",
  /** Adverts reach the interface and not the VRRP process: a firewall of this host drops them. */
  "adverts-filtered",
  "two-masters",
  /** Somebody answers for a virtual address who should not. */
  "address-owned-elsewhere",
  "unicast-multicast-mixed",
  /** From a router that is none of the configured unicast peers. */
  "unknown-unicast-peer",
  "unicast-peer-silent",
  /** It went through a router, or was sent with another TTL or hop limit than it must have. */
  "ttl-wrong",
  /** IPsec authentication headers, which evenkeel does not read. */
  "ah-used",
  /** More neighbours than are remembered: somebody makes them up. */
  "too-many-neighbours",
] as const;

export type FindingCode = (typeof FINDING_CODES)[number];

/** `note`: works, and may surprise. `warning`: is about to hurt. `error`: fail-over does not work as it should. */
export type Severity = "note" | "warning" | "error";

export interface Neighbour {
  /** Undefined when only its link-layer address is known. */
  readonly ip: IpAddress | undefined;
  readonly mac: MacAddress | undefined;
}

export interface Finding {
  readonly code: FindingCode;
  /** Name of the vrrp_instance; undefined: of an interface as a whole. */
  readonly instance: string | undefined;
  readonly interface: string;
  readonly severity: Severity;
  /** Undefined when nobody in particular is meant. */
  readonly peer: Neighbour | undefined;
  /** What was seen, in one line without the names of instance and code. */
  readonly text: string;
  /** What to do about it. */
  readonly cure: string;
  readonly since: Instant;
  readonly lastSeen: Instant;
}

/** An interface on which this host takes part, or holds virtual addresses. */
export interface OwnInterface {
  readonly name: string;
  /** Its own and those of the macvlans on it. */
  readonly macs: readonly MacAddress[];
  readonly addresses: readonly IpAddress[];
}

export const named = ({ ip, mac }: Neighbour): string =>
  ip === undefined ? (mac ?? "somebody") : mac === undefined ? ip : `${ip} (${mac})`;

/** The whole sentence: who, and what. */
export const inWords = ({ peer, text }: Pick<Finding, "peer" | "text">): string =>
  peer === undefined ? text : `${named(peer)} ${text}`;

export type Observation =
  /** First of all, and again when either has changed. */
  | {
      readonly type: "own";
      readonly configuration: VrrpConfiguration;
      readonly interfaces: readonly OwnInterface[];
    }
  /** About once a second: how the instances are. What depends on time is judged now. */
  | { readonly type: "tick"; readonly instances: readonly InstanceSnapshot[] }
  /** A packet of IP protocol 112 or 51, header included, as hexadecimal digits; sent by somebody else. */
  | {
      readonly type: "packet";
      readonly interface: string;
      readonly sourceMac: MacAddress | undefined;
      readonly packet: string;
    }
  /** ARP or a neighbour advertisement: somebody else says that it has `address`. */
  | {
      readonly type: "claim";
      readonly interface: string;
      readonly address: IpAddress;
      readonly mac: MacAddress;
    }
  /** ICMP protocol unreachable: whoever has `address` runs no VRRP. */
  | { readonly type: "unreachable"; readonly interface: string; readonly address: IpAddress }
  /** More came in than was looked at. */
  | { readonly type: "overrun"; readonly interface: string };

export type NeighbourhoodOutput =
  | { readonly type: "found"; readonly finding: Finding }
  | { readonly type: "resolved"; readonly finding: Finding }
  /** Ask who has the address: an ARP probe (RFC 5227 §2.1.1) or a neighbour solicitation, from this host to all. */
  | {
      readonly type: "probe";
      readonly instance: string;
      readonly interface: string;
      readonly address: IpAddress;
    };
