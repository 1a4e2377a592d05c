/** The programs of a real server over packets without a wire: every branch of bpf/real.bpf.c, input and output. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type IpAddress, type Ipv4Address, ipToBytes, isIpv4 } from "../../src/base/ip.ts";
import type { MacAddress } from "../../src/base/mac.ts";
import { type GuardedVip, RealState } from "../../src/daemon/real/state.ts";
import { type BpfObject, loadObject } from "../../src/sys/bpf.ts";
import { testRun } from "../../src/sys/bpf-test-run.ts";
import { decodeArp, encodeArp } from "../../src/wire/arp.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { after, before, test } from "../support/bpf-tests.ts";
import { TestNetwork, type TestNode } from "../support/namespace.ts";

const NEXT = -1;
const DROP = 2;
const LO = 1;
const VIP = "10.0.0.100" as Ipv4Address;
const VIP6 = "fd00::100" as IpAddress;
const OWN = "10.0.0.30" as Ipv4Address;
const OWN6 = "fe80::30" as IpAddress;
const PEER = "10.0.0.10" as Ipv4Address;
const PEER6 = "fd00::10" as IpAddress;
const NOBODY = "0.0.0.0" as Ipv4Address;

let network: TestNetwork;
let node: TestNode;
let object: BpfObject;
let state: RealState;
before(async () => {
  network = new TestNetwork();
  node = await network.node("real");
  // Where the "interface" lo has the programs' own addresses, for the routing table that they ask.
  await node.run("ip", "addr", "add", `${OWN}/32`, "dev", "lo");
  await node.run("ip", "-6", "addr", "add", "fd00::30/128", "dev", "lo", "nodad");
  object = loadObject({ file: fileURLToPath(new URL("../../build/real.bpf.o", import.meta.url)) });
  state = new RealState(object.types, (name) => object.map(name));
});
after(async () => {
  state.close();
  object.close();
  await network[Symbol.asyncDispose]();
});

/** These are all the VIPs, from now on. */
function guard(...vips: (Partial<GuardedVip> & Pick<GuardedVip, "address">)[]): void {
  for (const { address } of state.vips()) state.removeVip(address);
  for (const vip of vips) state.putVip({ mode: "dr", mss: 0, ownAddress: false, ...vip });
}

/** The verdict, the packet afterwards, and which counters went up by one. */
function run(program: "real_in" | "real_out", packet: Uint8Array) {
  const counted = state.counters();
  const { verdict, packet: output } = node.within(() => testRun(object.program(program), { packet }));
  const now = state.counters();
  const up = Object.entries(now).flatMap(([name, count]) =>
    count === counted[name as keyof typeof now] ? [] : [name],
  );
  return { verdict, output, up };
}

function passesUntouched(program: "real_in" | "real_out", packet: Uint8Array): void {
  const { verdict, output, up } = run(program, packet);
  assert.equal(verdict, NEXT);
  assert.deepEqual(output, packet);
  assert.deepEqual(up, []);
}

const bytes = (...parts: (Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));
const u16 = (value: number) => [value >> 8, value & 0xff];
/** To lo's own Ethernet address, which is zero. */
const frame = (etherType: number, payload: Uint8Array, toMac = 0): Uint8Array =>
  bytes([0, 0, 0, 0, 0, toMac], [2, 0, 0, 0, 0, 1], u16(etherType), payload);
const PAYLOAD = Uint8Array.from({ length: 40 }, (_, index) => index);

function ipv4(
  protocol: number,
  source: IpAddress,
  destination: IpAddress,
  payload: Uint8Array,
  ecn = 0,
  fragment = 0x4000,
) {
  const header = bytes(
    [0x45, ecn],
    u16(20 + payload.length),
    [0, 7],
    u16(fragment),
    [64, protocol, 0, 0],
    ipToBytes(source),
    ipToBytes(destination),
  );
  header.set(u16(internetChecksum(header)), 10);
  return bytes(header, payload);
}

function ipv6(next: number, source: IpAddress, destination: IpAddress, payload: Uint8Array, ecn = 0) {
  return bytes(
    [0x60, ecn << 4, 0, 0],
    u16(payload.length),
    [next, 64],
    ipToBytes(source),
    ipToBytes(destination),
    payload,
  );
}

const packet = (source: IpAddress, destination: IpAddress, ecn = 0): Uint8Array =>
  isIpv4(destination) ? ipv4(17, source, destination, PAYLOAD, ecn) : ipv6(17, source, destination, PAYLOAD, ecn);
const etherTypeOf = (address: IpAddress) => (isIpv4(address) ? 0x0800 : 0x86dd);

// Neighbours of IPv4.

const SENDER = "02:00:00:00:00:01" as MacAddress;
function arp(operation: number, sender: Ipv4Address, target: Ipv4Address): Uint8Array {
  const targetMac = "00:00:00:00:00:00" as MacAddress;
  return frame(0x0806, encodeArp({ operation, senderMac: SENDER, senderIp: sender, targetMac, targetIp: target }));
}

test("an ARP answer for a VIP is not sent, one for another address is", () => {
  guard({ address: VIP });
  const { verdict, up } = run("real_out", arp(2, VIP, PEER));
  assert.equal(verdict, DROP);
  assert.deepEqual(up, ["arpSilenced"]);
  passesUntouched("real_out", arp(2, OWN, PEER));
});

test("a gratuitous request announces no VIP", () => {
  guard({ address: VIP });
  const { verdict, up } = run("real_out", arp(1, VIP, VIP));
  assert.equal(verdict, DROP);
  assert.deepEqual(up, ["arpSilenced"]);
});

test("who asks in the name of a VIP asks in that of the interface's own address", () => {
  guard({ address: VIP });
  state.putSpokesman(LO, { ipv4: OWN, ipv6: undefined });
  const { verdict, output, up } = run("real_out", arp(1, VIP, PEER));
  assert.equal(verdict, NEXT);
  assert.deepEqual(up, ["arpRenamed"]);
  assert.deepEqual(output, arp(1, OWN, PEER));
});

test("without an own address it asks as a probe does, in nobody's name", () => {
  guard({ address: VIP });
  state.keepSpokesmen(new Set());
  const { verdict, output } = run("real_out", arp(1, VIP, PEER));
  assert.equal(verdict, NEXT);
  const decoded = decodeArp(output.subarray(14));
  assert.ok(decoded.ok);
  assert.equal(decoded.value.senderIp, NOBODY);
  assert.equal(decoded.value.targetIp, PEER);
});

test("a request for a VIP, a question of others and what is no ARP of IPv4 are left alone", () => {
  guard({ address: VIP });
  passesUntouched("real_out", arp(1, OWN, VIP));
  passesUntouched("real_out", arp(1, PEER, OWN));
  passesUntouched("real_out", arp(2, VIP, PEER).with(16, 0x86));
  passesUntouched("real_out", arp(2, VIP, PEER).subarray(0, 30));
});

// Neighbours of IPv6.

function icmp6(type: number, source: IpAddress, destination: IpAddress, target: IpAddress): Uint8Array {
  const message = bytes([type, 0, 0, 0, 0, 0, 0, 0], ipToBytes(target), [1, 1, 2, 0, 0, 0, 0, 1]);
  const pseudo = bytes(ipToBytes(source), ipToBytes(destination), [0, 0], u16(message.length), [0, 0, 0, 58]);
  message.set(u16(internetChecksum(pseudo, message)), 2);
  return frame(0x86dd, ipv6(58, source, destination, message));
}
const ALL_NODES = "ff02::1" as IpAddress;
const SOLICITED = "ff02::1:ff00:10" as IpAddress;
const UNSPECIFIED = "::" as IpAddress;

test("a neighbour advertisement for a VIP is not sent, one for another address is", () => {
  guard({ address: VIP6 });
  const { verdict, up } = run("real_out", icmp6(136, OWN6, ALL_NODES, VIP6));
  assert.equal(verdict, DROP);
  assert.deepEqual(up, ["ndSilenced"]);
  passesUntouched("real_out", icmp6(136, OWN6, ALL_NODES, OWN6));
});

test("duplicate address detection asks nobody about a VIP", () => {
  guard({ address: VIP6 });
  assert.equal(run("real_out", icmp6(135, UNSPECIFIED, SOLICITED, VIP6)).verdict, DROP);
  passesUntouched("real_out", icmp6(135, UNSPECIFIED, SOLICITED, OWN6));
});

test("a solicitation in the name of a VIP goes out in that of the link-local address, with its checksum right", () => {
  guard({ address: VIP6 });
  state.putSpokesman(LO, { ipv4: undefined, ipv6: OWN6 });
  const { verdict, output, up } = run("real_out", icmp6(135, VIP6, SOLICITED, PEER6));
  assert.equal(verdict, NEXT);
  assert.deepEqual(up, ["ndRenamed"]);
  assert.deepEqual(output, icmp6(135, OWN6, SOLICITED, PEER6));
});

test("without a link-local address it is not sent", () => {
  guard({ address: VIP6 });
  state.keepSpokesmen(new Set());
  const { verdict, up } = run("real_out", icmp6(135, VIP6, SOLICITED, PEER6));
  assert.equal(verdict, DROP);
  assert.deepEqual(up, ["ndSilenced"]);
});

test("other ICMPv6 from a VIP is left alone", () => {
  guard({ address: VIP6 });
  passesUntouched("real_out", icmp6(129, VIP6, PEER6, UNSPECIFIED));
});

// MSS.

const SYN_ACK = 0x12;
function tcp(source: IpAddress, destination: IpAddress, flags: number, options: readonly number[]): Uint8Array {
  assert.equal(options.length % 4, 0);
  const segment = bytes(
    u16(80),
    u16(40_000),
    [0, 0, 0, 1, 0, 0, 0, 2],
    [(5 + options.length / 4) << 4, flags],
    [1, 0, 0, 0, 0, 0],
    options,
  );
  const pseudo = isIpv4(source)
    ? bytes(ipToBytes(source), ipToBytes(destination), [0, 6], u16(segment.length))
    : bytes(ipToBytes(source), ipToBytes(destination), [0, 0], u16(segment.length), [0, 0, 0, 6]);
  segment.set(u16(internetChecksum(pseudo, segment)), 16);
  const whole = isIpv4(source) ? ipv4(6, source, destination, segment) : ipv6(6, source, destination, segment);
  return frame(etherTypeOf(source), whole);
}
const mss = (value: number) => [2, 4, ...u16(value)];

for (const [vip, peer] of [
  [VIP, PEER],
  [VIP6, PEER6],
] as const) {
  test(`the MSS that ${vip} offers is lowered, and the checksum with it`, () => {
    guard({ address: vip, mode: "tun", mss: 1400 });
    const { verdict, output, up } = run("real_out", tcp(vip, peer, SYN_ACK, [...mss(1460), 1, 3, 3, 7]));
    assert.equal(verdict, NEXT);
    assert.deepEqual(up, ["mssLowered"]);
    assert.deepEqual(output, tcp(vip, peer, SYN_ACK, [...mss(1400), 1, 3, 3, 7]));
  });
}

test("an MSS is found behind other options, also where it lies across two words", () => {
  guard({ address: VIP, mode: "tun", mss: 1400 });
  for (const before of [
    [4, 2, 1, 1],
    [8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1],
  ]) {
    const { output } = run("real_out", tcp(VIP, PEER, SYN_ACK, [...before, ...mss(1460)]));
    assert.deepEqual(output, tcp(VIP, PEER, SYN_ACK, [...before, ...mss(1400)]));
  }
  const { output } = run("real_out", tcp(VIP, PEER, SYN_ACK, [1, ...mss(1460), 1, 1, 1]));
  assert.deepEqual(output, tcp(VIP, PEER, SYN_ACK, [1, ...mss(1400), 1, 1, 1]));
});

test("an MSS that is low enough, or that nobody limits, stays", () => {
  guard({ address: VIP, mode: "tun", mss: 1400 }, { address: VIP6, mode: "tun", mss: 0 });
  passesUntouched("real_out", tcp(VIP, PEER, SYN_ACK, mss(1400)));
  passesUntouched("real_out", tcp(VIP6, PEER6, SYN_ACK, mss(1460)));
});

test("other segments and other senders keep their MSS", () => {
  guard({ address: VIP, mode: "tun", mss: 1400 });
  passesUntouched("real_out", tcp(VIP, PEER, 0x02, mss(1460)));
  passesUntouched("real_out", tcp(VIP, PEER, 0x10, mss(1460)));
  passesUntouched("real_out", tcp(OWN, PEER, SYN_ACK, mss(1460)));
});

test("options that lie about their length, end early or go on for ever are left alone", () => {
  guard({ address: VIP, mode: "tun", mss: 1400 });
  passesUntouched("real_out", tcp(VIP, PEER, SYN_ACK, [3, 0, 2, 4, ...u16(1460), 0, 0]));
  passesUntouched("real_out", tcp(VIP, PEER, SYN_ACK, [0, 0, 0, 0, ...mss(1460)]));
  passesUntouched("real_out", tcp(VIP, PEER, SYN_ACK, [99, 250, 0, 0, ...mss(1460)]));
  passesUntouched("real_out", tcp(VIP, PEER, SYN_ACK, [1, 1, 1, 2]));
  passesUntouched("real_out", tcp(VIP, PEER, SYN_ACK, Array<number>(40).fill(1)));
  passesUntouched("real_out", tcp(VIP, PEER, SYN_ACK, []));
});

// Tunnels.

const DIRECTOR = "10.0.0.20" as Ipv4Address;
const DIRECTOR6 = "fd00::20" as IpAddress;
const HERE6 = "fd00::30" as IpAddress;
const IPIP = 4;
const IN6 = 41;
const around4 = (inner: Uint8Array, ecn = 0, fragment = 0x4000) =>
  frame(0x0800, ipv4((inner[0] ?? 0) >> 4 === 4 ? IPIP : IN6, DIRECTOR, OWN, inner, ecn, fragment));
const around6 = (inner: Uint8Array, ecn = 0) =>
  frame(0x86dd, ipv6((inner[0] ?? 0) >> 4 === 4 ? IPIP : IN6, DIRECTOR6, HERE6, inner, ecn));

for (const [name, around, vip, peer] of [
  ["IPv4 in IPv4", around4, VIP, PEER],
  ["IPv6 in IPv6", around6, VIP6, PEER6],
  ["IPv6 in IPv4", around4, VIP6, PEER6],
  ["IPv4 in IPv6", around6, VIP, PEER],
] as const) {
  test(`${name} is taken off a packet for a VIP`, () => {
    guard({ address: vip, mode: "tun" });
    const inner = packet(peer, vip);
    const { verdict, output, up } = run("real_in", around(inner));
    assert.equal(verdict, NEXT);
    assert.deepEqual(up, ["decapsulated"]);
    assert.deepEqual(output, frame(etherTypeOf(vip), inner));
  });

  test(`${name} for another address, or for a VIP without tunnels, is left alone`, () => {
    guard({ address: vip, mode: "dr" });
    passesUntouched("real_in", around(packet(peer, vip)));
    passesUntouched("real_in", around(packet(vip, peer)));
  });

  test(`${name} hands on the congestion that the tunnel met`, () => {
    guard({ address: vip, mode: "tun" });
    const { output } = run("real_in", around(packet(peer, vip, 2), 3));
    assert.deepEqual(output, frame(etherTypeOf(vip), packet(peer, vip, 3)));
    const { verdict, up } = run("real_in", around(packet(peer, vip, 0), 3));
    assert.equal(verdict, DROP);
    assert.deepEqual(up, ["tunnelEcn"]);
  });
}

test("an outer header with options, and one with a tunnel encapsulation limit, come off whole", () => {
  guard({ address: VIP, mode: "tun" }, { address: VIP6, mode: "tun" });
  const inner = packet(PEER, VIP);
  const plain = ipv4(IPIP, DIRECTOR, OWN, bytes([1, 1, 1, 0], inner));
  const options = plain.with(0, 0x46);
  assert.deepEqual(run("real_in", frame(0x0800, options)).output, frame(0x0800, inner));
  const inner6 = packet(PEER6, VIP6);
  const limited = ipv6(60, DIRECTOR6, HERE6, bytes([IN6, 0, 4, 1, 4, 1, 0, 0], inner6));
  assert.deepEqual(run("real_in", frame(0x86dd, limited)).output, frame(0x86dd, inner6));
});

test("a fragment of a tunnel packet is counted and left alone", () => {
  guard({ address: VIP, mode: "tun" });
  const packetGiven = around4(packet(PEER, VIP), 0, 0x2000);
  const { verdict, output, up } = run("real_in", packetGiven);
  assert.equal(verdict, NEXT);
  assert.deepEqual(output, packetGiven);
  assert.deepEqual(up, ["tunnelFragment"]);
});

test("what is for another Ethernet address, and what is no tunnel or cut short, is left alone", () => {
  guard({ address: VIP, mode: "tun" });
  passesUntouched("real_in", frame(0x0800, ipv4(IPIP, DIRECTOR, OWN, packet(PEER, VIP)), 9));
  passesUntouched("real_in", frame(0x0800, packet(PEER, VIP)));
  passesUntouched("real_in", around4(packet(PEER, VIP).subarray(0, 12)));
  // Protocol 4 with something else than IPv4 inside.
  passesUntouched("real_in", around4(packet(PEER, VIP)).with(34, 0x65));
});

test("a router takes off tunnels to its own addresses only", async () => {
  guard({ address: VIP, mode: "tun" }, { address: VIP6, mode: "tun" });
  for (const family of ["ipv4", "ipv6"]) {
    await node.run("sh", "-c", `echo 1 > /proc/sys/net/${family}/conf/all/forwarding`);
  }
  await node.run("ip", "route", "add", "192.0.2.0/24", "dev", "lo");
  await node.run("ip", "-6", "route", "add", "2001:db8::/32", "dev", "lo");
  const elsewhere = "192.0.2.1" as Ipv4Address;
  const elsewhere6 = "2001:db8::1" as IpAddress;
  passesUntouched("real_in", frame(0x0800, ipv4(IPIP, DIRECTOR, elsewhere, packet(PEER, VIP))));
  passesUntouched("real_in", frame(0x86dd, ipv6(IN6, DIRECTOR6, elsewhere6, packet(PEER6, VIP6))));
  assert.deepEqual(run("real_in", around4(packet(PEER, VIP))).up, ["decapsulated"]);
  assert.deepEqual(run("real_in", around6(packet(PEER6, VIP6))).up, ["decapsulated"]);
});
