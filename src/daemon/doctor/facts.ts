/**
 * What `evenkeel doctor` looks at before it judges: plain values, so that a judgement can be tested and a report sent along.
 *
 * `gather.ts` fills it; the `judge-*.ts` read it.
 */

import type { IpAddress } from "../../base/ip.ts";
import type { BpfFeature } from "../../sys/bpf-probe.ts";
import type { NetworkInterface } from "../../sys/interfaces.ts";
import type { OtherPlane } from "../plane/leftovers.ts";
import type { RealReport } from "../real/report.ts";

export interface Facts {
  readonly machine: MachineFacts;
  readonly interfaces: readonly InterfaceFacts[];
  /** Services of the kernel's own IPVS; undefined: it is not loaded. */
  readonly ipvs: readonly Endpoint[] | undefined;
  /** Daemons that do what evenkeel does, in this network namespace. */
  readonly daemons: readonly { readonly name: string; readonly pid: number }[];
  /** Our data plane; undefined: it is not loaded, or rights are missing to look at it. */
  readonly plane: PlaneFacts | undefined;
  /** Those of other network namespaces. */
  readonly otherPlanes: readonly OtherPlane[];
  /** A text: why it could not be looked at. */
  readonly real: RealReport | string;
  readonly listening: readonly Endpoint[];
  /** NAT rules that turn packets for an address into local ones. Undefined: nothing here can list them. */
  readonly redirects: readonly Redirect[] | undefined;
  /** By the address asked for. */
  readonly routes: Readonly<Record<string, RouteFacts>>;
}

export interface MachineFacts {
  /** `uname -r`. */
  readonly release: string;
  /** CAP_*, of those that layer 4 needs. */
  readonly missingCapabilities: readonly string[];
  /** A text: why they could not be tried. */
  readonly bpf: readonly BpfFeature[] | string;
  readonly ioUring: "allowed" | "restricted" | "absent";
  /** What `nft` said when it was refused; `missing`: there is no such command. */
  readonly nftables: "works" | "missing" | { readonly refused: string };
  /** On some interface. */
  readonly ipForward: boolean;
}

export interface InterfaceFacts extends NetworkInterface {
  /** Ethernet, and neither port of a bridge nor of a bond. */
  readonly guardable: boolean;
  /** ip-sysctl.rst, the higher one of all's and its own. */
  readonly arpIgnore: number;
  readonly arpAnnounce: number;
  readonly rpFilter: number;
}

export interface Endpoint {
  readonly protocol: "tcp" | "udp";
  /** Undefined: any address. */
  readonly address: IpAddress | undefined;
  /** Without an address: of this family alone; both when missing. */
  readonly family?: 4 | 6 | undefined;
  readonly port: number;
}

export interface Redirect {
  /** Undefined: any address. */
  readonly address: IpAddress | undefined;
  /** Undefined: any port. */
  readonly port: number | undefined;
}

export interface PlaneFacts {
  readonly services: readonly PlaneService[];
  /** Names of the interfaces whose packets it sees; undefined: not known. */
  readonly attached: readonly string[] | undefined;
}

export interface PlaneService {
  /** As listings print it: `TCP 10.0.0.1:80`, `FWM 5`. */
  readonly name: string;
  /** Undefined for a firewall mark. */
  readonly address: IpAddress | undefined;
  /** Of a service by firewall mark: packets of IPv4 are brought in by routing rules (daemon/plane/mark-rules.ts). */
  readonly mark?: { readonly family: 4 | 6 } | undefined;
  readonly servers: readonly PlaneServer[];
}

export interface PlaneServer {
  readonly address: IpAddress;
  readonly port: number;
  readonly method: "nat" | "dr" | "tun";
  readonly weight: number;
}

export interface RouteFacts {
  /** Undefined: there is no route. */
  readonly interface: string | undefined;
  /** The route is to this host itself. */
  readonly local: boolean;
  /** Undefined: on the link. */
  readonly gateway: IpAddress | undefined;
  readonly mtu: number | undefined;
  /** REACHABLE, STALE, FAILED …, of the next hop; undefined: not asked for yet. */
  readonly neighbour: string | undefined;
}
