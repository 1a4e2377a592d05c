import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../src/base/ip.ts";
import type { Facts } from "../../../src/daemon/doctor/facts.ts";
import type { Finding } from "../../../src/daemon/doctor/finding.ts";
import { judgeReal, type RealQuestion, realVips } from "../../../src/daemon/doctor/judge-real.ts";
import { facts, link, NOTHING_SET_UP, setUpReal, VIP } from "./facts.ts";

const WITH_VIP = [link("lo", ["127.0.0.1/8", `${VIP}/32`]), link("eth0", ["10.0.0.30/24"])];
const WEB = [{ protocol: "tcp", address: undefined, family: 4, port: 80 } as const];

const judge = (given: Partial<Facts>, question: Partial<RealQuestion> = {}): Finding[] =>
  judgeReal(facts({ listening: WEB, ...given }), { vips: [VIP], mode: undefined, port: undefined, ...question });
const missingIn = (findings: readonly Finding[]) =>
  findings.filter(({ level }) => level === "missing").map(({ subject, says }) => `${subject}: ${says}`);

test("a real server that evenkeel real has set up lacks nothing", () => {
  const findings = judge({ interfaces: WITH_VIP, real: setUpReal("dr") }, { port: 80 });
  assert.deepEqual(
    findings.map(({ level, subject, says }) => `${level} ${subject}: ${says}`),
    [
      "ok VIP 10.0.0.100: is on lo",
      "ok neighbours: hear nothing of 10.0.0.100 on eth0 (evenkeel real)",
      "ok service on 10.0.0.100 port 80: something listens: tcp/80",
    ],
  );
});

test("a VIP that is nowhere is missing, and the cure names the mode", () => {
  const [, place] = judge({}, { mode: "tun" });
  assert.equal(place?.level, "missing");
  assert.equal(place?.says, "is not on lo: its packets arrive here and are dropped");
  assert.equal(place?.cure, "evenkeel real --vip 10.0.0.100 --mode tun");
});

test("a VIP on an Ethernet interface of a real server is told to neighbours", () => {
  const interfaces = [link("lo", []), link("eth0", ["10.0.0.30/24", `${VIP}/32`])];
  assert.match(missingIn(judge({ interfaces })).join("\n"), /^VIP 10\.0\.0\.100: is on eth0, where its neighbours/);
});

test("a VIP on lo with the kernel's defaults is answered for on every interface", () => {
  assert.deepEqual(missingIn(judge({ interfaces: WITH_VIP })), [
    "neighbours: eth0 answers ARP for, and speaks as, 10.0.0.100: clients find this server in the place of the balancer",
  ]);
});

test("arp_ignore and arp_announce together are as good as a guard, either alone is not", () => {
  const withSysctls = (arpIgnore: number, arpAnnounce: number) =>
    missingIn(
      judge({
        interfaces: [WITH_VIP[0] ?? link("lo", []), link("eth0", ["10.0.0.30/24"], { arpIgnore, arpAnnounce })],
      }),
    );
  assert.deepEqual(withSysctls(1, 2), []);
  assert.match(withSysctls(1, 0).join(), /eth0 speaks as 10\.0\.0\.100/);
  assert.match(withSysctls(0, 2).join(), /eth0 answers ARP for 10\.0\.0\.100/);
});

test("an interface that appeared after evenkeel real ran has no guard", () => {
  const interfaces = [...WITH_VIP, link("eth1", ["10.1.0.30/24"])];
  assert.match(missingIn(judge({ interfaces, real: setUpReal("dr") })).join("\n"), /^neighbours: eth1 answers/);
});

test("an interface without an address of its own is worth a note", () => {
  const findings = judge({ interfaces: [...WITH_VIP, link("eth1", [])], real: setUpReal("dr") });
  assert.deepEqual(missingIn(findings), []);
  assert.ok(findings.some(({ level, says }) => level === "note" && says.startsWith("eth1, which has no IPv4 address")));
});

test("a real server for no address at all lacks one", () => {
  assert.deepEqual(missingIn(judge({}, { vips: [] })), ["VIP: nothing here looks like the address of a service"]);
});

test("an interface that is down needs no guard", () => {
  const interfaces = [...WITH_VIP, link("eth1", [], { up: false })];
  assert.deepEqual(missingIn(judge({ interfaces, real: setUpReal("dr") })), []);
});

test("a guard that asks in the name of an address that is gone is named", () => {
  const real = setUpReal("dr", { stale: true });
  assert.match(missingIn(judge({ interfaces: WITH_VIP, real })).join(), /eth0 has other addresses than when/);
});

test("an IPv6 VIP on lo needs no guard: Linux does not answer for it on other interfaces", () => {
  const vip = "fd00::100" as IpAddress;
  const interfaces = [link("lo", [`${vip}/128`]), link("eth0", ["fd00::30/64"])];
  const listening = [{ protocol: "tcp", address: undefined, port: 80 } as const];
  assert.deepEqual(missingIn(judge({ interfaces, listening }, { vips: [vip] })), []);
});

test("tunnels end at our program or at a device of the kernel's, else the packets are lost", () => {
  const question = { mode: "tun" } as const;
  const guarded = [WITH_VIP[0] ?? link("lo", []), link("eth0", ["10.0.0.30/24"], { arpIgnore: 1, arpAnnounce: 2 })];
  assert.deepEqual(missingIn(judge({ interfaces: guarded }, question)), [
    "tunnels: nothing takes packets for 10.0.0.100 out of their tunnel",
  ]);
  const device = link("tunl0", [], { hardwareType: 768, guardable: false });
  assert.deepEqual(missingIn(judge({ interfaces: [...guarded, device] }, question)), []);
  assert.deepEqual(missingIn(judge({ interfaces: WITH_VIP, real: setUpReal("tun") }, question)), []);
});

test("strict rp_filter on a tunnel device drops everything, on a link only what is answered elsewhere", () => {
  const guarded = [WITH_VIP[0] ?? link("lo", []), link("eth0", ["10.0.0.30/24"], { arpIgnore: 1, arpAnnounce: 2 })];
  const device = link("tunl0", [], { hardwareType: 768, guardable: false, rpFilter: 1 });
  assert.match(
    missingIn(judge({ interfaces: [...guarded, device] }, { mode: "tun" })).join(),
    /^rp_filter: is strict on tunl0/,
  );
  const strict = [WITH_VIP[0] ?? link("lo", []), link("eth0", ["10.0.0.30/24"], { rpFilter: 1 })];
  const ours = judge({ interfaces: strict, real: setUpReal("tun") });
  assert.deepEqual(missingIn(ours), []);
  assert.ok(ours.some(({ level, subject }) => level === "note" && subject === "rp_filter"));
});

test("a real server that is set up for the other mode is named", () => {
  const findings = judge({ interfaces: WITH_VIP, real: setUpReal("dr") }, { mode: "tun" });
  assert.ok(missingIn(findings).includes("VIP 10.0.0.100: is set up for dr, not for tun"));
});

test("a service that listens on another address only is named with it", () => {
  const listening = [{ protocol: "tcp", address: "127.0.0.1" as IpAddress, port: 80 } as const];
  const findings = judge({ interfaces: WITH_VIP, real: setUpReal("dr"), listening }, { port: 80 });
  assert.deepEqual(missingIn(findings), ["service on 10.0.0.100 port 80: nothing listens there, only on 127.0.0.1"]);
});

test("with a REDIRECT rule the VIP need not be on lo, nor any guard", () => {
  const findings = judge({ redirects: [{ address: VIP, port: 80 }] }, { port: 80 });
  assert.deepEqual(missingIn(findings), []);
  assert.ok(findings.some(({ says }) => says === "a REDIRECT rule takes its packets"));
});

test("without a REDIRECT rule a redirected VIP is missing, unless rules cannot be listed", () => {
  assert.equal(missingIn(judge({}, { mode: "redirect" })).length, 1);
  assert.equal(missingIn(judge({ redirects: undefined }, { mode: "redirect" })).length, 0);
});

test("what evenkeel real made, lone addresses of lo and redirected addresses are taken for VIPs", () => {
  const interfaces = [link("lo", ["127.0.0.1/8", "::1/128", "10.0.0.101/32", "10.9.0.1/24"]), link("eth0", [])];
  const redirects = [{ address: "10.0.0.102" as IpAddress, port: 80 }];
  assert.deepEqual(realVips(facts({ interfaces, redirects, real: setUpReal("dr") })), [
    "10.0.0.100",
    "10.0.0.101",
    "10.0.0.102",
  ]);
});

test("state that cannot be read is missing, not absent", () => {
  assert.match(
    missingIn(judge({ interfaces: WITH_VIP, real: "EPERM" })).join("\n"),
    /^evenkeel real: its state could not be read: EPERM/,
  );
  assert.ok(judge({ real: NOTHING_SET_UP }).some(({ says }) => says === "nothing is set up by it here"));
});
