import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress, Ipv4Address } from "../../../src/base/ip.ts";
import { spokesmanOf, tunnelMss } from "../../../src/daemon/real/interfaces.ts";
import { describe, type RealReport, remarks } from "../../../src/daemon/real/report.ts";
import { COUNTERS, type RealCounters } from "../../../src/daemon/real/state.ts";
import { link, NOTHING_SET_UP, setUpReal, VIP } from "../doctor/facts.ts";

const VIP6 = "fd00::100" as IpAddress;

test("an MSS leaves room for the tunnel, of the family that the host has", () => {
  const has =
    (...families: (4 | 6)[]) =>
    (family: 4 | 6) =>
      families.includes(family);
  assert.equal(tunnelMss(VIP, 1500, has(4, 6)), 1440);
  assert.equal(tunnelMss(VIP6, 1500, has(4, 6)), 1400);
  assert.equal(tunnelMss(VIP, 1500, has(6)), 1420);
  assert.equal(tunnelMss(VIP6, 1500, has(4)), 1420);
  assert.equal(tunnelMss(VIP, 9000, has(4)), 8940);
  assert.equal(tunnelMss(VIP, 500, has(4)), 536);
});

test("an interface speaks in its first own address of each family, never in a VIP", () => {
  const isVip = (address: IpAddress) => address === VIP;
  const { addresses } = link("eth0", [`${VIP}/24`, "10.0.0.30/24", "10.0.0.31/24", "fd00::30/64", "fe80::30/64"]);
  const scoped = addresses.map((one) => ({ ...one, scope: one.address.startsWith("fe80") ? 253 : 0 }));
  assert.deepEqual(spokesmanOf(link("eth0", [], { addresses: scoped }), isVip), {
    ipv4: "10.0.0.30",
    ipv6: "fe80::30",
  });
  const tentative = scoped.map((one) => ({ ...one, flags: 0x40 }));
  assert.deepEqual(spokesmanOf(link("eth0", [], { addresses: tentative }), isVip), {
    ipv4: undefined,
    ipv6: undefined,
  });
});

test("where nothing is set up that is all there is to say", () => {
  assert.deepEqual(describe(NOTHING_SET_UP), ["nothing is set up here"]);
  assert.deepEqual(remarks(NOTHING_SET_UP), []);
});

test("what is set up is described with what it has done", () => {
  const [interfaceSetUp] = setUpReal("tun").interfaces;
  assert.ok(interfaceSetUp);
  const asksAs = { ipv4: "10.0.0.30" as Ipv4Address, ipv6: undefined };
  const counters = Object.fromEntries(COUNTERS.map((name) => [name, name === "decapsulated" ? 7 : 0]));
  const report: RealReport = {
    ...setUpReal("tun"),
    interfaces: [
      { ...interfaceSetUp, asksAs },
      { ...interfaceSetUp, name: "eth1", guard: undefined, tunnels: undefined },
    ],
    counters: counters as RealCounters,
  };
  assert.deepEqual(describe(report), [
    "10.0.0.100: tun, on lo, MSS at most 1440",
    "eth0: guard (tcx), tunnels end (tcx), asks as 10.0.0.30",
    "eth1: no guard",
    "packets taken out of tunnels: 7",
  ]);
});

test("a person is told of interfaces without a guard, changed addresses and strict rp_filter", () => {
  const last = "interfaces that appear later are guarded when this is run again, at each start of the machine too";
  const said = (over: Parameters<typeof setUpReal>[1]) => remarks(setUpReal("tun", over));
  assert.deepEqual(said({}), [last]);
  assert.match(said({ guard: undefined })[0] ?? "", /^eth0 has no guard/);
  assert.match(said({ stale: true })[0] ?? "", /^addresses of eth0 have changed/);
  assert.match(said({ rpFilter: 1 })[0] ?? "", /^rp_filter is strict on eth0.*net\.ipv4\.conf\.eth0\.rp_filter=2/);
  assert.deepEqual(said({ rpFilter: 2 }), [last]);
});
