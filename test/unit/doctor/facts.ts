/** A machine with nothing wrong, for the doctor's tests to break. */

import type { IpAddress } from "../../../src/base/ip.ts";
import type { Facts, InterfaceFacts } from "../../../src/daemon/doctor/facts.ts";
import type { RealReport } from "../../../src/daemon/real/report.ts";

export const VIP = "10.0.0.100" as IpAddress;

export function link(name: string, addresses: readonly string[], over: Partial<InterfaceFacts> = {}): InterfaceFacts {
  return {
    index: name === "lo" ? 1 : 2,
    name,
    mac: undefined,
    mtu: name === "lo" ? 65_536 : 1500,
    up: true,
    flags: 0x41,
    hardwareType: name === "lo" ? 772 : 1,
    masterIndex: undefined,
    lowerIndex: undefined,
    kind: undefined,
    alias: undefined,
    addresses: addresses.map((text) => {
      const [address = "", length = "24"] = text.split("/");
      return {
        address: address as IpAddress,
        prefixLength: Number(length),
        broadcast: undefined,
        label: undefined,
        scope: 0,
        flags: 0,
        validLifetime: "forever",
        preferredLifetime: "forever",
        protocol: undefined,
      };
    }),
    guardable: name !== "lo",
    arpIgnore: 0,
    arpAnnounce: 0,
    rpFilter: 0,
    ...over,
  };
}

export const NOTHING_SET_UP: RealReport = { vips: [], interfaces: [], counters: undefined };

export function setUpReal(mode: "dr" | "tun", over: Partial<RealReport["interfaces"][number]> = {}): RealReport {
  return {
    vips: [{ address: VIP, mode, mss: mode === "tun" ? 1440 : 0, ownAddress: true, onLoopback: true }],
    interfaces: [
      {
        name: "eth0",
        up: true,
        guard: "tcx",
        tunnels: mode === "tun" ? "tcx" : undefined,
        asksAs: undefined,
        stale: false,
        rpFilter: 0,
        ...over,
      },
    ],
    counters: undefined,
  };
}

export function facts(over: Partial<Facts> = {}): Facts {
  return {
    machine: {
      release: "6.12.0",
      missingCapabilities: [],
      bpf: [{ name: "bpf", present: true, needed: true, says: "works" }],
      ioUring: "allowed",
      nftables: "works",
      ipForward: false,
    },
    interfaces: [link("lo", ["127.0.0.1/8"]), link("eth0", ["10.0.0.30/24"])],
    ipvs: undefined,
    daemons: [],
    plane: undefined,
    otherPlanes: [],
    real: NOTHING_SET_UP,
    listening: [],
    redirects: [],
    routes: {},
    ...over,
  };
}
