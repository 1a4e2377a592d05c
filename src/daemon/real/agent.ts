/**
 * What a real server of a balanced service needs and people forget: the VIP on lo, silence about it towards neighbours, open
 * tunnels, an MSS that fits them. Made in one go, kept by the kernel with no process, and undone in one go.
 *
 * Every step leaves a state that is safe and that the next run completes: the guard stands before the address does, and the
 * memory of what is ours to remove is written before it is made. Nothing here is a balancer's.
 */

import { mkdirSync } from "node:fs";
import { type IpAddress, isIpv4 } from "../../base/ip.ts";
import { putAddress, removeAddress } from "../../sys/addresses.ts";
import { type BpfObject, loadObject, readObjectTypes } from "../../sys/bpf.ts";
import { type NetworkInterface, readInterfaces } from "../../sys/interfaces.ts";
import { Netlink } from "../../sys/netlink.ts";
import { attachedAt, attachTo, detachFrom } from "./attachments.ts";
import { effectiveIpv4Sysctl, isGuardable, spokesmanOf, tunnelMss } from "./interfaces.ts";
import { type RealPlace, removePins } from "./place.ts";
import type { RealReport } from "./report.ts";
import { type GuardedVip, openRealState, type RealMode, RealState } from "./state.ts";

export interface RealOptions {
  readonly vips: readonly IpAddress[];
  readonly mode: RealMode;
  /** By name; every Ethernet interface when missing. Those of earlier runs stay. */
  readonly interfaces?: readonly string[] | undefined;
  /** Offered to clients at most; `none`: as it comes. Missing: with tunnels what fits into them, else as it comes. */
  readonly mss?: number | "none" | undefined;
}

/** Refused; nothing was changed. `message` says why and what to do. */
export class RealRefused extends Error {}

const LOOPBACK = "lo";
const RT_SCOPE_HOST = 254;

const prefixLengthOf = (address: IpAddress): number => (isIpv4(address) ? 32 : 128);
const text = (address: IpAddress): string => `${address}/${prefixLengthOf(address)}`;

/**
 * Adds these VIPs to what is there. @returns what it did, a line each
 * @throws RealRefused; BpfLoadError; BpfMapMismatch; SystemError
 */
export function setUp(place: RealPlace, options: RealOptions): string[] {
  const interfaces = sortedInterfaces();
  const loopback = interfaces.find(({ name }) => name === LOOPBACK);
  if (loopback === undefined) throw new RealRefused("this network namespace has no interface lo");
  const guarded = chooseInterfaces(interfaces, options.interfaces);
  for (const vip of options.vips) refuseBalancer(vip, interfaces);
  for (const one of interfaces) {
    if (!guarded.includes(one) && attachedAt(place, one, "egress") !== undefined) guarded.push(one);
  }
  mkdirSync(place.folder, { recursive: true });
  const object = loadObject({ file: place.object, pinned: place.folder });
  try {
    const state = new RealState(object.types, (name) => object.map(name));
    const toAdd = options.vips.filter((vip) => !loopback.addresses.some(({ address }) => address === vip));
    return [
      ...remember(state, options, guarded, toAdd),
      ...guardInterfaces(place, object, state, guarded),
      ...addToLoopback(toAdd, loopback),
    ];
  } finally {
    object.close();
  }
}

/** What is to be true of each VIP; the programs go by it at once. */
function remember(
  state: RealState,
  { vips, mode, mss: asked }: RealOptions,
  guarded: readonly NetworkInterface[],
  toAdd: readonly IpAddress[],
): string[] {
  const known = new Map(state.vips().map((vip) => [vip.address, vip]));
  const mtu = Math.min(...guarded.map((one) => one.mtu));
  const own = guarded.flatMap(({ addresses }) =>
    addresses.filter(({ address, scope }) => scope === 0 && !known.has(address) && !vips.includes(address)),
  );
  const hasFamily = (family: 4 | 6) => own.some(({ address }) => isIpv4(address) === (family === 4));
  const standard = (vip: IpAddress) => (mode === "tun" ? tunnelMss(vip, mtu, hasFamily) : 0);
  return vips.flatMap((address) => {
    const before = known.get(address);
    const mss = asked === "none" ? 0 : (asked ?? standard(address));
    const ownAddress = before?.ownAddress === true || toAdd.includes(address);
    if (before?.mode === mode && before.mss === mss && before.ownAddress === ownAddress) return [];
    state.putVip({ address, mode, mss, ownAddress });
    return [
      `${address}: neighbours hear nothing of it from here${mode === "tun" ? ", its tunnels end here" : ""}`,
      ...(mss === 0 ? [] : [`${address}: clients are offered an MSS of at most ${mss}`]),
    ];
  });
}

/** Attached even where they are: so an upgrade puts its new programs in the place of the old ones. */
function guardInterfaces(
  place: RealPlace,
  object: BpfObject,
  state: RealState,
  guarded: readonly NetworkInterface[],
): string[] {
  const vips = state.vips();
  const isVip = (address: IpAddress) => vips.some((vip) => vip.address === address);
  const said: string[] = [];
  for (const one of guarded) {
    state.putSpokesman(one.index, spokesmanOf(one, isVip));
    said.push(...attachTo(place, one, "egress", object.program("real_out")));
    if (vips.some(({ mode }) => mode === "tun")) {
      said.push(...attachTo(place, one, "ingress", object.program("real_in")));
    } else {
      said.push(...detachFrom(place, one, "ingress"));
    }
  }
  state.keepSpokesmen(new Set(guarded.map(({ index }) => index)));
  return said;
}

function addToLoopback(vips: readonly IpAddress[], { index }: NetworkInterface): string[] {
  const netlink = new Netlink();
  try {
    return vips.map((address) => {
      putAddress(netlink, {
        interfaceIndex: index,
        address,
        prefixLength: prefixLengthOf(address),
        // Never chosen as the source of this host's own connections: IPv4 by its scope, IPv6 because it is deprecated.
        ...(isIpv4(address) ? { scope: RT_SCOPE_HOST } : { preferredLifetime: 0 }),
        validLifetime: "forever",
      });
      return `${text(address)} added to ${LOOPBACK}`;
    });
  } finally {
    netlink.close();
  }
}

/**
 * Takes these VIPs back, or all; with the last one everything goes that `setUp` made. Addresses that were there before stay.
 * @returns what it did, a line each; nothing when there was nothing to undo
 * @throws RealRefused: none of ours; SystemError
 */
export function undo(place: RealPlace, vips: readonly IpAddress[]): string[] {
  return withState(place, (state) => {
    const known = state?.vips() ?? [];
    for (const vip of vips) {
      if (!known.some(({ address }) => address === vip)) throw new RealRefused(`${vip} was not set up here`);
    }
    const going = known.filter(({ address }) => vips.length === 0 || vips.includes(address));
    // The addresses go first: the guard must not fall while they are there.
    const said = removeFromLoopback(going);
    for (const { address } of going) state?.removeVip(address);
    const left = state?.vips() ?? [];
    for (const one of sortedInterfaces()) {
      if (!left.some(({ mode }) => mode === "tun")) said.push(...detachFrom(place, one, "ingress"));
      if (left.length === 0) said.push(...detachFrom(place, one, "egress"));
    }
    if (state === undefined && said.length > 0) {
      said.push("the pins are gone, and with them what is known of addresses on lo: those stay");
    }
    if (left.length === 0) removePins(place);
    return said;
  });
}

function removeFromLoopback(vips: readonly GuardedVip[]): string[] {
  const interfaceIndex = sortedInterfaces().find(({ name }) => name === LOOPBACK)?.index ?? 1;
  const netlink = new Netlink();
  try {
    return vips.flatMap(({ address, ownAddress }) => {
      if (!ownAddress) return [`${text(address)} stays on ${LOOPBACK}: it was there before`];
      const removed = removeAddress(netlink, { interfaceIndex, address, prefixLength: prefixLengthOf(address) });
      return removed ? [`${text(address)} removed from ${LOOPBACK}`] : [];
    });
  } finally {
    netlink.close();
  }
}

/** What is set up here. @throws SystemError EPERM */
export function look(place: RealPlace): RealReport {
  const interfaces = sortedInterfaces();
  const loopback = interfaces.find(({ name }) => name === LOOPBACK);
  return withState(place, (state) => ({
    vips: (state?.vips() ?? []).map((vip) => ({
      ...vip,
      onLoopback: loopback?.addresses.some(({ address }) => address === vip.address) === true,
    })),
    interfaces: interfaces.filter(isGuardable).map((one) => {
      const asksAs = state?.spokesman(one.index);
      return {
        name: one.name,
        up: one.up,
        guard: attachedAt(place, one, "egress"),
        tunnels: attachedAt(place, one, "ingress"),
        asksAs,
        stale: [asksAs?.ipv4, asksAs?.ipv6].some(
          (asked) => asked !== undefined && !one.addresses.some(({ address }) => address === asked),
        ),
        rpFilter: effectiveIpv4Sysctl(one.name, "rp_filter"),
      };
    }),
    counters: state?.counters(),
  }));
}

/** Undefined: nothing is set up. */
function withState<T>(place: RealPlace, body: (state: RealState | undefined) => T): T {
  const state = openRealState(place.folder, () => readObjectTypes(place.object));
  try {
    return body(state);
  } finally {
    state?.close();
  }
}

const sortedInterfaces = (): NetworkInterface[] => [...readInterfaces().values()].sort((a, b) => a.index - b.index);

function chooseInterfaces(all: readonly NetworkInterface[], names: readonly string[] | undefined): NetworkInterface[] {
  if (names === undefined) {
    const found = all.filter(isGuardable);
    if (found.length === 0) throw new RealRefused("there is no Ethernet interface here to guard");
    return found;
  }
  return names.map((name) => {
    const found = all.find((one) => one.name === name);
    if (found === undefined) throw new RealRefused(`there is no interface ${name}`);
    if (!isGuardable(found)) {
      throw new RealRefused(
        `${name} is no Ethernet interface of its own: name the bridge or bond that it is a port of`,
      );
    }
    return found;
  });
}

/** The guard would silence the gratuitous ARP of a balancer, and with it the VIP for everybody. */
function refuseBalancer(vip: IpAddress, interfaces: readonly NetworkInterface[]): void {
  const holder = interfaces.find(
    ({ name, addresses }) => name !== LOOPBACK && addresses.some(({ address }) => address === vip),
  );
  if (holder === undefined) return;
  throw new RealRefused(
    `${vip} is on ${holder.name}: this host answers for it, as a balancer does. A balancer that is a real server too needs no evenkeel real; on a real server, remove the address first: ip address del ${text(vip)} dev ${holder.name}`,
  );
}
