/** Routes and policy rules of keepalived.conf (`virtual_routes`, `static_rules` …), in the words of ip-route(8) and ip-rule(8). */

import type { IpAddress, IpPrefix } from "../../base/ip.ts";

export interface VirtualRoute {
  readonly family: "ipv4" | "ipv6";
  readonly type: "unicast" | "local" | "blackhole" | "unreachable" | "prohibit" | "throw";
  readonly destination: IpPrefix;
  readonly via: IpAddress | undefined;
  readonly interface: string | undefined;
  /** Source address that the kernel prefers. */
  readonly source: IpAddress | undefined;
  readonly metric: number | undefined;
  /** 254 is main. */
  readonly table: number;
  /** RT_SCOPE_*; undefined: as iproute2 chooses. */
  readonly scope: number | undefined;
  /** RTPROT_*; undefined: keepalived's 18. */
  readonly protocol: number | undefined;
  readonly typeOfService: number;
  readonly mtu: number | undefined;
  readonly onlink: boolean;
  readonly nextHops: readonly {
    readonly via: IpAddress | undefined;
    readonly interface: string | undefined;
    /** 1..256. */
    readonly weight: number;
    readonly onlink: boolean;
  }[];
  /** Losing it changes no state. */
  readonly noTrack: boolean;
  /** As the file has it, for messages. */
  readonly written: string;
}

export interface VirtualRule {
  readonly family: "ipv4" | "ipv6";
  readonly not: boolean;
  readonly from: IpPrefix | undefined;
  readonly to: IpPrefix | undefined;
  readonly incomingInterface: string | undefined;
  readonly outgoingInterface: string | undefined;
  readonly mark: { readonly value: number; readonly mask: number } | undefined;
  readonly typeOfService: number;
  /** Undefined: the kernel chooses. */
  readonly preference: number | undefined;
  readonly action:
    | { readonly type: "table"; readonly table: number }
    | { readonly type: "goto"; readonly preference: number }
    | { readonly type: "blackhole" | "unreachable" | "prohibit" | "nop" };
  readonly noTrack: boolean;
  readonly written: string;
}
