/** VRRP configurations for tests: what keepalived.conf leaves out has keepalived's defaults. */

import {
  type IpAddress,
  type Ipv4Address,
  type Ipv6Address,
  parseIp,
  parseIpPrefix,
  parseIpv4,
} from "../../src/base/ip.ts";
import { type Duration, seconds } from "../../src/base/time.ts";
import type { VirtualRoute, VirtualRule } from "../../src/config/model/route.ts";
import type {
  NotifyScripts,
  SyncGroup,
  VirtualAddress,
  VrrpConfiguration,
  VrrpGlobal,
  VrrpInstance,
  VrrpScript,
} from "../../src/config/model/vrrp.ts";

export function ip(text: string): Ipv4Address {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`${text} is not an IPv4 address`);
  return address;
}

/** Of either family. */
export function addressOf(text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`${text} is not an IP address`);
  return address;
}

export const NO_NOTIFY: NotifyScripts = {
  master: undefined,
  backup: undefined,
  fault: undefined,
  stop: undefined,
  any: undefined,
  deleted: undefined,
  masterRxLowerPri: undefined,
};

export const vip = (address: string, more: Partial<VirtualAddress> = {}): VirtualAddress => ({
  address: addressOf(address),
  prefixLength: address.includes(":") ? 64 : 24,
  interface: "eth0",
  broadcast: undefined,
  label: undefined,
  scope: "global",
  noTrack: false,
  peer: undefined,
  flags: [],
  nodad: false,
  preferredLifetime: undefined,
  ...more,
});

export const instance = (more: Partial<VrrpInstance> = {}): VrrpInstance => ({
  name: "V",
  state: "BACKUP",
  interface: "eth0",
  virtualRouterId: 5,
  priority: 100,
  version: 2,
  advertInterval: seconds(1),
  authPass: undefined,
  virtualAddresses: [vip("10.9.0.50")],
  excludedAddresses: [],
  sourceAddress: undefined,
  vmac: undefined,
  family: "ipv4",
  virtualRoutes: [],
  virtualRules: [],
  promoteSecondaries: false,
  trackSourceAddress: false,
  multicastGroup: ip("224.0.0.18"),
  unicastPeers: undefined,
  unicastTtl: 255,
  checkUnicastSource: false,
  checksumWithoutPseudoHeader: false,
  strict: false,
  accept: true,
  trackFiles: [],
  trackProcesses: [],
  trackProxies: [],
  trackServices: [],
  ownerIgnoreAdverts: false,
  timerExpiredBackup: undefined,
  onVipLoss: "failover",
  notifyPriorityChanges: false,
  smtpAlert: false,
  nopreempt: false,
  preemptDelay: 0 as Duration,
  trackInterfaces: [],
  trackScripts: [],
  ignoreOwnLink: false,
  garp: {
    masterDelay: seconds(5),
    masterRepeat: 5,
    masterRefresh: 0 as Duration,
    masterRefreshRepeat: 1,
    lowerPrioDelay: seconds(5),
    lowerPrioRepeat: 5,
    interval: 0 as Duration,
    neighbourInterval: 0 as Duration,
    extraInterfaces: 0 as Duration,
  },
  lowerPrioNoAdvert: false,
  higherPrioSendAdvert: false,
  downTimerAdverts: 3,
  skipCheckAdvAddr: false,
  notify: NO_NOTIFY,
  ...more,
});

/** What config makes of `virtual_routes { WRITTEN }` with default words. */
export const route = (destination: string, more: Partial<VirtualRoute> = {}): VirtualRoute => ({
  family: destination.includes(":") ? "ipv6" : "ipv4",
  type: "unicast",
  destination: parseIpPrefix(destination) ?? { address: ip("0.0.0.0"), length: 0 },
  via: undefined,
  interface: "eth0",
  source: undefined,
  metric: undefined,
  table: 254,
  scope: undefined,
  protocol: undefined,
  typeOfService: 0,
  mtu: undefined,
  onlink: false,
  nextHops: [],
  noTrack: false,
  written: `${destination} dev eth0`,
  ...more,
});

export const rule = (from: string, table: number, more: Partial<VirtualRule> = {}): VirtualRule => ({
  family: from.includes(":") ? "ipv6" : "ipv4",
  not: false,
  from: parseIpPrefix(from),
  to: undefined,
  incomingInterface: undefined,
  outgoingInterface: undefined,
  mark: undefined,
  typeOfService: 0,
  preference: undefined,
  action: { type: "table", table },
  noTrack: false,
  written: `from ${from} table ${table}`,
  ...more,
});

export const script = (name: string, more: Partial<VrrpScript> = {}): VrrpScript => ({
  name,
  command: { argv: [`/check/${name}`], user: undefined },
  interval: seconds(1),
  timeout: seconds(1),
  weight: 0,
  reverse: false,
  rise: 1,
  fall: 1,
  initFail: false,
  ...more,
});

export const group = (name: string, members: readonly string[], more: Partial<SyncGroup> = {}): SyncGroup => ({
  name,
  members,
  trackInterfaces: [],
  trackScripts: [],
  trackFiles: [],
  trackProcesses: [],
  trackProxies: [],
  trackServices: [],
  notify: NO_NOTIFY,
  trackingWeight: false,
  notifyPriorityChanges: false,
  smtpAlert: false,
  ...more,
});

const GLOBAL: VrrpGlobal = {
  routerId: undefined,
  enableScriptSecurity: false,
  scriptUser: undefined,
  dynamicInterfaces: false,
  mcastGroup4: ip("224.0.0.18"),
  skipCheckAdvAddr: false,
  logUnknownVrids: false,
  startupDelay: 0 as Duration,
  mcastGroup6: "ff02::12" as Ipv6Address,
  delayAfterBoot: 0 as Duration,
  notifyFifos: [],
  statesToFifosOnReload: false,
  notifyParallel: false,
  mail: undefined,
  startupScript: undefined,
  shutdownScript: undefined,
  nftables: { table: "keepalived", priority: -1 },
  noEmailFaults: false,
  scheduling: { nice: undefined, realtime: undefined, realtimeLimit: undefined },
  interfaceDelays: [],
  garpGroups: [],
};

export const configuration = (
  instances: readonly VrrpInstance[],
  more: Partial<Omit<VrrpConfiguration, "global">> & { readonly global?: Partial<VrrpGlobal> } = {},
): VrrpConfiguration => ({
  scripts: [],
  trackFiles: [],
  trackProcesses: [],
  statics: { addresses: [], routes: [], rules: [] },
  syncGroups: [],
  instances,
  ...more,
  global: { ...GLOBAL, ...more.global },
});
