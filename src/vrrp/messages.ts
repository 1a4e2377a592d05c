/**
 * What goes into the VRRP machine of a host and what comes out of it. All of it is plain JSON, so that a day's inputs can
 * be recorded and replayed.
 *
 * Whoever drives the machine (`daemon/vrrp`, the simulated LAN) hands in what happened, performs the outputs in their
 * order, and hands in `timer` when `nextDeadline` is reached. It decides nothing itself.
 */

import type { IpAddress, Ipv4Address, Ipv6Address } from "../base/ip.ts";
import type { Duration, Instant } from "../base/time.ts";
import type { VirtualRoute, VirtualRule } from "../config/model/route.ts";
import type { ScriptCommand, VirtualAddress, VrrpConfiguration } from "../config/model/vrrp.ts";
import type { CounterName } from "./counters.ts";
import type { RejectReason } from "./receive.ts";

/** Why no frame can pass: set down, no carrier, or not there at all. */
export type LinkLack = "up" | "carrier" | "interface";

export interface InterfaceReport {
  readonly name: string;
  /** Carrier and administrative state together: frames can pass. */
  readonly up: boolean;
  readonly lack?: LinkLack;
  /** Addresses of both families in the kernel's order, the primary one first; virtual addresses may be among them. */
  readonly addresses: readonly IpAddress[];
}

export type ScriptOutcome =
  | { readonly type: "exited"; readonly status: number }
  | { readonly type: "signal"; readonly signal: number }
  /** Still running after its time-out; the driver ends it. */
  | { readonly type: "timeout" }
  /** It could not be started. */
  | { readonly type: "error"; readonly message: string };

export type Input =
  /** First of all inputs but tracker reports, once: every interface that the configuration names and that exists. */
  | { readonly type: "start"; readonly interfaces: readonly InterfaceReport[] }
  /** A packet of IP protocol 112, IPv4 or IPv6 header included, as hexadecimal digits. */
  | { readonly type: "packet"; readonly interface: string; readonly packet: string }
  /** A change of state; an interface that appears is `up` or not, one that vanishes is not `up`. */
  | { readonly type: "link"; readonly interface: string; readonly up: boolean; readonly lack?: LinkLack }
  /** An address came or went, whoever did it: `by` when the kernel said who. The driver hands in its own changes too. */
  | {
      readonly type: "address";
      readonly interface: string;
      readonly address: IpAddress;
      readonly present: boolean;
      readonly by?: string;
    }
  /** A virtual route or rule of this instance is gone and the driver did not take it; `what` as the file has it. */
  | { readonly type: "route-lost"; readonly instance: string; readonly what: string; readonly by?: string }
  /** Of a `track_file`; a file that is not there counts as 0. */
  | { readonly type: "file-value"; readonly file: string; readonly value: number }
  /** Of a `vrrp_track_process`, delays already waited for. */
  | { readonly type: "process-count"; readonly process: string; readonly count: number }
  /** Of `track_proxy` and `track_service`: able to serve or not, and why. */
  | {
      readonly type: "service-state";
      readonly kind: "proxy" | "service";
      readonly name: string;
      /** null: nobody can say any more. */
      readonly up: boolean | null;
      readonly cause: string;
    }
  | { readonly type: "script-result"; readonly script: string; readonly outcome: ScriptOutcome }
  /** `nextDeadline` has been reached. Early or needless ones change nothing. */
  | { readonly type: "timer" }
  /** SIGHUP. Interfaces that only the new configuration names are reported by `link` and `address` before it. */
  | { readonly type: "reconfigure"; readonly configuration: VrrpConfiguration }
  /** Hand over and let go; `stopped` comes when that is done. */
  | { readonly type: "stop" };

/** keepalived's words. `INIT` until the first result of what decides. */
export type StateName = "INIT" | "BACKUP" | "MASTER" | "FAULT" | "STOP";

export type NotifyState =
  | "MASTER"
  | "BACKUP"
  | "FAULT"
  | "STOP"
  | "DELETED"
  | "MASTER_RX_LOWER_PRI"
  /** Only to FIFOs: the effective priority has changed (`notify_priority_changes`). */
  | "MASTER_PRIORITY"
  | "BACKUP_PRIORITY";

export type Output =
  | {
      readonly type: "send-advert";
      readonly instance: string;
      readonly interface: string;
      readonly source: IpAddress;
      /** The multicast group or a unicast peer. */
      readonly destination: IpAddress;
      readonly priority: number;
      /** When it was due, if a timer sent it: what is later than this is lateness of the process. */
      readonly due: Instant | null;
      /** The whole IP packet, header included, as hexadecimal digits. */
      readonly packet: string;
    }
  /** With the finite lifetime of `HostParameters`; replaces the address when it exists. */
  | { readonly type: "add-address"; readonly instance: string; readonly address: VirtualAddress }
  /** No error when it is not there. */
  | { readonly type: "remove-address"; readonly instance: string; readonly address: VirtualAddress }
  /** Lengthen the lifetimes again; adds those that are gone. */
  | { readonly type: "refresh-addresses"; readonly instance: string; readonly addresses: readonly VirtualAddress[] }
  /** One frame: ARP request, sender and target are `address`, broadcast (`wire/arp` builds it). */
  | {
      readonly type: "gratuitous-arp";
      readonly instance: string;
      readonly interface: string;
      readonly address: Ipv4Address;
    }
  /** The same for IPv6: one unsolicited neighbour advertisement, override set (RFC 9568 §6.4.2; `wire/icmpv6`). */
  | {
      readonly type: "neighbour-advertisement";
      readonly instance: string;
      readonly interface: string;
      readonly address: Ipv6Address;
    }
  | { readonly type: "add-route"; readonly instance: string; readonly route: VirtualRoute }
  | { readonly type: "remove-route"; readonly instance: string; readonly route: VirtualRoute }
  | { readonly type: "add-rule"; readonly instance: string; readonly rule: VirtualRule }
  | { readonly type: "remove-rule"; readonly instance: string; readonly rule: VirtualRule }
  /** Somebody else took an address or a route from a master, and what it does about that. */
  | {
      readonly type: "virtual-address-lost";
      readonly instance: string;
      readonly what: string;
      readonly by: string | undefined;
      readonly reaction: "restored" | "failed over";
    }
  /** A master that heard another one, which had to give way, hears it no more; its addresses are announced again. */
  | {
      readonly type: "conflict-ended";
      readonly instance: string;
      readonly with: IpAddress;
      readonly lasted: Duration;
    }
  | {
      readonly type: "priority";
      readonly instance: string;
      readonly from: number;
      readonly to: number;
      readonly cause: string;
    }
  /** Start it; its end is handed in as `script-result`. Never while the run before is unfinished. */
  | {
      readonly type: "run-script";
      readonly script: string;
      readonly command: ScriptCommand;
      readonly timeout: Duration;
    }
  | { readonly type: "script-state"; readonly script: string; readonly ok: boolean; readonly cause: string }
  | {
      readonly type: "state";
      readonly instance: string;
      readonly from: StateName;
      readonly to: StateName;
      /** Effective priority. */
      readonly priority: number;
      /** The chain in words, root first: `eth0 lost carrier → VI_1 FAULT → group RH`. */
      readonly cause: string;
    }
  | {
      readonly type: "group-state";
      readonly group: string;
      readonly from: StateName;
      readonly to: StateName;
      readonly cause: string;
    }
  /** Run `commands` in this order; arguments are already appended. Also what a FIFO is told. */
  | {
      readonly type: "notify";
      readonly kind: "INSTANCE" | "GROUP";
      readonly name: string;
      readonly state: NotifyState;
      /** Effective priority; always 0 for a group. */
      readonly priority: number;
      readonly commands: readonly ScriptCommand[];
    }
  /** keepalived 2.2.7 writes `detail` lines only with `-D`. */
  | { readonly type: "log"; readonly level: "info" | "detail"; readonly line: string }
  /** All has been let go; nothing follows. */
  | { readonly type: "stopped" };

export interface HeardAdvert {
  readonly from: IpAddress;
  readonly priority: number;
  readonly at: Instant;
  /** Version 3 for IPv4, accepted: its checksum covers the message alone, as RFC 9568 §5.2.8 has it. */
  readonly withoutPseudoHeader?: boolean;
}

/** Why the last refused advert was refused: tells two masters that cannot hear each other apart from a quiet LAN. */
export interface RefusedAdvert extends HeardAdvert {
  readonly reason: RejectReason;
  /** In words, as in the log line. */
  readonly detail: string;
}

export interface InstanceSnapshot {
  readonly name: string;
  readonly interface: string;
  readonly virtualRouterId: number;
  readonly version: 2 | 3;
  readonly family: "ipv4" | "ipv6";
  readonly group: string | undefined;
  readonly state: StateName;
  /** MASTER that has sent priority 0 and keeps its addresses until the successor speaks. */
  readonly leaving: boolean;
  readonly since: Instant;
  /** The cause given with the last change of state. */
  readonly cause: string;
  readonly basePriority: number;
  readonly effectivePriority: number;
  /** What makes the one differ from the other now; undefined when they are the same. */
  readonly priorityCause?: string | undefined;
  /** Learnt from the master in version 3. */
  readonly masterAdvertInterval: Duration;
  /** Where its adverts come from; undefined while its interface has no address. */
  readonly source?: IpAddress | undefined;
  /** MASTER: the next advert. BACKUP: until then it waits for one. */
  readonly deadline?: Instant | undefined;
  readonly addresses: readonly VirtualAddress[];
  readonly holdsAddresses: boolean;
  readonly lastAdvert: HeardAdvert | undefined;
  readonly lastRefused: RefusedAdvert | undefined;
  /** Why it may not take part; empty when it may. */
  readonly faults: readonly string[];
  readonly counters: Readonly<Record<CounterName, number>>;
}

export interface GroupSnapshot {
  readonly name: string;
  readonly state: StateName;
  readonly members: readonly string[];
}

export interface ScriptSnapshot {
  readonly name: string;
  readonly state: "unknown" | "ok" | "failed";
  /** Exit status of the last run that exited. */
  readonly lastStatus: number;
  /** Results in a row that speak against `state`. */
  readonly against: number;
  readonly running: boolean;
  /** It has ended at least once. */
  readonly reported: boolean;
}

export interface HostSnapshot {
  readonly instances: readonly InstanceSnapshot[];
  readonly groups: readonly GroupSnapshot[];
  readonly scripts: readonly ScriptSnapshot[];
  /** Last word of each `track_file` and each `vrrp_track_process`; none of those that have not reported. */
  readonly files: readonly { readonly name: string; readonly value: number }[];
  readonly processes: readonly { readonly name: string; readonly count: number }[];
  /** Adverts for a virtual router that this host does not take part in. */
  readonly unknownVrid: number;
  /** Packets too short or too odd to tell whom they are for. */
  readonly malformed: number;
}
