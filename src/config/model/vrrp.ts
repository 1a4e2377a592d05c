/**
 * What keepalived.conf says about VRRP, checked and with defaults filled in. Plain JSON: the supervisor reads the files,
 * the vrrp process receives this.
 *
 * Names are keepalived's (keepalived.conf(5)). Durations are integer microseconds.
 */

import type { IpAddress, Ipv4Address } from "../../base/ip.ts";
import type { Duration } from "../../base/time.ts";

export interface VrrpConfiguration {
  readonly global: VrrpGlobal;
  readonly scripts: readonly VrrpScript[];
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
  readonly skipCheckAdvAddr: boolean;
  readonly logUnknownVrids: boolean;
  readonly startupDelay: Duration;
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

export interface SyncGroup {
  readonly name: string;
  /** Instance names, in file order. */
  readonly members: readonly string[];
  readonly trackInterfaces: readonly TrackInterface[];
  readonly trackScripts: readonly TrackScript[];
  readonly notify: NotifyScripts;
  readonly trackingWeight: boolean;
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
}

export interface VrrpInstance {
  readonly name: string;
  /** `state MASTER|BACKUP`: a wish, see reference of `state`. */
  readonly state: "MASTER" | "BACKUP";
  readonly interface: string;
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
  readonly mcastSrcIp: Ipv4Address | undefined;
  readonly nopreempt: boolean;
  readonly preemptDelay: Duration;
  readonly trackInterfaces: readonly TrackInterface[];
  readonly trackScripts: readonly TrackScript[];
  /** `dont_track_primary`. */
  readonly ignoreOwnLink: boolean;
  readonly garp: GratuitousArp;
  readonly lowerPrioNoAdvert: boolean;
  readonly higherPrioSendAdvert: boolean;
  readonly downTimerAdverts: number;
  readonly skipCheckAdvAddr: boolean;
  readonly notify: NotifyScripts;
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
}

export interface VirtualAddress {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly interface: string;
  readonly broadcast: Ipv4Address | undefined;
  readonly label: string | undefined;
  readonly scope: "global" | "site" | "link" | "host" | "nowhere" | number;
  /** Not watched: losing it changes no state. */
  readonly noTrack: boolean;
}
