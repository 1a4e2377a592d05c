/**
 * What a real server of a balanced service needs and people forget: the VIP on lo, silence about it towards neighbours, open
 * tunnels, an MSS that fits them. Made in one go, kept by the kernel with no process, and undone in one go.
 *
 * Every step leaves a state that is safe and that the next run completes: the guard stands before the address does, and the
 * memory of what is ours to remove is written before it is made. Nothing here is a balancer's.
 */

import { existsSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { type IpAddress, isIpv4 } from "../../base/ip.ts";
import { putAddress, removeAddress } from "../../sys/addresses.ts";
import { loadObject, readObjectTypes } from "../../sys/bpf.ts";
import { type AttachPoint, attach, attached, type Direction, detach } from "../../sys/bpf-attach.ts";
import { type NetworkInterface, readInterfaces } from "../../sys/interfaces.ts";
import { Netlink } from "../../sys/netlink.ts";
import { effectiveIpv4Sysctl, isGuardable, spokesmanOf, tunnelMss } from "./interfaces.ts";
import type { RealPlace } from "./place.ts";
import type { RealReport } from "./report.ts";
import { openRealState, type RealMode, RealState } from "./state.ts";

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
/** clsact: after the balancer's programs, should this host be one for other VIPs. */
const PRIORITY = 40_100;

const prefixLengthOf = (address: IpAddress): number => (isIpv4(address) ? 32 : 128);
const text = (address: IpAddress): string => `${address}/${prefixLengthOf(address)}`;

/**
 * Adds these VIPs to what is there. @returns what it did, a line each
 * @throws RealRefused; BpfLoadError; BpfMapMismatch; SystemError
 */
export function setUp(place: RealPlace, options: RealOptions): string[] {
  const said: string[] = [];
  const interfaces = sortedInterfaces();
  const loopback = interfaces.find(({ name }) => name === LOOPBACK);
  if (loopback === undefined) throw new RealRefused("this network namespace has no interface lo");
  const chosen = chooseInterfaces(interfaces, options.interfaces);
  for (const vip of options.vips) refuseBalancer(vip, interfaces);

  mkdirSync(place.folder, { recursive: true });
  using object = loadObject({ file: place.object, pinned: place.folder });
  using state = new RealState(object.types, (name) => object.map(name));
  const known = new Map(state.vips().map((vip) => [vip.address, vip]));
  const guarded = new Map(chosen.map((one) => [one.index, one]));
  for (const one of interfaces) {
    if (attached(point(place, one, "egress")) !== undefined) guarded.set(one.index, one);
  }
  const mtu = Math.min(...Array.from(guarded.values(), (one) => one.mtu));
  const isVip = (address: IpAddress) => known.has(address) || options.vips.includes(address);
  const hasFamily = (family: 4 | 6) =>
    guarded
      .values()
      .some((one) =>
        one.addresses.some(
          ({ address, scope }) => scope === 0 && !isVip(address) && isIpv4(address) === (family === 4),
        ),
      );

  const toAdd: IpAddress[] = [];
  for (const vip of options.vips) {
    const there = loopback.addresses.some(({ address }) => address === vip);
    const before = known.get(vip);
    const mss =
      options.mss === "none" ? 0 : (options.mss ?? (options.mode === "tun" ? tunnelMss(vip, mtu, hasFamily) : 0));
    const ownAddress = before?.ownAddress === true || !there;
    if (before?.mode !== options.mode || before.mss !== mss || before.ownAddress !== ownAddress) {
      state.putVip({ address: vip, mode: options.mode, mss, ownAddress });
      said.push(
        `${vip}: neighbours hear nothing of it from here${options.mode === "tun" ? ", its tunnels end here" : ""}`,
      );
      if (mss !== 0) said.push(`${vip}: clients are offered an MSS of at most ${mss}`);
    }
    if (!there) toAdd.push(vip);
  }

  const wantsTunnels = state.vips().some(({ mode }) => mode === "tun");
  for (const one of guarded.values()) {
    state.putSpokesman(one.index, spokesmanOf(one, isVip));
    // Attached even when it is: so an upgrade puts its new programs where the old ones were.
    said.push(...attachTo(place, one, "egress", object.program("real_out"), "neighbour guard"));
    if (wantsTunnels) said.push(...attachTo(place, one, "ingress", object.program("real_in"), "end of tunnels"));
    else if (detach(point(place, one, "ingress"))) said.push(`${one.name}: end of tunnels removed, no VIP needs it`);
  }
  state.keepSpokesmen(new Set(guarded.keys()));

  const netlink = new Netlink();
  try {
    for (const address of toAdd) {
      putAddress(netlink, {
        interfaceIndex: loopback.index,
        address,
        prefixLength: prefixLengthOf(address),
        // Never chosen as the source of this host's own connections: IPv4 by its scope, IPv6 because it is deprecated.
        ...(isIpv4(address) ? { scope: RT_SCOPE_HOST } : { preferredLifetime: 0 }),
        validLifetime: "forever",
      });
      said.push(`${text(address)} added to ${LOOPBACK}`);
    }
  } finally {
    netlink.close();
  }
  return said;
}

/**
 * Takes these VIPs back, or all; with the last one everything goes that `setUp` made. Addresses that were there before stay.
 * @returns what it did, a line each; nothing when there was nothing to undo
 * @throws RealRefused: none of ours; SystemError
 */
export function undo(place: RealPlace, vips: readonly IpAddress[]): string[] {
  const said: string[] = [];
  const interfaces = sortedInterfaces();
  const loopback = interfaces.find(({ name }) => name === LOOPBACK);
  using state = open(place);
  const known = state?.vips() ?? [];
  for (const vip of vips) {
    if (!known.some(({ address }) => address === vip)) throw new RealRefused(`${vip} was not set up here`);
  }
  const going = known.filter(({ address }) => vips.length === 0 || vips.includes(address));
  const netlink = new Netlink();
  try {
    for (const { address, ownAddress } of going) {
      // The address goes first: the guard must not fall while it is there.
      const target = { interfaceIndex: loopback?.index ?? 1, address, prefixLength: prefixLengthOf(address) };
      if (!ownAddress) said.push(`${text(address)} stays on ${LOOPBACK}: it was there before`);
      else if (removeAddress(netlink, target)) said.push(`${text(address)} removed from ${LOOPBACK}`);
      state?.removeVip(address);
    }
  } finally {
    netlink.close();
  }
  const left = state?.vips() ?? [];
  for (const one of interfaces) {
    if (!left.some(({ mode }) => mode === "tun") && detach(point(place, one, "ingress"))) {
      said.push(`${one.name}: end of tunnels removed`);
    }
    if (left.length === 0 && detach(point(place, one, "egress"))) said.push(`${one.name}: neighbour guard removed`);
  }
  if (state === undefined && said.length > 0) {
    said.push("the pins are gone, and with them what is known of addresses on lo: those stay");
  }
  if (left.length === 0) removeFolder(place.folder);
  return said;
}

/** What is set up here. @throws SystemError EPERM */
export function look(place: RealPlace): RealReport {
  using state = open(place);
  const interfaces = sortedInterfaces();
  const loopback = interfaces.find(({ name }) => name === LOOPBACK);
  const vips = state?.vips() ?? [];
  return {
    vips: vips.map((vip) => ({
      ...vip,
      onLoopback: loopback?.addresses.some(({ address }) => address === vip.address) === true,
    })),
    interfaces: interfaces.filter(isGuardable).map((one) => {
      const spokesman = state?.spokesman(one.index);
      return {
        name: one.name,
        up: one.up,
        guard: methodAt(place, one, "egress"),
        tunnels: methodAt(place, one, "ingress"),
        asksAs: spokesman,
        stale: [spokesman?.ipv4, spokesman?.ipv6].some(
          (asked) => asked !== undefined && !one.addresses.some(({ address }) => address === asked),
        ),
        rpFilter: effectiveIpv4Sysctl(one.name, "rp_filter"),
      };
    }),
    counters: state?.counters(),
  };
}

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

const sortedInterfaces = (): NetworkInterface[] => [...readInterfaces().values()].sort((a, b) => a.index - b.index);

const open = (place: RealPlace): RealState | undefined =>
  openRealState(place.folder, () => readObjectTypes(place.object));

const methodAt = (place: RealPlace, one: NetworkInterface, direction: Direction) =>
  attached(point(place, one, direction))?.method;

function point({ folder }: RealPlace, { index }: NetworkInterface, direction: Direction): AttachPoint {
  const pin = join(folder, `${direction}_${index}`);
  return { interfaceIndex: index, direction, pin, priority: PRIORITY };
}

function attachTo(
  place: RealPlace,
  target: NetworkInterface,
  direction: Direction,
  program: number,
  what: string,
): string[] {
  const where = point(place, target, direction);
  const before = attached(where);
  const method = attach(where, program);
  return before === undefined ? [`${target.name}: ${what} attached (${method})`] : [];
}

/** The pins of interfaces that have gone among them. */
function removeFolder(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) unlinkSync(join(folder, name));
  rmdirSync(folder);
  // The network namespace's own folder, unless the balancer's data plane is in it.
  if (readdirSync(dirname(folder)).length === 0) rmdirSync(dirname(folder));
}
