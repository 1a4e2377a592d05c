/**
 * What keepalived.conf says about VRRP, checked and with defaults filled in. Plain JSON: the supervisor reads the files,
 * the vrrp process receives this.
 *
 * Names are keepalived's (keepalived.conf(5)). Durations are integer microseconds.
 */

import type { IpAddress, Ipv4Address, Ipv6Address } from "../../base/ip.ts";
import type { MacAddress } from "../../base/mac.ts";
import type { Duration } from "../../base/time.ts";
import type { MailSettings } from "./mail.ts";
import type { VirtualRoute, VirtualRule } from "./route.ts";
import type { TrackFile } from "./virtual-server.ts";

export interface VrrpConfiguration {
  readonly global: VrrpGlobal;
  readonly scripts: readonly VrrpScript[];
  /** Those that an instance or a group tracks. */
  readonly trackFiles: readonly TrackFile[];
  readonly trackProcesses: readonly TrackedProcess[];
  /** `static_ipaddress`, `static_routes`, `static_rules`: there as long as the daemon runs, whoever is master. */
  readonly statics: {
    readonly addresses: readonly VirtualAddress[];
    readonly routes: readonly VirtualRoute[];
    readonly rules: readonly VirtualRule[];
  };
  readonly syncGroups: readonly SyncGroup[];
  readonly instances: readonly VrrpInstance[];
}

export interface VrrpGlobal {
  readonly routerId: string | undefined;
  readonly enableScriptSecurity: boolean;
  /** `script_user USER [GROUP]`. */
  readonly scriptUser: ScriptUser | undefined;
  /** Missing interfaces are waited for instead of refused. */
  readonly dynamicInterfaces: boolean;
  readonly mcastGroup4: Ipv4Address;
  readonly mcastGroup6: Ipv6Address;
  readonly skipCheckAdvAddr: boolean;
  readonly logUnknownVrids: boolean;
  readonly startupDelay: Duration;
  /** `vrrp_delay_after_boot`: the start waits until the machine has been up for so long. */
  readonly delayAfterBoot: Duration;
  /** Every FIFO that hears of VRRP: `notify_fifo` and `vrrp_notify_fifo`. */
  readonly notifyFifos: readonly NotifyFifo[];
  /** `fifo_write_vrrp_states_on_reload`. */
  readonly statesToFifosOnReload: boolean;
  /** evenkeel's own `notify_parallel`: scripts are started at once, as keepalived does, instead of one after the other. */
  readonly notifyParallel: boolean;
  /** Undefined when there is nobody to write to. */
  readonly mail: MailSettings | undefined;
  /** `no_email_faults`: nobody is written to when something enters FAULT. */
  readonly noEmailFaults: boolean;
  readonly startupScript: TimedCommand | undefined;
  readonly shutdownScript: TimedCommand | undefined;
  /** The nftables table for `no_accept`: `nftables NAME`, `nftables_priority N`. */
  readonly nftables: { readonly table: string; readonly priority: number };
  readonly scheduling: Scheduling;
  /** `interface_up_down_delays`: changes of a link count when they have lasted so long. */
  readonly interfaceDelays: readonly InterfaceDelay[];
  /** `garp_group`: interfaces that share one gap between gratuitous ARPs; they come before `vrrp_garp_interval`. */
  readonly garpGroups: readonly GarpGroup[];
}

export interface GarpGroup {
  readonly interfaces: readonly string[];
  /** 0 for none. */
  readonly interval: Duration;
  readonly neighbourInterval: Duration;
}

/** How the vrrp process is put before others. */
export interface Scheduling {
  /** `vrrp_priority`: -20..19; undefined: -20. */
  readonly nice: number | undefined;
  /** `vrrp_rt_priority`: SCHED_RR with this priority, 1..99; undefined: no real-time scheduling. */
  readonly realtime: number | undefined;
  /** `vrrp_rlimit_rttime`: so long it may run in one go under real-time scheduling; at least 1 s is given, unlike keepalived's 10 ms. */
  readonly realtimeLimit: Duration | undefined;
}

export interface InterfaceDelay {
  readonly interface: string;
  readonly down: Duration;
  readonly up: Duration;
}

export interface NotifyFifo {
  readonly path: string;
  /** Owner of the FIFO when it is made here. */
  readonly user: ScriptUser | undefined;
  /** Started with the path as its last argument. */
  readonly script: ScriptCommand | undefined;
}

export interface TimedCommand {
  readonly command: ScriptCommand;
  readonly timeout: Duration;
}

export interface ScriptUser {
  readonly user: string;
  readonly group: string | undefined;
}

/** A command run without a shell. */
export interface ScriptCommand {
  /** The program first. */
  readonly argv: readonly string[];
  readonly user: ScriptUser | undefined;
}

export interface VrrpScript {
  readonly name: string;
  readonly command: ScriptCommand;
  readonly interval: Duration;
  /** Then the run counts as failed. */
  readonly timeout: Duration;
  /** -253..253. 0: a failure means FAULT. */
  readonly weight: number;
  readonly reverse: boolean;
  readonly rise: number;
  readonly fall: number;
  readonly initFail: boolean;
}

/** `vrrp_track_process`. */
export interface TrackedProcess {
  readonly name: string;
  /** The command, and the arguments when they must match as well. */
  readonly command: readonly string[];
  /** Of the arguments: all of them, their beginning, or the beginning of the last one too. */
  readonly match: "exact" | "initial" | "partial";
  /** The whole path of the program is compared, not its file name. */
  readonly fullCommand: boolean;
  readonly weight: number;
  readonly reverse: boolean;
  /** As many are enough, and no more than `quorumMax` may be. */
  readonly quorum: number;
  readonly quorumMax: number | undefined;
  /** Before a new process counts, and before one that is gone is missed. */
  readonly forkDelay: Duration;
  readonly terminateDelay: Duration;
}

/** What decides about a virtual router or a sync group besides the adverts of others. */
export interface Trackers {
  readonly trackInterfaces: readonly TrackInterface[];
  readonly trackScripts: readonly TrackScript[];
  readonly trackFiles: readonly Tracker[];
  readonly trackProcesses: readonly Tracker[];
  /** evenkeel's own `track_proxy`: a frontend, backend or listen of haproxy.cfg in the same program. */
  readonly trackProxies: readonly Tracker[];
  /** evenkeel's own `track_service`: a virtual server, named as `evenkeel status` does: `[10.0.0.1]:tcp:80`. */
  readonly trackServices: readonly Tracker[];
}

export interface SyncGroup extends Trackers {
  readonly name: string;
  /** Instance names, in file order. */
  readonly members: readonly string[];
  readonly notify: NotifyScripts;
  readonly trackingWeight: boolean;
  readonly notifyPriorityChanges: boolean;
  readonly smtpAlert: boolean;
}

/** Of something that has a name; the weight is resolved, 0 means FAULT. */
export interface Tracker {
  readonly name: string;
  readonly weight: number;
  readonly reverse: boolean;
}

export interface TrackInterface {
  readonly interface: string;
  /** 0: FAULT when it is down. */
  readonly weight: number;
  readonly reverse: boolean;
}

export interface TrackScript {
  readonly script: string;
  /** Already resolved: the script's own weight unless the tracker names one. */
  readonly weight: number;
  readonly reverse: boolean;
}

export interface NotifyScripts {
  readonly master: ScriptCommand | undefined;
  readonly backup: ScriptCommand | undefined;
  readonly fault: ScriptCommand | undefined;
  readonly stop: ScriptCommand | undefined;
  /** Gets `TYPE NAME STATE PRIORITY` appended. */
  readonly any: ScriptCommand | undefined;
  /** `notify_deleted` without a script: the other notifications say DELETED instead of FAULT. */
  readonly deleted: ScriptCommand | "say-deleted" | undefined;
  readonly masterRxLowerPri: ScriptCommand | undefined;
}

/** Of a unicast instance without `interface`: adverts leave as the kernel routes them and may come in anywhere. */
export const NO_INTERFACE = "";

export interface VrrpInstance extends Trackers {
  readonly name: string;
  /** `state MASTER|BACKUP`: a wish, see reference of `state`. */
  readonly state: "MASTER" | "BACKUP";
  /** Where peers and its link are; `NO_INTERFACE` for unicast by the routing table. */
  readonly interface: string;
  /** A macvlan of our own that carries the RFC's MAC address, the adverts and the addresses. */
  readonly vmac: VirtualMac | undefined;
  /** Of its adverts and its virtual addresses. */
  readonly family: "ipv4" | "ipv6";
  /** 1..255. */
  readonly virtualRouterId: number;
  /** 1..255; 255 is the address owner. */
  readonly priority: number;
  readonly version: 2 | 3;
  readonly advertInterval: Duration;
  /** At most 8 bytes of UTF-8, already cut; undefined without `auth_type PASS`. */
  readonly authPass: string | undefined;
  readonly virtualAddresses: readonly VirtualAddress[];
  /** `virtual_ipaddress_excluded`: managed, not advertised. */
  readonly excludedAddresses: readonly VirtualAddress[];
  readonly virtualRoutes: readonly VirtualRoute[];
  readonly virtualRules: readonly VirtualRule[];
  readonly promoteSecondaries: boolean;
  /** `mcast_src_ip` or `unicast_src_ip`; undefined: the interface's own. */
  readonly sourceAddress: IpAddress | undefined;
  /** `track_src_ip`: FAULT while the host does not have it. */
  readonly trackSourceAddress: boolean;
  /** Where adverts go without unicast peers: `mcast_dst_ip` or the global group of its family. */
  readonly multicastGroup: IpAddress;
  /** Undefined: multicast. An empty list comes from `unicast_fault_no_peer` alone and means FAULT. */
  readonly unicastPeers: readonly UnicastPeer[] | undefined;
  /** Of unicast adverts sent. */
  readonly unicastTtl: number;
  readonly checkUnicastSource: boolean;
  /** `v3_checksum_as_v2`: adverts leave without pseudo header in their checksum (RFC 9568); received are both. */
  readonly checksumWithoutPseudoHeader: boolean;
  readonly strict: boolean;
  /** False: traffic to the virtual addresses is dropped (RFC 9568 Accept_Mode). */
  readonly accept: boolean;
  readonly nopreempt: boolean;
  readonly preemptDelay: Duration;
  /** `dont_track_primary`. */
  readonly ignoreOwnLink: boolean;
  readonly garp: GratuitousArp;
  readonly lowerPrioNoAdvert: boolean;
  readonly higherPrioSendAdvert: boolean;
  readonly downTimerAdverts: number;
  readonly skipCheckAdvAddr: boolean;
  readonly ownerIgnoreAdverts: boolean;
  /** `timer_expired_backup`: after a stall longer than the master-down time it waits with this priority even if it may preempt nobody. */
  readonly timerExpiredBackup: number | undefined;
  /** evenkeel's own `on_vip_loss`: what a master does when somebody else takes an address away from it. */
  readonly onVipLoss: "failover" | "restore";
  readonly notify: NotifyScripts;
  readonly notifyPriorityChanges: boolean;
  readonly smtpAlert: boolean;
}

export interface VirtualMac {
  /** `vrrp.51` unless named. */
  readonly interface: string;
  /** Undefined: 00:00:5e:00:01:VRID, for IPv6 00:00:5e:00:02:VRID. */
  readonly mac: MacAddress | undefined;
  /** `vmac_xmit_base`: adverts come and go by the base interface. */
  readonly transmitOnBase: boolean;
}

export interface UnicastPeer {
  readonly address: IpAddress;
  /** Of adverts received, 0..255. */
  readonly minTtl: number;
  readonly maxTtl: number;
}

export interface GratuitousArp {
  /** Until the second batch; 0 for none. */
  readonly masterDelay: Duration;
  readonly masterRepeat: number;
  /** Between batches while MASTER; 0 for none. */
  readonly masterRefresh: Duration;
  readonly masterRefreshRepeat: number;
  readonly lowerPrioDelay: Duration;
  readonly lowerPrioRepeat: number;
  /** Gap between two of them on one interface. */
  readonly interval: Duration;
  /** The same for unsolicited neighbour advertisements. */
  readonly neighbourInterval: Duration;
  /** `garp_extra_if`: also on all other interfaces with a route to the address, so often; 0 for not. */
  readonly extraInterfaces: Duration;
}

export interface VirtualAddress {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly interface: string;
  readonly broadcast: Ipv4Address | undefined;
  readonly label: string | undefined;
  readonly scope: "global" | "site" | "link" | "host" | "nowhere" | number;
  readonly peer: IpAddress | undefined;
  /** IFA_F_* to set besides those of every virtual address: `home`, `mngtmpaddr`, `noprefixroute`, `autojoin`. */
  readonly flags: readonly ("home" | "mngtmpaddr" | "noprefixroute" | "autojoin")[];
  /** `-nodad` of a static address: IPv6 skips duplicate address detection. Virtual ones always skip it. */
  readonly nodad: boolean;
  /** Undefined: an IPv6 virtual address gets 0, so that nothing from this host leaves with it unasked; IPv4 has no say. */
  readonly preferredLifetime: Duration | "forever" | undefined;
  /** Not watched: losing it changes no state. */
  readonly noTrack: boolean;
}
