/**
 * What an advert shows of how its sender is configured, beside one's own configuration: the differences that keep two
 * routers apart, in words, with their cure.
 *
 * Looks at one packet and remembers nothing. Two routers that are both right give nothing.
 */

import type { IpAddress } from "../../base/ip.ts";
import { inSeconds } from "../../base/time.ts";
import type { VrrpInstance } from "../../config/model/vrrp.ts";
import { AUTH_AH, AUTH_NONE, AUTH_PASS, authDataOf } from "../../wire/vrrp.ts";
import { OWNER_PRIORITY } from "../router-state.ts";
import type { FindingCode, Severity } from "./findings.ts";
import type { ForeignAdvert } from "./foreign-packet.ts";

export interface Remark {
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly text: string;
  readonly cure: string;
}

const MULTICAST_TTL = 255;

/** Of a packet with the instance's number and family on its interface. What makes the rest meaningless stands alone. */
export function compareAdvert(mine: VrrpInstance, theirs: ForeignAdvert): Remark[] {
  const vrid = mine.virtualRouterId;
  if (theirs.authenticated) {
    return [
      remark("ah-used", "error", "uses auth_type AH, which is not supported", "take authentication out on all routers"),
    ];
  }
  if (theirs.version !== 2 && theirs.version !== 3) {
    return [remark("malformed", "error", `sends VRRP version ${theirs.version}`, "look at what that host sends")];
  }
  if (theirs.virtualRouterId !== vrid) {
    return [
      remark(
        "vrid-differs",
        "error",
        `advertises ${inCommon(mine, theirs).join(", ")} as virtual router ${theirs.virtualRouterId}, which is ${vrid} here`,
        "give both the same virtual_router_id, or one of them other addresses",
      ),
    ];
  }
  const strangers = isForeignRouter(mine, theirs);
  // Nobody is disturbed by multicast that a unicast instance does not listen to.
  if (strangers && mine.unicastPeers !== undefined && isMulticast(theirs.destination)) return [];
  if (theirs.version !== mine.version && !strangers) {
    return [
      remark(
        "version-differs",
        "error",
        `speaks VRRP version ${theirs.version}, this host version ${mine.version}`,
        `say \`version ${mine.version}\` there, or \`version ${theirs.version}\` here`,
      ),
    ];
  }
  if (theirs.excessBytes !== 0) {
    const [count, what] = [Math.abs(theirs.excessBytes), theirs.excessBytes < 0 ? "short" : "long"];
    return [remark("malformed", "error", `sends adverts ${count} bytes too ${what}`, "look at what that host sends")];
  }
  if (theirs.checksum === "bad") {
    return [
      remark(
        "checksum-bad",
        "error",
        "sends adverts with a bad checksum",
        "something on the way changes packets (checksum offload, NAT), or that host sums differently",
      ),
    ];
  }
  if (strangers) {
    return [
      remark(
        "duplicate-vrid",
        "error",
        `is another virtual router with the same number ${vrid}: it has ${theirs.addresses.join(", ")}`,
        `give one of the two another virtual_router_id: ${vrid} is taken on this LAN`,
      ),
    ];
  }
  return [
    ...destination(mine, theirs),
    ...timeToLive(mine, theirs),
    ...addressList(mine, theirs),
    ...authentication(mine, theirs),
    ...interval(mine, theirs),
    ...checksumStyle(mine, theirs),
    ...(mine.priority === OWNER_PRIORITY && theirs.priority === OWNER_PRIORITY
      ? [
          remark(
            "two-owners",
            "error",
            "has priority 255 as well: both claim to own the addresses",
            "only one router may have priority 255, the one that has the address as its own",
          ),
        ]
      : []),
  ];
}

const remark = (code: FindingCode, severity: Severity, text: string, cure: string): Remark => ({
  code,
  severity,
  text,
  cure,
});

const listed = (mine: VrrpInstance): readonly IpAddress[] => mine.virtualAddresses.map(({ address }) => address);

/** Not one address in common. */
function isForeignRouter(mine: VrrpInstance, { addresses }: ForeignAdvert): boolean {
  const own = listed(mine);
  return own.length > 0 && addresses.length > 0 && !addresses.some((address) => own.includes(address));
}

/** Virtual addresses that both list. */
export const inCommon = (mine: VrrpInstance, theirs: ForeignAdvert): readonly IpAddress[] =>
  listed(mine).filter((address) => theirs.addresses.includes(address));

export const isMulticast = (address: IpAddress): boolean =>
  address.includes(":") ? address.startsWith("ff") : Number(address.split(".")[0]) >> 4 === 14;

function destination(mine: VrrpInstance, theirs: ForeignAdvert): Remark[] {
  const mixed = (text: string, cure: string) => [remark("unicast-multicast-mixed", "error", text, cure)];
  const multicast = isMulticast(theirs.destination);
  if (mine.unicastPeers === undefined) {
    if (!multicast) {
      return mixed(
        `sends unicast to ${theirs.destination}, and this instance uses multicast`,
        "say unicast_peer on all routers or on none",
      );
    }
    if (theirs.destination === mine.multicastGroup) return [];
    return mixed(
      `sends to the group ${theirs.destination}, and this instance listens to ${mine.multicastGroup}`,
      "use the same vrrp_mcast_group4, vrrp_mcast_group6 or mcast_dst_ip everywhere",
    );
  }
  if (multicast) {
    return mixed(
      `sends multicast, and this instance speaks to unicast peers`,
      "say unicast_peer on all routers or on none",
    );
  }
  const known = mine.unicastPeers.some(({ address }) => address === theirs.source);
  if (known || !mine.checkUnicastSource) return [];
  return [
    remark(
      "unknown-unicast-peer",
      "error",
      "is none of the unicast peers",
      `add ${theirs.source} to unicast_peer, or set unicast_src_ip on that host`,
    ),
  ];
}

function timeToLive(mine: VrrpInstance, theirs: ForeignAdvert): Remark[] {
  const peer = mine.unicastPeers?.find(({ address }) => address === theirs.source);
  const [least, most] =
    mine.unicastPeers === undefined ? [MULTICAST_TTL, MULTICAST_TTL] : [peer?.minTtl ?? 0, peer?.maxTtl ?? 255];
  if (theirs.timeToLive >= least && theirs.timeToLive <= most) return [];
  const wanted = least === most ? String(least) : `${least} to ${most}`;
  return [
    remark(
      "ttl-wrong",
      "error",
      `its adverts come with TTL ${theirs.timeToLive} instead of ${wanted}`,
      theirs.timeToLive < least
        ? "a router forwards them, or that host sends with a low TTL: both must be on one LAN, or min_ttl allow for it"
        : "set max_ttl of this unicast peer to what it sends",
    ),
  ];
}

function addressList(mine: VrrpInstance, theirs: ForeignAdvert): Remark[] {
  if (mine.skipCheckAdvAddr) return [];
  const own = listed(mine);
  const missing = own.filter((address) => !theirs.addresses.includes(address));
  const more = theirs.addresses.filter((address) => !own.includes(address));
  if (missing.length === 0 && more.length === 0) return [];
  const parts = [
    ...(missing.length === 0 ? [] : [`lacks ${few(missing)}`]),
    ...(more.length === 0 ? [] : [`has ${few(more)} besides`]),
  ];
  return [
    remark(
      "address-list-differs",
      "warning",
      `its virtual_ipaddress ${parts.join(" and ")}`,
      "give all routers the same virtual_ipaddress; keepalived before 2.3.3 refuses adverts with another list",
    ),
  ];
}

/** A list that fits a line. */
const few = (addresses: readonly IpAddress[]): string =>
  addresses.length > 4 ? `${addresses.slice(0, 3).join(", ")} and ${addresses.length - 3} more` : addresses.join(", ");

const authWords = (type: number | undefined): string =>
  ({ [AUTH_NONE]: "no authentication", [AUTH_PASS]: "auth_type PASS", [AUTH_AH]: "auth_type AH" })[type ?? -1] ??
  `authentication type ${type}`;

function authentication(mine: VrrpInstance, theirs: ForeignAdvert): Remark[] {
  if (mine.version !== 2) return [];
  const own = mine.authPass === undefined ? AUTH_NONE : AUTH_PASS;
  if (theirs.authType !== own) {
    return [
      remark(
        "auth-type-differs",
        "error",
        `has ${authWords(theirs.authType)}, this host ${authWords(own)}`,
        "give all routers the same authentication block, or none",
      ),
    ];
  }
  if (mine.authPass === undefined) return [];
  const password = authDataOf(mine.authPass);
  if (password.every((byte, at) => byte === theirs.authData?.[at])) return [];
  return [
    remark(
      "password-differs",
      "error",
      "has another auth_pass",
      "give all routers the same auth_pass; only its first 8 characters count",
    ),
  ];
}

function interval(mine: VrrpInstance, theirs: ForeignAdvert): Remark[] {
  if (theirs.advertInterval === mine.advertInterval) return [];
  const [there, here] = [inSeconds(theirs.advertInterval), inSeconds(mine.advertInterval)];
  const cure = `say \`advert_int ${there}\` here or \`advert_int ${here}\` there`;
  return mine.version === 2
    ? [remark("interval-differs", "error", `has advert_int ${there}, this host ${here}`, cure)]
    : [
        remark(
          "interval-learned",
          "note",
          `has advert_int ${there}, this host ${here}: in version 3 a backup takes the master's, so fail-over lasts longer or shorter by who is master`,
          cure,
        ),
      ];
}

function checksumStyle(mine: VrrpInstance, theirs: ForeignAdvert): Remark[] {
  if (mine.version !== 3 || mine.family !== "ipv4") return [];
  const without = theirs.checksum === "valid-without-pseudo-header";
  if (without === mine.checksumWithoutPseudoHeader) return [];
  return [
    remark(
      "checksum-style-differs",
      "warning",
      without
        ? "sums without the pseudo header (RFC 9568 for IPv4), this host with it"
        : "sums with the pseudo header, this host without it",
      without
        ? "say v3_checksum_as_v2 here: evenkeel takes both, that router may take its own kind alone"
        : "take v3_checksum_as_v2 out here, or say it there: evenkeel takes both, that router may take its own kind alone",
    ),
  ];
}
